// What the requests of a plan would have met under policies whose workings are known, without a socket: the values that a
// measurement stands beside.
//
// Formulas are of endless runs and, for two choices, of endlessly many instances, and there are none for instances of
// different speeds. So the same arrivals with the same demands are put through model queues as well, which know neither
// the network nor the machine.

import Glibc
import Rig
import Vocabulary

enum ModelPolicy: CaseIterable, Sendable {
    /// Any instance.
    case random
    /// Each node asks the instances in turn, beginning somewhere.
    case roundRobin
    /// The less busy of two different ones, by what is truly waiting there at that instant.
    case twoChoices
    /// The least busy of all, seen at that instant; what no sidecar of many can know.
    case shortest
}

struct QueueModel {
    private struct Queue {
        /// When what it has will be done, in order; those before `first` are.
        var departures: [Int64] = []
        var first = 0

        /// Requests there at a time.
        mutating func count(at now: Int64) -> Int {
            while first < departures.count, departures[first] <= now { first += 1 }
            return departures.count - first
        }
    }

    private let shape: FleetShape
    private let policy: ModelPolicy
    private var random: SeededRandom
    private var queues: [Queue]
    /// By node.
    private var turns: [Int]

    private init(_ shape: FleetShape, _ policy: ModelPolicy, seed: UInt64) {
        self.shape = shape
        self.policy = policy
        random = SeededRandom(seed: seed)
        queues = Array(repeating: Queue(), count: shape.instances)
        turns = []
        for _ in 0..<shape.instances { turns.append(Int(random.below(UInt32(shape.instances)))) }
    }

    /// The times from being sent to being answered of the plan's measured requests, in nanoseconds.
    ///
    /// - Complexity: O(requests); O(requests · instances) for ``ModelPolicy/shortest``.
    static func timesInSystem(
        of plan: RequestPlan, _ shape: FleetShape, _ policy: ModelPolicy, seed: UInt64
    ) -> [Int64] {
        var model = QueueModel(shape, policy, seed: seed)
        return plan.requests.enumerated().compactMap { number, request in
            let time = model.serve(request)
            return number < plan.firstMeasured ? nil : time
        }
    }

    private mutating func serve(_ request: PlannedRequest) -> Int64 {
        let instance = choose(for: request)
        // A queue's last departure is when its server is free.
        let begin = max(request.offset, queues[instance].departures.last ?? 0)
        let departure = begin + Int64(Double(request.demand) * shape.slowness[instance])
        queues[instance].departures.append(departure)
        return departure - request.offset
    }

    private mutating func choose(for request: PlannedRequest) -> Int {
        let count = UInt32(shape.instances)
        switch policy {
        case .random:
            return Int(random.below(count))
        case .roundRobin:
            defer { turns[request.node] = (turns[request.node] + 1) % shape.instances }
            return turns[request.node]
        case .twoChoices:
            guard count > 1 else { return 0 }
            let one = Int(random.below(count))
            let draw = Int(random.below(count - 1))
            let other = draw < one ? draw : draw + 1
            return queues[other].count(at: request.offset) < queues[one].count(at: request.offset) ? other : one
        case .shortest:
            // From a different one each time, so that those that are equal share alike.
            let start = Int(random.below(count))
            var best = (instance: start, count: Int.max)
            for step in 0..<shape.instances {
                let instance = (start + step) % shape.instances
                let length = queues[instance].count(at: request.offset)
                if length < best.count { best = (instance, length) }
            }
            return best.instance
        }
    }
}

/// Mean times in the system, in mean service times, at an offered load below 1.
enum QueueTheory {
    /// One server with a queue of its own: what random choice comes to.
    static func alone(load: Double) -> Double { 1 / (1 - load) }

    /// The less busy of two among endlessly many (Mitzenmacher 2001): Σ λ^(2ⁱ − 2).
    static func twoChoices(load: Double) -> Double {
        (1...30).reduce(0) { $0 + pow(load, pow(2, Double($1)) - 2) }
    }

    /// One queue before all servers (Erlang C): no policy that knows no demands can be better.
    static func shared(load: Double, servers: Int) -> Double {
        let offered = load * Double(servers)
        // Erlang B by recursion, whose numbers stay small.
        let blocking = (1...servers).reduce(1.0) { $0 * offered / (Double($1) + $0 * offered) }
        let waiting = blocking / (1 - load * (1 - blocking))
        return 1 + waiting / (Double(servers) * (1 - load))
    }
}
