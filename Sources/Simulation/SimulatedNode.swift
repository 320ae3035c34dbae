// A machine of the world: a core, a clock, and the sockets' buffers.

import Gossip
import Vocabulary

struct SimulatedNode {
    var inhabitant: Inhabitant
    let clock: NodeClock
    /// The core's answer after its last input: it changes by nothing else.
    var nextWake = Instant(nanoseconds: .max)
    /// The world's time of the pending wake; the end of time for none.
    var wakeAt = Int64.max
    var isPaused = false
    /// Pauses so far: tells the end of one from the end of a later one.
    var pauses: UInt32 = 0
    /// It crashed, was paused or cut off, or left, since the start or since the world forgave all.
    var wasDisturbed = false
    /// What waits while it is paused, in order of arrival.
    var inbox: [Waiting] = []
    var waitingDatagrams = 0
    /// The number of the next stream that it accepts.
    var nextAccepted: UInt32 = 0
    /// Streams of this life, by the core's numbers; few at a time.
    var opened: [StreamPlace] = []
    var accepted: [StreamPlace] = []

    struct Waiting {
        let kind: Event.Kind
        let payload: UInt32
    }

    struct StreamPlace {
        let number: UInt32
        let slot: UInt32
    }

    init(_ core: Membership, _ clock: NodeClock) {
        inhabitant = Inhabitant(core: core)
        self.clock = clock
    }

    var isRunning: Bool { inhabitant.isRunning }
    var hasLeft: Bool { inhabitant.hasLeft }
    /// It runs and is not paused.
    var isAwake: Bool { inhabitant.isRunning && !isPaused }

    /// All but the machine is new.
    mutating func begin() {
        isPaused = false
        nextAccepted = 0
    }
}

/// A datagram under way.
struct FlyingDatagram {
    let messages: [Message]
    let number: UInt64
    let from: Int
    /// Copies that have not arrived yet.
    var copies: Int
}

/// A stream from its first packet until both ends have closed and nothing of it is under way.
struct FlyingStream {
    let opener: Int
    let openedNumber: UInt32
    let acceptor: Int
    var acceptorLife = 0
    var acceptedNumber: UInt32 = 0
    let isAnswered: Bool
    /// What is under way, and its number.
    var message: StreamMessage?
    var messageNumber: UInt64
    /// The opener waits for the outcome, in the life in which it opened.
    var isOpen = true
    /// The acceptor may answer.
    var isAccepted = false
    /// Events of it that are still to come or wait in an inbox.
    var legs = 0

    var isOver: Bool { legs == 0 && !isAccepted }
}
