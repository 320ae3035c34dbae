// What must hold whatever happens, by name.

import Vocabulary

/// Something that no sequence of losses, cuts, pauses and crashes may bring about.
package enum Invariant: String, Hashable, Sendable, CaseIterable {
    /// A core's own incarnation never falls while it lives.
    case ownIncarnationFalls
    /// A running core never sees itself as anything but alive, unless it leaves.
    case seesItselfGone
    /// A member's incarnation in a view never falls while it is listed.
    case viewedIncarnationFalls
    /// At one incarnation a member's state in a view never goes back: alive, suspect, dead, left.
    case viewedStateGoesBack
    /// One accusation or announcement is sent at most `retransmitMultiplier` × ⌈log₁₀(n + 1)⌉ times per core
    /// (memberlist-behaviour §5), not counting the member that it is about; anew once that was forgotten.
    case sentTooOften
    /// A datagram is no longer than the packet budget.
    case datagramTooLong
    /// A datagram has at least one message.
    case datagramEmpty
    /// Nothing is sent to its sender.
    case sentToItself
    /// Nothing is sent to where no node ever was.
    case sentToNobody
    /// After a wake nothing is due any more.
    case stillDue
    /// A core that is woken before its time does nothing.
    case speaksUnasked
    /// A core answers only streams that it accepted and has not closed, and opens each number once, with a deadline to
    /// come.
    case streamMisused
    /// Where the options forbid it: a member that was never disturbed is suspected.
    case falseSuspicion
    /// Where the options forbid it: a member that was never disturbed is declared dead.
    case falseDeath
    /// At the end, where it is asked for: all that run see all that run, alive and at the incarnation that they have,
    /// and nobody else.
    case viewsDiffer
    /// A core that was never paused takes nothing for a stall of its own.
    case imaginesStall
    /// What went through bytes came out otherwise, or not at all.
    case bytesDiffer
}

/// An invariant that did not hold: a value, to be thrown or shown.
package struct Violation: Error, Sendable, CustomStringConvertible {
    package let invariant: Invariant
    package let seed: UInt64
    /// Of the world.
    package let time: Duration
    package let node: Int
    package let detail: String
    /// The line of the log at which it happened; nil where none is recorded.
    package let line: Int?
    package let nodes: Int

    init(_ breach: InvariantMonitor.Breach, node: Int, time: Int64, line: Int?, of options: WorldOptions) {
        (invariant, detail) = (breach.invariant, breach.detail)
        (seed, nodes) = (options.seed, options.nodes)
        (self.node, self.time, self.line) = (node, .nanoseconds(time), line)
    }

    /// What shows it again, once ``World/log`` was written to that file.
    package var replayCommand: String { "remora simulate membership --replay world-\(seed).log" }

    package var description: String {
        let place = line.map { ", line \($0) of the log" } ?? ""
        return "\(invariant.rawValue) at \(time.inSeconds) s, n\(node) of \(nodes), seed \(seed)\(place): \(detail)\n"
            + "replay: \(replayCommand)"
    }
}
