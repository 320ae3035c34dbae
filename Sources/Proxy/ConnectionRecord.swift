// What is left of a connection when it has ended, for the access log: who, where to, how much, how long, and why it
// ended.
//
//     worker: end of a connection ─► BoundedRing ─► takeRecords(_:), with names ─► whoever writes it down
//
// A record is numbers, and names are looked up by the reader: a worker formats nothing. Cells and listeners' numbers go
// from one owner to another, so a record bears the tenancy by which the reader knows whose they were.

import Glibc
package import Reactor
package import TLS
package import Upstreams
package import Vocabulary

/// How a connection ended.
package enum ConnectionEnd: String, CaseIterable, Sendable {
    /// Both directions came to their own end.
    case clean
    /// The client broke the stream off, or fell silent for good.
    case clientAbort = "client_abort"
    /// The endpoint did.
    case endpointAbort = "endpoint_abort"
    /// Nothing moved for `idle_timeout`.
    case idleTimeout = "idle_timeout"
    /// Closed at rest, as it had reached `max_connection_age`.
    case aged
    /// Aborted, as it had not been at rest once in twice that.
    case expired
    /// Closed at rest, because its endpoint was given up (`on_left: drain`, say).
    case drained
    /// Aborted, because its endpoint was given up (`on_dead: reset`, say).
    case reset
    /// No endpoint of its upstream was eligible.
    case noEndpoint = "no_endpoint"
    /// No endpoint that was tried accepted, or came through the TLS handshake.
    case connectFailed = "connect_failed"
    /// The TLS handshake with the client came to nothing.
    case handshakeFailed = "handshake_failed"
    /// What has to come ahead (a PROXY header) did not, or not in time.
    case badPreface = "bad_preface"
    /// Its listener had `max_connections`.
    case listenerFull = "listener_full"
    /// Its listener turns everybody away: the local instance is down, or the node drains.
    case turnedAway = "turned_away"
    /// A reload has taken its upstream, or that upstream's TLS, before it was connected.
    case upstreamChanged = "upstream_changed"
    /// No memory was left to hold its bytes.
    case outOfMemory = "out_of_memory"
    /// This process ended before it did.
    case shutdown
}

package struct ConnectionRecord: Sendable {
    package var end: ConnectionEnd
    package var listener: UInt32
    /// Of the listener's number; see ``ListenerPlace``.
    var listenerTenancy: UInt64
    package var upstream: UInt32
    /// Of the endpoint it was placed on last; meaningful with ``attempts``.
    var cell: LoadCells.Index = 0
    /// Of the cell, at the placement.
    var tenancy: UInt64 = 0
    /// Placements; more than one where endpoints did not accept. One whose connect had to be put off, as this process was
    /// short of descriptors or a unix socket's queue was full, is one however often it was tried again. Zero: it never got
    /// as far as that.
    package var attempts: UInt8 = 0
    /// Nil for a unix socket's, and where the kernel would not say.
    package var client: SocketAddress?
    /// The name that the client asked for by TLS, terminated or passed through, where the listener has seen it.
    package var serverName: String?
    /// The first name in the client's certificate, which was verified; at most ``longestIdentity`` bytes.
    package var identity: SubjectName?
    /// Bytes of the client's stream, decrypted where TLS ends here, and with what was read ahead.
    package var received: UInt64 = 0
    package var sent: UInt64 = 0
    package var accepted: Instant
    package var ended: Instant
    /// When it was placed on the endpoint it was placed on last.
    package var placed: Instant?
    /// When that endpoint had accepted, and TLS with it was established where there is any.
    package var connected: Instant?
    /// From the client's first byte, or the connect where that is later, to the endpoint's first one.
    package var firstByte: Duration?
    /// What went wrong on the socket, or with the last attempt to connect; nil where nothing did or ``fault`` says it.
    package var error: SystemError?
    /// The same of TLS.
    package var fault: PipeFault?
    /// Why the endpoint was given up.
    package var cause = FateCause.none

    package static let longestIdentity = 512
}

/// A record, with the names of those it speaks of.
package struct NamedRecord: Sendable {
    package var record: ConnectionRecord
    /// Nil for one whose number has gone from hand to hand since.
    package var listener: String?
    package var upstream: String
    /// Nil where the connection was never placed on any, and for one whose load cell has gone from hand to hand since.
    package var endpoint: EndpointIdentity?
}

// MARK: - Words for it

extension ConnectionRecord {
    /// Why it ended so, where there is more to say than ``end``.
    package var reason: String? {
        switch end {
        case .clean, .idleTimeout, .aged, .expired, .noEndpoint, .listenerFull, .turnedAway, .upstreamChanged,
            .outOfMemory, .shutdown:
            nil
        case .clientAbort, .endpointAbort, .connectFailed, .handshakeFailed: fault?.description ?? error?.description
        case .badPreface:
            error == .timedOut ? "no PROXY header came in time" : "no valid PROXY header came first"
        case .drained, .reset: causeText
        }
    }

    private var causeText: String? {
        switch cause {
        case .none: nil
        case .suspect: "its member is suspect"
        case .dead: "its member is dead"
        case .left: "its member has left"
        case .unlisted: "its endpoint is listed no more"
        }
    }
}
