// One TCP stream between two members: a request, at most one answer, the end.
//
//     opened:    connecting → sending → receiving → closed
//     accepted:               receiving → serving → sending → ending → closed
//
// Ending waits for the other side's end: to close over unread bytes would reset the connection, and the answer with it.

import Gossip
import GossipWire
import Reactor
import TLS
import Vocabulary

/// Owned by a driver; its descriptor is closed when it is let go.
final class GossipStream {
    enum Stage {
        case connecting
        case sending
        case receiving
        /// The core has the request.
        case serving
        case ending
    }

    let id: StreamID
    let peer: PeerAddress
    let descriptor: Int32
    let isAnswered: Bool
    /// When it is given up, whatever has come.
    var deadline: Instant
    var stage: Stage
    /// What is written, and how much of it was.
    private var outgoing: [UInt8] = []
    private var sent = 0
    var reader: StreamReader
    /// Bytes that are held for it.
    private(set) var held = 0

    init(
        opened id: StreamID, to peer: PeerAddress, _ descriptor: Int32, request: [UInt8], isAnswered: Bool,
        until deadline: Instant
    ) {
        self.id = id
        self.peer = peer
        self.descriptor = descriptor
        self.isAnswered = isAnswered
        self.deadline = deadline
        stage = .connecting
        outgoing = request
        reader = StreamReader(from: .acceptor)
    }

    init(accepted id: StreamID, from peer: PeerAddress, _ descriptor: Int32, until deadline: Instant) {
        self.id = id
        self.peer = peer
        self.descriptor = descriptor
        isAnswered = true
        self.deadline = deadline
        stage = .receiving
        reader = StreamReader(from: .dialler)
    }

    deinit { Kernel.close(descriptor) }

    /// For a poller; no two streams of one driver have the same.
    var token: UInt64 { UInt64(id.side == .opened ? 2 : 3) << 32 | UInt64(id.number) }

    /// What its next step waits for.
    var interest: Readiness {
        switch stage {
        case .connecting, .sending: .writable
        case .receiving, .ending: .readable
        case .serving: []
        }
    }

    func answer(_ bytes: [UInt8]) {
        outgoing = bytes
        sent = 0
        stage = .sending
    }

    enum Sending { case all, some, failed }

    /// Writes as much as there is room for.
    func send() -> Sending {
        while sent < outgoing.count {
            let outcome = unsafe outgoing.withUnsafeBytes { bytes in
                unsafe Kernel.send(descriptor, UnsafeRawBufferPointer(rebasing: bytes[sent...]), more: false)
            }
            if outcome.wouldBlock { return .some }
            guard outcome.succeeded else { return .failed }
            sent += outcome.count
        }
        outgoing = []
        return .all
    }

    enum Receiving {
        case more
        case whole
        case ended
        case failed
        case refused(LayerFault)
    }

    /// Reads one piece, no larger than `buffer`.
    func receive(into buffer: inout [UInt8], through layers: Layers<AESGCM>) -> Receiving {
        let outcome = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(descriptor, into: $0) }
        if outcome.wouldBlock { return .more }
        guard outcome.succeeded else { return .failed }
        do throws(LayerFault) {
            guard outcome.count > 0 else {
                try reader.finish()
                return .ended
            }
            held += outcome.count
            return try reader.receive(buffer.span.extracting(..<outcome.count), through: layers) ? .whole : .more
        } catch {
            return .refused(error)
        }
    }

    /// What has come and is of no more use.
    func forgetReceived() {
        reader = StreamReader(from: .dialler)
        held = 0
    }
}
