// Load that balancers learn by asking, in a queueing world: the pool that runs in production, one for each balancer.
//
// What the world adds is the network, where a question is answered at once, and the moments at which is asked: three
// endpoints with every connection, for the next ones; where the pool has too few, before that connection, which waits for
// the answers (a round trip is short against a service) and leaves those that it does not use.

import Balancing
import Upstreams
import Vocabulary

struct ProbePoolOptions: Sendable {
    /// Answers that a balancer keeps; the oldest goes first.
    var capacity = ProbePool.Shape().capacity
    /// Endpoints asked with each connection, distinct.
    var probes = ProbePool.Shape().probes
    /// How often one answer may be used.
    var uses = ProbePool.Shape().uses
    /// In mean service times.
    var ageLimit = 5.0
}

struct ProbePools: Chooser {
    private let options: ProbePoolOptions
    private let ageLimit: Duration
    /// By balancer. Its endpoints' cells are their numbers.
    private var pools: [ProbePool]
    private var asked: [UInt32] = []
    private(set) var synchronous = 0
    private(set) var connections = 0

    init(_ options: ProbePoolOptions, balancers: Int) {
        self.options = options
        ageLimit = .nanoseconds(Int64(options.ageLimit * Departure.ticks))
        var shape = ProbePool.Shape()
        (shape.capacity, shape.uses) = (options.capacity, options.uses)
        pools = [ProbePool](repeating: ProbePool(shape), count: balancers)
    }

    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int {
        connections += 1
        // A tick of the world is a nanosecond of the pool's.
        let now = Instant(nanoseconds: now)
        pools[balancer].expire(before: now + (.zero - ageLimit))
        let waits = pools[balancer].count < 2
        if waits {
            synchronous += 1
            ask(max(2, options.probes), balancer, now, lengths, &random)
        }
        guard let least = pools[balancer].least(ofAtLeast: 1, weight: { _ in 1 }) else {
            preconditionFailure("who was asked has answered")
        }
        let endpoint = Int(pools[balancer].use(least).cell)
        if !waits { ask(options.probes, balancer, now, lengths, &random) }
        return endpoint
    }

    private mutating func ask(
        _ count: Int, _ balancer: Int, _ now: Instant, _ lengths: [Int32], _ random: inout SeededRandom
    ) {
        asked.removeAll(keepingCapacity: true)
        while asked.count < min(count, lengths.count) {
            let endpoint = random.below(UInt32(truncatingIfNeeded: lengths.count))
            if asked.contains(endpoint) { continue }
            asked.append(endpoint)
            let load = EndpointLoad(outstanding: UInt32(lengths[Int(endpoint)]), connections: 0)
            pools[balancer].insert(load, of: endpoint, at: endpoint, measured: now)
        }
    }

    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) {}
    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {}
}
