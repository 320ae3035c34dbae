// What is believed of one member: gossip says whether it is there, intents say whether it means to be (serf-layer §4).
//
// The table, as one value with three inputs. A member's intents are ordered by their Lamport times alone; gossip has no
// time in it and is taken as it comes.

package import GossipWire

/// A member's status and the time of the last intent that was accepted about it.
package struct Standing: Hashable, Sendable {
    package enum Status: UInt8, Sendable, CaseIterable {
        case alive = 1
        case leaving, left, failed

        /// Whether gossip sees it.
        package var isPresent: Bool { self <= .leaving }
    }

    package private(set) var status: Status
    package private(set) var time: LamportTime

    package init(_ status: Status = .alive, at time: LamportTime = LamportTime(0)) {
        self.status = status
        self.time = time
    }

    /// Gossip sees it again.
    package mutating func appear() { status = .alive }

    /// Gossip sees it no more. Whether it left or died is not asked: only an intent makes a leave of it.
    package mutating func disappear() {
        switch status {
        case .alive: status = .failed
        case .leaving: status = .left
        case .left, .failed: break
        }
    }

    /// It says, or an operator does, that it goes.
    /// - Returns: whether that is news, and to be told on; an intent at our time or before is not.
    package mutating func takeLeave(at leaving: LamportTime) -> Bool {
        guard leaving > time else { return false }
        time = leaving
        switch status {
        case .alive: status = .leaving
        case .failed: status = .left
        case .leaving, .left: break
        }
        return true
    }

    /// A peer has it as left since this time. At our own time too: an agent tells the time of a leave that is under way as
    /// though it were a join's, and who took it for one would hear no leave of that time any more.
    /// - Returns: whether that is news.
    package mutating func takeReportedLeave(at leaving: LamportTime) -> Bool {
        guard leaving == time else { return takeLeave(at: leaving) }
        switch status {
        case .alive: status = .leaving
        case .failed: status = .left
        case .leaving, .left: return false
        }
        return true
    }

    /// It says that it is here to stay.
    /// - Returns: whether that is news, and to be told on.
    package mutating func takeJoin(at joining: LamportTime) -> Bool {
        guard joining > time else { return false }
        time = joining
        if status == .leaving { status = .alive }
        return true
    }
}

extension Standing.Status: Comparable {
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

extension Standing.Status: CustomStringConvertible {
    /// As `serf members` shows it.
    package var description: String {
        switch self {
        case .alive: "alive"
        case .leaving: "leaving"
        case .left: "left"
        case .failed: "failed"
        }
    }
}
