// What is asked of a fleet, and when: decided before anything runs, so that every subject of a comparison gets the very
// same requests.
//
//     shape (instances, their speeds) + load + seed ──► arrivals of a Poisson process, each with its node and its demand
//
// A request carries its service time with it, whoever serves it. Half of the noise between two subjects is then shared,
// and what a policy would have made of the requests at its best can be computed from the same values (``QueueModel``).
// Not taken: service times drawn by the instances, which differ as soon as two subjects choose differently.

import Glibc
import Vocabulary

/// The instances of a fleet, as queues.
package struct FleetShape: Equatable, Sendable {
    package let instances: Int
    /// Mean time that an instance of full speed takes for a request.
    package let service: Duration
    /// How many times as long each instance takes.
    package let slowness: [Double]

    /// - Parameter slowShare: the share of instances that run at half speed, 0...1; they stand evenly among the others.
    package init(instances: Int, service: Duration, slowShare: Double) {
        precondition(instances > 0 && service > .zero && (0...1).contains(slowShare))
        self.instances = instances
        self.service = service
        let slow = Int((Double(instances) * slowShare).rounded())
        slowness = (0..<instances).map { ($0 + 1) * slow / instances > $0 * slow / instances ? 2 : 1 }
    }

    /// Requests a second that all instances can serve together.
    package var capacity: Double { slowness.reduce(0) { $0 + 1 / ($1 * service.inSeconds) } }

    /// The part of its time that the busiest instance would serve if all were asked equally often; from 1 on its queue
    /// grows for as long as the load lasts.
    package func greatestEvenUtilization(load: Double) -> Double {
        load * capacity / Double(instances) * service.inSeconds * (slowness.max() ?? 1)
    }
}

package struct PlannedRequest: Equatable, Sendable {
    /// When it is to be sent: nanoseconds from the load's start.
    package let offset: Int64
    /// The node whose client sends it.
    package let node: Int
    /// Nanoseconds that an instance of full speed takes for it.
    package let demand: Int64
}

/// Requests without end, by a Poisson process; the same seed gives the same ones.
package struct PoissonArrivals: IteratorProtocol, Sendable {
    private let nodes: UInt32
    /// In nanoseconds.
    private let gap: Double
    private let demand: Double
    private var random: SeededRandom
    private var time = 0.0

    /// - Parameters:
    ///   - nodes: how many have clients, all alike.
    ///   - load: offered, as a share of what all instances can do; above zero.
    package init(_ shape: FleetShape, nodes: Int, load: Double, seed: UInt64) {
        precondition(nodes > 0 && load > 0)
        self.nodes = UInt32(nodes)
        gap = 1e9 / (shape.capacity * load)
        demand = Double(shape.service.wholeNanoseconds)
        random = SeededRandom(seed: seed)
    }

    package mutating func next() -> PlannedRequest? {
        time += random.exponential(mean: gap)
        return PlannedRequest(
            offset: Int64(time), node: Int(random.below(nodes)), demand: Int64(random.exponential(mean: demand)))
    }
}

package struct RequestPlan: Sendable {
    /// In the order of time.
    package let requests: [PlannedRequest]
    /// Requests from here on are measured; those before bring the queues to where they would be.
    package let firstMeasured: Int
    /// How long requests are sent, warm-up included.
    package let length: Duration

    /// - Parameter load: offered, as a share of the fleet's capacity; above zero.
    package init(_ shape: FleetShape, load: Double, warmUp: Duration, measured: Duration, seed: UInt64) {
        length = warmUp + measured
        let end = length.wholeNanoseconds
        var arrivals = PoissonArrivals(shape, nodes: shape.instances, load: load, seed: seed)
        var requests: [PlannedRequest] = []
        requests.reserveCapacity(Int(shape.capacity * load * length.inSeconds * 1.1))
        while let request = arrivals.next(), request.offset < end { requests.append(request) }
        self.requests = requests
        firstMeasured = requests.firstIndex { $0.offset >= warmUp.wholeNanoseconds } ?? requests.count
    }

    /// From empty queues until they have forgotten it: three times the relaxation time of an M/M/1 queue, S/(1 − √λ)²,
    /// and a second at least.
    package static func warmUp(service: Duration, load: Double) -> Duration {
        let root = 1 - load.squareRoot()
        return max(.seconds(1), .seconds(3 * service.inSeconds / (root * root)))
    }
}

extension SeededRandom {
    /// An exponentially distributed number.
    mutating func exponential(mean: Double) -> Double {
        // Of (0, 1]: the logarithm of zero is none.
        -mean * log(Double((next() >> 11) + 1) / Double(1 << 53))
    }
}
