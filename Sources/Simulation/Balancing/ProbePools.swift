// Load that balancers learn by asking: each keeps the last few answers, and asks for more with every connection.
//
// After Prequal (Wydrowski et al., *Load is not what you should balance*, NSDI 2024): answers come too late for the
// connection that asked and serve the next; an answer is used a few times at most, each use counting as one more on
// that endpoint, and not for long. Where hardly any is left, the connection waits for two fresh ones: synchronous
// probing, a round trip that is short against a service. Prequal's rule of hot and cold, which weighs latency against
// outstanding requests, was not taken: here the queue is all that there is to latency.

import Vocabulary

struct ProbePoolOptions: Sendable {
    /// Answers that a balancer keeps; the oldest goes first.
    var capacity = 4
    /// Endpoints asked with each connection, distinct.
    var probes = 3
    /// How often one answer may be used.
    var uses = 2
    /// In mean service times.
    var ageLimit = 5.0
}

struct ProbePools: Chooser {
    private struct Answer {
        var endpoint: Int32
        var load: Int32
        var usesLeft: Int32
        var time: Int64
    }

    private let options: ProbePoolOptions
    private let ageLimit: Int64
    /// By balancer; oldest first.
    private var pools: [[Answer]]
    private var asked: [Int32] = []
    private(set) var synchronous = 0
    private(set) var connections = 0

    init(_ options: ProbePoolOptions, balancers: Int) {
        self.options = options
        ageLimit = Int64(options.ageLimit * Departure.ticks)
        pools = [[Answer]](repeating: [], count: balancers)
        for balancer in pools.indices { pools[balancer].reserveCapacity(options.capacity + 1) }
    }

    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int {
        connections += 1
        let oldest = now - ageLimit
        pools[balancer].removeAll { $0.time < oldest || $0.usesLeft == 0 }
        if pools[balancer].count < 2 {
            synchronous += 1
            ask(2, balancer, now, lengths, &random)
        }
        var least = 0
        // The youngest of equals.
        for place in pools[balancer].indices where pools[balancer][place].load <= pools[balancer][least].load {
            least = place
        }
        pools[balancer][least].usesLeft -= 1
        pools[balancer][least].load += 1
        let endpoint = Int(pools[balancer][least].endpoint)
        ask(options.probes, balancer, now, lengths, &random)
        return endpoint
    }

    private mutating func ask(
        _ count: Int, _ balancer: Int, _ now: Int64, _ lengths: [Int32], _ random: inout SeededRandom
    ) {
        asked.removeAll(keepingCapacity: true)
        while asked.count < min(count, lengths.count) {
            let endpoint = Int32(random.below(UInt32(truncatingIfNeeded: lengths.count)))
            if asked.contains(endpoint) { continue }
            asked.append(endpoint)
            // A younger answer takes the place of an older one of the same endpoint.
            pools[balancer].removeAll { $0.endpoint == endpoint }
            pools[balancer].append(
                Answer(
                    endpoint: endpoint, load: lengths[Int(endpoint)], usesLeft: Int32(options.uses), time: now))
            if pools[balancer].count > options.capacity { pools[balancer].removeFirst() }
        }
    }

    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) {}
    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {}
}
