// Endpoints that serve one connection at a time, and balancers that send them Poisson's arrivals: the model that the
// theory of balancing is about.
//
// An endpoint's queue is served in order, so a connection's end is known as soon as it is placed: when the endpoint is
// free next, and the service drawn for it. Ends lie in a heap; the lengths of queues are read by whoever chooses.
//
// Times are in mean service times of a usual endpoint. Everybody's queue is empty at first, and what is measured begins
// after a warm-up: starting from what theory predicts would make it come true for a while.

import Glibc
import Vocabulary

package struct QueueingOptions: Sendable {
    /// 1 to 16,384.
    package var endpoints: Int
    /// Which of them sees an arrival is drawn evenly; 1 to 1,024.
    package var balancers = 1
    /// Arrivals as a share of what all endpoints can serve; above 0.
    package var load: Double
    /// Of the endpoints, the first ones, serve at half speed; 0...1.
    package var slowShare = 0.0
    /// Arrivals that are measured, and a third as many before.
    package var jobs: Int
    package var seed: UInt64

    package init(endpoints: Int, load: Double, jobs: Int, seed: UInt64) {
        (self.endpoints, self.load, self.jobs, self.seed) = (endpoints, load, jobs, seed)
    }

    /// How many endpoints are slow.
    var slow: Int { Int((Double(endpoints) * slowShare).rounded()) }
    /// What all endpoints serve in a mean service time.
    var capacity: Double { Double(endpoints) - Double(slow) / 2 }
}

/// What came of it.
package struct QueueingOutcome: Sendable {
    /// The mean time in system in each tenth of the arrivals measured: waiting and service.
    package fileprivate(set) var means: [Double] = []
    /// The share of endpoints with i connections or more, by i, as arrivals find them.
    package fileprivate(set) var tails: [Double] = []
    /// What 99 % of the times in system do not exceed; to a sixteenth.
    package fileprivate(set) var p99 = 0.0

    package var mean: Double { means.reduce(0, +) / Double(means.count) }
}

/// Chooses endpoints, and is told what becomes of what was placed.
protocol Chooser: ~Copyable {
    /// - Parameters:
    ///   - now: in ticks; never before an earlier one.
    ///   - lengths: the true length of every endpoint's queue.
    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int
    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64)
    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64)
}

struct QueueingWorld {
    private let options: QueueingOptions
    private var random: SeededRandom
    private var lengths: [Int32]
    /// When each endpoint will have served all that it was given, in ticks.
    private var freeAt: [Int64]
    private var departures = DepartureHeap()
    /// Times in system by sixteenths of a service time; longer ones in the last.
    private var histogram = [Int](repeating: 0, count: 1 << 14)
    private var lengthCounts = [Int](repeating: 0, count: 1 << 10)

    init(_ options: QueueingOptions) {
        precondition((1...Departure.endpointLimit).contains(options.endpoints))
        precondition((1...Departure.balancerLimit).contains(options.balancers))
        self.options = options
        random = SeededRandom(seed: options.seed)
        lengths = [Int32](repeating: 0, count: options.endpoints)
        freeAt = [Int64](repeating: 0, count: options.endpoints)
    }

    /// Lives through all arrivals; to be called once.
    mutating func run<C: Chooser & ~Copyable>(_ chooser: inout C) -> QueueingOutcome {
        let batches = 10
        let gap = Departure.ticks / (options.load * options.capacity)
        let slow = options.slow
        var outcome = QueueingOutcome()
        // In fractions of a tick: arrivals are a few dozen ticks apart, and rounding each gap would add to the load.
        var clock = 0.0
        for batch in 0...batches {
            let isWarmUp = batch == 0
            let arrivals = max(isWarmUp ? options.jobs / 3 : options.jobs / batches, 1)
            var sum: Int64 = 0
            for _ in 0..<arrivals {
                clock += random.exponential() * gap
                let now = Int64(clock)
                while departures.nextTime <= now {
                    let departure = departures.removeFirst()
                    lengths[departure.endpoint] -= 1
                    chooser.ended(on: departure.endpoint, of: departure.balancer, at: departure.time)
                }
                if !isWarmUp { look() }
                let balancer = options.balancers == 1 ? 0 : Int(random.below(UInt32(options.balancers)))
                let endpoint = chooser.choose(for: balancer, at: now, among: lengths, &random)
                let service = Int64(random.exponential() * Departure.ticks) << (endpoint < slow ? 1 : 0)
                let end = max(now, freeAt[endpoint]) + service
                freeAt[endpoint] = end
                lengths[endpoint] += 1
                chooser.placed(on: endpoint, by: balancer, at: now)
                departures.insert(Departure(at: end, from: endpoint, of: balancer))
                sum += end - now
                if !isWarmUp { histogram[min(Int(end - now) >> 12, histogram.count - 1)] += 1 }
            }
            if !isWarmUp { outcome.means.append(Double(sum) / Double(arrivals) / Departure.ticks) }
        }
        outcome.tails = tails()
        outcome.p99 = percentile(0.99)
        return outcome
    }

    /// Poisson's arrivals find what is there on average over time; one endpoint of each look is enough.
    private mutating func look() {
        let endpoint = Int(random.below(UInt32(options.endpoints)))
        lengthCounts[min(Int(lengths[endpoint]), lengthCounts.count - 1)] += 1
    }

    private func tails() -> [Double] {
        let total = lengthCounts.reduce(0, +)
        var rest = total
        var tails: [Double] = []
        for count in lengthCounts where rest > 0 {
            tails.append(Double(rest) / Double(total))
            rest -= count
        }
        return tails
    }

    private func percentile(_ fraction: Double) -> Double {
        var rest = Double(histogram.reduce(0, +)) * fraction
        for (place, count) in histogram.enumerated() {
            rest -= Double(count)
            if rest <= 0 { return Double(place + 1) / 16 }
        }
        return Double(histogram.count) / 16
    }
}

/// One endpoint alone, by Lindley's recursion: a connection waits for as long as the one before it did, and for its
/// service, less the time between the two. Where nobody looks at anybody's load the endpoints know nothing of each
/// other, and at high load they take too long to settle for all of them to be simulated side by side.
enum SingleQueues {
    /// The mean time in system of each of some endpoints, after a warm-up of a third as many arrivals.
    static func means(endpoints: Int, load: Double, jobs: Int, random: inout SeededRandom) -> [Double] {
        let each = max(jobs / endpoints, 1)
        return (0..<endpoints).map { _ in
            var (wait, sum) = (0.0, 0.0)
            for arrival in 0..<(each / 3 + each) {
                let service = random.exponential()
                if arrival >= each / 3 { sum += wait + service }
                wait = max(wait + service - random.exponential() / load, 0)
            }
            return sum / Double(each)
        }
    }
}

extension SeededRandom {
    /// From the exponential distribution with mean 1; above 0, at most 37.5.
    mutating func exponential() -> Double { -log((Double(next() &>> 11) + 0.5) * 0x1p-53) }
}
