// What a worker keeps of a connection: two halves, two directions, and what the
// timers and the counts need. It holds no buffer, no reference and no snapshot.
//
// The parts lie in slabs of their own and are found by number. A connection has an
// index; its sockets and directions have a `Slot`, twice that index and one more
// for the endpoint's side. A direction bears the slot of its source, so its sink is
// the slot beside it.

import Balancing
import Forwarding
import Upstreams
import Vocabulary

/// A socket of a connection, and the direction that begins there.
struct Slot: Hashable {
    var number: UInt32

    static func client(_ index: UInt32) -> Slot { Slot(number: index << 1) }
    static func server(_ index: UInt32) -> Slot { Slot(number: index << 1 | 1) }

    /// The connection's index.
    var index: UInt32 { number >> 1 }
    var isServer: Bool { number & 1 == 1 }
    /// The connection's other socket.
    var other: Slot { Slot(number: number ^ 1) }
}

/// One of a connection's two sockets.
///
/// What it is made of, its `Flow` tells: bytes of plain halves are received, sent and spliced in one file
/// (`Worker+Forward.swift`), those of halves that speak TLS in another (`Worker+Relay.swift`), through a pipe that lies
/// apart, so that it costs plain halves nothing.
struct Half {
    var descriptor: Int32 = -1
    /// Set anew whenever the descriptor changes, so that an event of an earlier one is known to be stale.
    var epoch: UInt32 = 0
    /// A TCP socket can be reset, and a short read proves it empty.
    var isTCP = false
    var isRegistered = false
    /// The poller reports room to write.
    var reportsWrites = false
    /// It may be without room for as long as its peer answers.
    var isPatient = false
    /// It does not wait to fill segments (TCP_NODELAY).
    var sendsAtOnce = false

    var isOpen: Bool { descriptor >= 0 }
}

/// One direction and where its held bytes are.
struct Lane {
    var flow = Flow(shortReadMeansEmpty: false, canSplice: false)
    var held = HeldChain()
    /// The pipe that is lent to it, or `.max`.
    var pipe: UInt32 = .max
    /// It has used up its share of this turn and waits for the next.
    var isQueued = false
    /// The handshake of the half that it begins at waits for a step.
    var awaitsStep = false
}

struct Connection {
    enum Stage: UInt8 {
        /// The slot is free.
        case none
        /// Reading ahead, before an endpoint can be chosen.
        case preface
        /// The TLS handshake with the client.
        case handshake
        /// It waits for endpoints to say how loaded they are, before one is chosen.
        case probing
        /// Placed on an endpoint that has not answered the connect yet, or about to be, once a client's handshake is over.
        case connecting
        /// The endpoint has accepted, and the TLS handshake with it is under way.
        case securing
        /// The machine, not the endpoint, was short of something; the connect is tried again.
        case deferred
        case established
        /// A stream of TLS was cut off; the abort is passed on when what came before it is delivered.
        case cutOff
    }

    var stage = Stage.none
    var isPlaced = false
    /// Whether it counts as outstanding where it is placed.
    var wait = AnswerWait()
    /// The endpoint is spoken to through TLS; told when it is connected to.
    var isSecured = false
    /// The endpoint has sent its first byte.
    var isAnswered = false
    /// A client byte has been given to the endpoint.
    var hasAsked = false
    /// The endpoint's socket notices when its peer falls silent.
    var watchesPeers = false
    /// It is to be closed when it comes to rest, if its endpoint's fate still says so.
    var isLeaving = false
    /// Nothing more has to come before an endpoint is chosen; some bytes are only waited for to be looked at.
    var isPeeking = false
    /// It counts as outstanding for as long as it is open.
    var isPassThrough = false
    /// It has waited for answers to probes, and will not again.
    var hasProbed = false
    /// What becomes of it goes to the access log.
    var isRecorded = false
    /// Of those that it waits for, how many are still to come.
    var answersAwaited: UInt8 = 0

    var listener: UInt32 = 0
    var upstream: UInt32 = 0
    /// The load cell of the endpoint it is placed on; meaningful from the placement on.
    var cell: UInt32 = 0
    /// The hash of what policies that hash know it by; nil where there is nothing.
    var key: UInt64?
    /// When it is old; nil where it never is.
    var age: ConnectionAge?
    /// In its first stage: when reading ahead ends.
    var readsAheadUntil = Instant(nanoseconds: 0)

    /// When a byte last moved in either direction.
    var lastActive = Instant(nanoseconds: 0)
    /// When it was accepted.
    var began = Instant(nanoseconds: 0)
    /// When it was placed on the endpoint it is on.
    var placed = Instant(nanoseconds: 0)
    /// When the answer began to be waited for: connected, or given the first byte to send.
    var asked = Instant(nanoseconds: 0)
    /// The version of the set by which it was placed: fates that had turned by then do not concern it.
    var placedBy: UInt64 = 0

    /// Of the client's stream, as its listener counts them.
    var receivedBytes: UInt64 = 0
    var sentBytes: UInt64 = 0

    var tried = TriedEndpoints()
}
