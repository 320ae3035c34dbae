// What workers tell the control thread: small values through a ring each. One drain of it serves
// both who writes the log and who judges endpoints.
//
// A worker must never wait for a log line, so a full ring drops the notice and
// counts it; everything that must not be lost is a counter instead.
//
// When an endpoint fails, every client that comes can be a notice of its own, that it was closed. So what is said of
// clients may fill half of the ring, and the other half is left for what speaks for or against endpoints.

package import TLS
package import Upstreams
package import Vocabulary

/// Something that happened on a worker and that an operator may want to read about, or that speaks for or against an
/// endpoint (``Notice/observation``).
package struct Notice: Sendable {
    package enum Kind: UInt8, Sendable {
        /// An endpoint did not accept a connection; `detail` is the errno.
        case connectFailed
        /// An endpoint accepted a connection, and reset it before its first byte.
        case endpointReset
        /// An endpoint's first byte came on a connection, the first since this worker saw it fail.
        case endpointAnswered
        /// The local instance of an inbound listener refused a connection, and this worker has stopped accepting there;
        /// `detail` is the errno.
        case instanceRefused
        /// A listener that was to accept again could not listen, and has stopped still; `detail` is the errno.
        case listenFailed
        /// A client was closed because no endpoint could be given to it.
        case noEndpoint
        /// A client was closed because its listener has `max_connections`.
        case listenerFull
        /// A client was closed because what it sent ahead could not be understood in time.
        case badPreface
        /// A client was closed because the TLS handshake with it came to nothing; ``Notice/fault`` says why and whose
        /// fault it is.
        case handshakeRefused
        /// The TLS handshake with an endpoint came to nothing, or the endpoint broke the stream off with an alert before
        /// its first byte; ``Notice/fault`` says why.
        case handshakeFailed
        /// A connection was aborted because no memory was left to hold its bytes.
        case heldBytesExhausted
        /// Accepting waits: no descriptors or memory; `detail` is the errno.
        case acceptPaused
        case acceptResumed
    }

    /// Whether it is of one client alone, and speaks neither for nor against an endpoint: as many can come as clients.
    var isOfOneClient: Bool {
        switch kind {
        case .noEndpoint, .listenerFull, .badPreface, .handshakeRefused, .heldBytesExhausted: true
        case .connectFailed: observation == nil
        case .endpointReset, .endpointAnswered, .handshakeFailed, .instanceRefused, .listenFailed, .acceptPaused,
            .acceptResumed:
            false
        }
    }

    package var kind: Kind
    package var listener: UInt32
    package var upstream: UInt32
    package var cell: LoadCells.Index
    package var detail: Int32
    /// Time-outs and resets of the endpoint that this worker has seen in a row, this one included, since the endpoint's
    /// last answer to it; meaningful where the notice is of one.
    package var streak: UInt32 = 0
    /// Of the endpoint's cell when it happened, so that the cell's next endpoint is not blamed for the last.
    var tenancy: UInt64 = 0
    /// Of a handshake that came to nothing; nil where it took too long.
    package var fault: PipeFault?
    /// The client's address, of a handshake that was refused.
    package var peer: SocketAddress?

    /// Whether it speaks of one endpoint, by ``cell``.
    var namesEndpoint: Bool {
        switch kind {
        case .connectFailed, .endpointReset, .endpointAnswered, .handshakeFailed: true
        case .instanceRefused, .listenFailed, .noEndpoint, .listenerFull, .badPreface, .handshakeRefused,
            .heldBytesExhausted, .acceptPaused, .acceptResumed:
            false
        }
    }
}

/// Notices on their way from one worker to the control thread.
final class NoticeRing: Sendable {
    static let capacity = 1024
    /// How full the ring may be of anything for a notice of one client to be taken.
    static let roomForClients = capacity / 2

    private let ring = BoundedRing<Notice>(capacity: NoticeRing.capacity)

    /// - Returns: whether the reader has to be woken: it may be asleep with nothing else to read.
    /// - Precondition: only the one writer calls this.
    func push(_ notice: Notice) -> Bool {
        ring.push(notice, within: notice.isOfOneClient ? Self.roomForClients : Self.capacity) == 0
    }

    /// - Precondition: only the one reader calls this.
    func pop() -> Notice? { ring.pop() }

    /// - Precondition: only the one reader calls this. A notice that comes after the answer "empty" wakes it.
    var isEmpty: Bool { ring.isEmpty }

    /// How many notices found the ring full since this was last asked.
    func takeLost() -> UInt64 { ring.takeLost() }
}
