import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Network coordinates")
struct VivaldiTests {
    private static func at(_ x: Double, error: Double = 1.5, height: Double = 1e-5) -> SerfCoordinate {
        var coordinate = SerfCoordinate.initial
        coordinate.vector[0] = x
        coordinate.error = error
        coordinate.height = height
        return coordinate
    }

    @Test("The distance is the vectors' plus both heights, plus the adjustments unless nothing is left")
    func distance() {
        var a = Self.at(0, height: 0.01)
        var b = Self.at(0.3, height: 0.02)
        b.vector[1] = 0.4
        #expect(abs(a.roundTripSeconds(to: b) - 0.53) < 1e-12)
        (a.adjustment, b.adjustment) = (-0.1, -0.2)
        #expect(abs(a.roundTripSeconds(to: b) - 0.23) < 1e-12)
        a.adjustment = -0.5
        #expect(abs(a.roundTripSeconds(to: b) - 0.53) < 1e-12)
        #expect(a.roundTrip(to: b).inSeconds > 0.529)
    }

    @Test("One sample moves by Vivaldi's rule")
    func oneStep() {
        var vivaldi = Vivaldi(random: SeededRandom(seed: 1))
        #expect(vivaldi.take(.milliseconds(100), to: 1, at: Self.at(0.05)) == true)
        // Both errors are 1.5: half of the trust. The estimate is 0.05 and both heights.
        let estimate = 0.05 + 2e-5
        let force = 0.25 * 0.5 * (0.1 - estimate)
        let wrongness = (0.1 - estimate) / 0.1
        let error = wrongness * 0.125 + 1.5 * 0.875
        #expect(abs(vivaldi.coordinate.error - error) < 1e-12)
        #expect(abs(vivaldi.coordinate.vector[0] + force) < 1e-8)
        #expect(abs(vivaldi.coordinate.height - (2e-5 * force / 0.05 + 1e-5)) < 1e-9)
        let rest = 0.1 - Self.at(-force, height: vivaldi.coordinate.height).unadjustedSeconds(to: Self.at(0.05))
        #expect(abs(vivaldi.coordinate.adjustment - rest / 40) < 1e-8)
    }

    @Test("A sample is the median of a peer's last three")
    func median() {
        var vivaldi = Vivaldi(random: SeededRandom(seed: 1))
        let theirs = Self.at(0.05)
        for _ in 0..<3 { _ = vivaldi.take(.milliseconds(50), to: 1, at: theirs) }
        let before = vivaldi.coordinate
        // One outlier of three is none.
        _ = vivaldi.take(.seconds(9), to: 1, at: theirs)
        #expect((vivaldi.coordinate.vector - before.vector)[0].magnitude < 0.001)
        // Of another peer it is one, and of the same peer after it was forgotten.
        for peer in [2, 1] as [UInt32] {
            vivaldi.forget(1)
            let before = vivaldi.coordinate
            _ = vivaldi.take(.seconds(9), to: peer, at: theirs)
            #expect((vivaldi.coordinate.vector - before.vector)[0].magnitude > 0.1)
        }
    }

    @Test("The adjustment is half the mean of the last twenty errors")
    func adjustment() {
        var vivaldi = Vivaldi(random: SeededRandom(seed: 1))
        var errors: [Double] = []
        for step in 0..<50 {
            let theirs = Self.at(0.02 + Double(step % 7) * 0.01)
            _ = vivaldi.take(.milliseconds(40), to: UInt32(step), at: theirs)
            // Gravity's pull, far below a microsecond here, comes after the sample.
            errors.append(0.04 - vivaldi.coordinate.unadjustedSeconds(to: theirs))
        }
        let mean = errors.suffix(20).reduce(0, +) / 20
        #expect(abs(vivaldi.coordinate.adjustment - mean / 2) < 1e-6)
    }

    @Test("Gravity pulls back who is far out")
    func gravity() {
        var far = Vivaldi(random: SeededRandom(seed: 1))
        for _ in 0..<400 { _ = far.take(.seconds(10), to: 1, at: Self.at(-900, error: 0)) }
        // That peer's spring alone would hold us at 890.
        #expect(far.coordinate.vector[0] < -600 && far.coordinate.vector[0] > -800)
    }

    @Test("Two at one place part, in a direction drawn by the seed", arguments: seeds)
    func samePlace(seed: UInt64) {
        var one = Vivaldi(random: SeededRandom(seed: seed))
        var same = Vivaldi(random: SeededRandom(seed: seed))
        var other = Vivaldi(random: SeededRandom(seed: seed + 100))
        #expect(one.take(.milliseconds(80), to: 1, at: .initial) == true)
        #expect(same.take(.milliseconds(80), to: 1, at: .initial) == true)
        #expect(other.take(.milliseconds(80), to: 1, at: .initial) == true)
        #expect(one.coordinate == same.coordinate && one.coordinate != other.coordinate)
        #expect(one.coordinate.vector != .zero)
    }

    @Test("What cannot be changes nothing")
    func implausible() {
        var vivaldi = Vivaldi(random: SeededRandom(seed: 1))
        _ = vivaldi.take(.milliseconds(80), to: 1, at: Self.at(0.05))
        let before = vivaldi.coordinate
        var bad: [SerfCoordinate] = []
        for value in [Double.nan, .infinity, -.infinity, 1e300, -1001] {
            bad.append(Self.at(value))
            bad.append(Self.at(0, error: value))
            bad.append(Self.at(0, height: value))
            var adjusted = SerfCoordinate.initial
            adjusted.adjustment = value
            bad.append(adjusted)
        }
        bad.append(Self.at(0, error: -0.1))
        bad.append(Self.at(0, height: -0.1))
        for coordinate in bad { #expect(vivaldi.take(.milliseconds(10), to: 1, at: coordinate) == false) }
        for roundTrip in [Duration.seconds(-1), .nanoseconds(-1), .seconds(10) + .nanoseconds(1), .seconds(1 << 40)] {
            #expect(vivaldi.take(roundTrip, to: 1, at: .initial) == false)
        }
        #expect(vivaldi.coordinate == before)
        for roundTrip in [Duration.seconds(10), .zero] { #expect(vivaldi.take(roundTrip, to: 2, at: .initial) == true) }
    }

    @Test("Whatever plausible peers say, the coordinate stays one", arguments: seeds)
    func limits(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var vivaldi = Vivaldi(random: random)
        for _ in 0..<5000 {
            var theirs = SerfCoordinate.initial
            for index in 0..<8 { theirs.vector[index] = .random(in: -1000...1000, using: &random) }
            theirs.error = .random(in: 0...1000, using: &random)
            theirs.height = .random(in: 0...1000, using: &random)
            theirs.adjustment = .random(in: -1000...1000, using: &random)
            let roundTrip = Duration.milliseconds(Int(random.below(10_000)))
            let peer = random.below(9)
            #expect(vivaldi.take(roundTrip, to: peer, at: theirs) == true)
            #expect(vivaldi.coordinate.isPlausible)
            #expect(vivaldi.coordinate.error <= 1.5 && vivaldi.coordinate.height >= 1e-5)
        }
    }

    @Test("On a map of latencies estimates come near the truth", arguments: seeds)
    func convergence(seed: UInt64) {
        // Given forty members in a square of 100 ms, each with its own last mile
        var random = SeededRandom(seed: seed)
        let count = 40
        let places = (0..<count).map { _ in
            (
                x: Double.random(in: 0...0.1, using: &random), y: Double.random(in: 0...0.1, using: &random),
                mile: Double.random(in: 0.0005...0.005, using: &random)
            )
        }
        func truth(_ a: Int, _ b: Int) -> Double {
            let (dx, dy) = (places[a].x - places[b].x, places[a].y - places[b].y)
            return (dx * dx + dy * dy).squareRoot() + places[a].mile + places[b].mile
        }
        var members = (0..<count).map { Vivaldi(random: SeededRandom(seed: seed &* 1000 + UInt64($0))) }
        func medianError() -> Double {
            var errors: [Double] = []
            for a in 0..<count {
                for b in 0..<a {
                    let estimate = members[a].coordinate.roundTripSeconds(to: members[b].coordinate)
                    errors.append(abs(estimate - truth(a, b)) / truth(a, b))
                }
            }
            return errors.sorted()[errors.count / 2]
        }
        let before = medianError()
        // When each has probed as often as in ten minutes, one in fifty samples ten times too slow
        for _ in 0..<600 {
            for a in 0..<count {
                let b = (a + 1 + Int(random.below(UInt32(count - 1)))) % count
                let isSlow = random.below(50) == 0
                let roundTrip = truth(a, b) * Double.random(in: 1...1.1, using: &random) * (isSlow ? 10 : 1)
                _ = members[a].take(.seconds(roundTrip), to: UInt32(b), at: members[b].coordinate)
            }
        }
        // Then half of all estimates are within a sixth of the truth
        #expect(before > 0.9)
        #expect(medianError() < 1.0 / 6)
        #expect(members.allSatisfy { $0.coordinate.error < 0.5 })
    }
}
