// The last that is known of a member's load, and which of two reports stays.
//
// A join of a semilattice: associative, commutative, idempotent. So the same reports in any order, and each as often as
// it likes, end in the same state everywhere, whatever was lost on the way (Shapiro et al., SSS 2011).

import GossipWire
import Vocabulary

/// One report as it is kept: its age has become a moment on this node's clock.
struct HeldReport: Hashable, Sendable {
    var version: LoadVersion
    /// In the order of the services' names.
    var services: [ServiceLoad]
    /// When it was measured. Later than the truth by the time that messages were under way, which nobody can know
    /// without comparing clocks.
    var measured: Instant
    /// When this node came to know it.
    let learned: Instant

    init(_ report: LoadReport, at now: Instant) {
        (version, services) = (report.version, report.services)
        (measured, learned) = (now + (.zero - report.age.duration), now)
    }

    func age(at now: Instant) -> Duration { max(.zero, now - measured) }

    /// Whether it is too old to be anybody's load. In plain integers: this is asked of every report in every datagram.
    func isForgotten(at now: Instant) -> Bool {
        now.nanoseconds.subtractingSaturating(measured.nanoseconds) > HeldReport.oldest
    }

    private static let oldest = ReportAge.oldest.wholeNanoseconds

    /// Takes what the other one knows better.
    ///
    /// The later version wins. Two loads of one version are a fault of their member (two processes that think they are
    /// it); the larger in an order without a meaning wins, only so that all choose the same. Of one report that came
    /// twice the greater age stays: the other one was longer under way.
    /// - Returns: whether this is another report now.
    mutating func join(_ other: HeldReport) -> Bool {
        if version == other.version, services == other.services {
            measured = min(measured, other.measured)
            return false
        }
        let isLater =
            version == other.version
            ? services.lexicographicallyPrecedes(other.services) : version < other.version
        if isLater { self = other }
        return isLater
    }
}
