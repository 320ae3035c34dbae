// Where we are in the space of round trips, learnt from probes (Dabek, Cox, Kaashoek, Morris: Vivaldi, SIGCOMM 2004).
//
// Each measured round trip is a spring between two members; we move a little along it, the more the less we trust our
// place and the more our peer trusts its own. What Serf adds: the median of three samples instead of each (Ledlie et
// al., NSDI 2007 §4.1), an offset for what no Euclidean space can show (Lee et al. 2006), and a weak pull to the
// origin that keeps the whole fleet from drifting. All constants are Serf's: members that moved otherwise would spoil
// the others' estimates.

package import GossipWire
package import Vocabulary

/// Our coordinate, and the last samples of each peer.
package struct Vivaldi: Sendable {
    /// The coordinate's error is never more: no trust at all.
    package static let greatestError = 1.5
    /// How quickly the error follows, and the place (Vivaldi §4.3).
    package static let errorGain = 0.25
    package static let placeGain = 0.25
    /// Samples of the adjustment.
    package static let adjustmentWindow = 20
    package static let leastHeight = 1e-5
    /// A peer's samples of which the median is taken.
    package static let samplesPerPeer = 3
    /// At this many seconds from the origin the pull to it is a second for each sample.
    package static let gravity = 150.0
    /// Longer round trips are no round trips.
    package static let longestRoundTrip: Duration = .seconds(10)
    /// No honest coordinate has a part beyond this many seconds; one that does would throw us out of the space.
    static let farthest = 1000.0
    /// Seconds below which distances and errors count as none.
    private static let tiny = 1e-6

    package private(set) var coordinate = SerfCoordinate.initial
    private var adjustments = [Double](repeating: 0, count: Vivaldi.adjustmentWindow)
    private var nextAdjustment = 0
    /// Looked up, never walked.
    private var samples: [Key: Samples] = [:]
    private var random: SeededRandom

    /// Who was measured.
    package typealias Key = UInt32

    /// - Parameter random: for the direction in which two members at one place part.
    package init(random: SeededRandom) { self.random = random }

    /// Takes a round trip to a peer that says it is at `theirs`.
    /// - Returns: false, and nothing has changed, where either cannot be.
    package mutating func take(_ roundTrip: Duration, to peer: Key, at theirs: SerfCoordinate) -> Bool {
        guard theirs.isPlausible, roundTrip >= .zero, roundTrip <= Vivaldi.longestRoundTrip else { return false }
        let seconds = max(median(with: roundTrip.inSeconds, of: peer), Vivaldi.tiny)
        pull(by: seconds, towards: theirs)
        adjust(to: seconds, from: theirs)
        let fromOrigin = SerfCoordinate.initial.roundTripSeconds(to: coordinate) / Vivaldi.gravity
        push(by: -fromOrigin * fromOrigin, awayFrom: .initial)
        if !coordinate.isPlausible {
            coordinate = .initial
            adjustments = [Double](repeating: 0, count: Vivaldi.adjustmentWindow)
        }
        return true
    }

    /// A peer's samples say nothing of who comes after it.
    package mutating func forget(_ peer: Key) { samples[peer] = nil }

    // MARK: One step

    private mutating func median(with sample: Double, of peer: Key) -> Double {
        samples[peer, default: Samples()].add(sample)
        return samples[peer]?.median ?? sample
    }

    /// Vivaldi's own rule (§4.3, figure 3).
    private mutating func pull(by seconds: Double, towards theirs: SerfCoordinate) {
        let estimated = coordinate.roundTripSeconds(to: theirs)
        let wrongness = abs(estimated - seconds) / seconds
        let trust = coordinate.error / max(coordinate.error + theirs.error, Vivaldi.tiny)
        let gain = Vivaldi.errorGain * trust
        coordinate.error = min(wrongness * gain + coordinate.error * (1 - gain), Vivaldi.greatestError)
        push(by: Vivaldi.placeGain * trust * (seconds - estimated), awayFrom: theirs)
    }

    /// Half the mean of how much the last estimates were too short: each end adds its half.
    private mutating func adjust(to seconds: Double, from theirs: SerfCoordinate) {
        adjustments[nextAdjustment] = seconds - coordinate.unadjustedSeconds(to: theirs)
        nextAdjustment = (nextAdjustment + 1) % Vivaldi.adjustmentWindow
        coordinate.adjustment = adjustments.reduce(0, +) / Double(2 * Vivaldi.adjustmentWindow)
    }

    /// Moves by so many seconds away from a place; negative moves towards it.
    private mutating func push(by seconds: Double, awayFrom place: SerfCoordinate) {
        let difference = coordinate.vector - place.vector
        let distance = difference.length
        guard distance > Vivaldi.tiny else {
            coordinate.vector += randomDirection() * seconds
            return
        }
        coordinate.vector += difference / distance * seconds
        let height = (coordinate.height + place.height) * seconds / distance + coordinate.height
        coordinate.height = max(height, Vivaldi.leastHeight)
    }

    private mutating func randomDirection() -> SIMD8<Double> {
        var direction = SIMD8<Double>.zero
        for index in direction.indices { direction[index] = Double.random(in: -0.5..<0.5, using: &random) }
        let length = direction.length
        return length > Vivaldi.tiny ? direction / length : SIMD8(1, 0, 0, 0, 0, 0, 0, 0)
    }
}

/// The last samples of a peer, in seconds; in place, as an array for each of them would take three times as much.
private struct Samples {
    private var seconds = InlineArray<3, Double>(repeating: 0)
    private var count: UInt8 = 0
    private var next: UInt8 = 0

    mutating func add(_ sample: Double) {
        seconds[Int(next)] = sample
        next = (next + 1) % UInt8(Vivaldi.samplesPerPeer)
        count = min(count + 1, UInt8(Vivaldi.samplesPerPeer))
    }

    /// The greater of two.
    var median: Double {
        let (a, b, c) = (seconds[0], seconds[1], seconds[2])
        return switch count {
        case 1: a
        case 2: max(a, b)
        default: max(min(a, b), min(max(a, b), c))
        }
    }
}

extension SerfCoordinate {
    /// The round trip between two members, as far as their coordinates tell.
    package func roundTrip(to other: SerfCoordinate) -> Duration { .seconds(roundTripSeconds(to: other)) }

    /// Of finite numbers near enough to be a place, with an error and a height that can be.
    var isPlausible: Bool {
        vector.indices.allSatisfy { abs(vector[$0]) <= Vivaldi.farthest } && error >= 0 && error <= Vivaldi.farthest
            && abs(adjustment) <= Vivaldi.farthest && height >= 0 && height <= Vivaldi.farthest
    }

    /// The adjustments count unless they make nothing, or less, of a distance.
    func roundTripSeconds(to other: SerfCoordinate) -> Double {
        let plain = unadjustedSeconds(to: other)
        let adjusted = plain + adjustment + other.adjustment
        return adjusted > 0 ? adjusted : plain
    }

    func unadjustedSeconds(to other: SerfCoordinate) -> Double {
        (vector - other.vector).length + height + other.height
    }
}

extension SIMD8<Double> {
    fileprivate var length: Double { (self * self).sum().squareRoot() }
}
