// How long a connection lives: `max_connection_age`.
//
// A fleet that grows or changes is of no use to connections that never end: they stay where they were placed. So a
// connection that has come of age is closed at the first moment in which nobody waits for anything, the moment in which
// a drain closes one, and the client's next one is placed anew. The age is a tenth more or less, drawn for each, so that
// connections which began together (after a restart, say) do not come back together.
//
// A connection that has no such moment is aborted when it is twice as old: whoever asks for an age wants to be able to
// count on one. That is gRPC's grace, of the age's own length, and later than Envoy and HAProxy, which cut at the age
// itself. One that has half ended is left to end by itself until then.
//
// It costs a timer's deadline, which every connection has anyway, and nothing for a byte.

import Forwarding
import Reactor
import Vocabulary

/// When a connection is old.
struct ConnectionAge {
    /// From here on it is closed when it comes to rest…
    var retires: Instant
    /// …and here it ends, whatever it does.
    var expires: Instant

    /// The most that a draw changes an age by, as a part of it.
    static let jitterParts: Int64 = 10

    /// - Parameter limit: the age that was asked for, more than zero.
    init(of began: Instant, limit: Duration, random: inout SeededRandom) {
        let age = limit.wholeNanoseconds
        let most = age / ConnectionAge.jitterParts
        // 0 to twice the most, evenly.
        let drawn = random.next().multipliedFullWidth(by: UInt64(2 * most + 1)).high
        let jittered = Duration.nanoseconds(age - most + Int64(drawn))
        retires = began + jittered
        expires = retires + jittered
    }
}

extension Worker {
    /// Sees to it that a connection just established is looked at when it is old.
    mutating func beginAging(_ index: UInt32) {
        let limit = upstreams.maxConnectionAge(of: Int(connections[index].upstream))
        guard limit > .zero else { return }
        let age = ConnectionAge(of: connections[index].began, limit: limit, random: &random)
        connections[index].age = age
        let due = Tick(notBefore: age.retires)
        if let deadline = timers.deadline(of: index), deadline <= due { return }
        timers.schedule(index, at: due)
    }

    /// Has an old connection leave, or ends one that has had its time for that.
    /// - Returns: whether it is gone.
    mutating func reviewAge(_ index: UInt32) -> Bool {
        guard let age = connections[index].age, now >= age.retires else { return false }
        if now >= age.expires {
            count(.resetTotal, cell: connections[index].cell)
            abort(index, as: .expired)
            return true
        }
        if !lanes[.client(index)].flow.hasEnded, !lanes[.server(index)].flow.hasEnded {
            connections[index].isLeaving = true
        }
        return false
    }

    /// Whether a connection is to leave for its age.
    func isOld(_ index: UInt32) -> Bool { connections[index].age.map { now >= $0.retires } ?? false }

    /// When its age next matters; nil where it never does.
    func nextBirthday(_ index: UInt32) -> Instant? {
        connections[index].age.map { now < $0.retires ? $0.retires : $0.expires }
    }
}
