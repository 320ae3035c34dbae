// Clients who send when a plan says so, however slow the answers are: as people do who do not know each other.
//
// A time is taken from the planned moment, not from the one at which the client got to it: what a client that is late
// leaves out would be just the bad times (coordinated omission, Tene). One thread; a request opens a connection of its
// own, or takes one that an earlier request has left open.

import Glibc
import Reactor
import Vocabulary

/// What a plan's measured requests have met; the others count among the failures only.
struct LoadOutcome: Sendable {
    /// Nanoseconds from the planned moment to the whole answer.
    var latencies: [Int64] = []
    /// Those of them that had no answer when the patience was over: their times are what they had waited by then.
    var unanswered = 0
    /// Requests that failed, and how some of them did.
    var failures = 0
    var examples: [String] = []
    /// Nanoseconds by which the client itself was late.
    var lateness: [Int64] = []
    /// Answers by instance, and requests that were answered by node.
    var answersOfInstance: [Int]
    var answersAtNode: [Int]
}

struct OpenLoad {
    /// Requests for each connection, at least 1.
    var requestsPerConnection = 1
    /// For the answers, after the last request was sent.
    var patience: Duration
    /// Connections at once; a request that is due then fails, as the load would not be what it says.
    var mostConnections: Int

    private struct Call {
        let descriptor: Int32
        let node: Int
        /// Of the plan; nil: the connection rests.
        var request: Int?
        var isSent = false
        var received: [UInt8] = []
        /// Requests that it may carry yet, the one under way included.
        var left: Int
    }

    private struct Run {
        var calls: [Call?] = []
        var free: [Int] = []
        /// By node, connections that rest.
        var resting: [[Int]]
        var underWay = 0
        var outcome: LoadOutcome
        var buffer = [UInt8](repeating: 0, count: 4096)
    }

    /// Sends the plan's requests to the nodes' listeners, on a thread of its own.
    /// - Parameter listeners: by node.
    func send(_ plan: RequestPlan, to listeners: [SocketAddress]) async throws -> LoadOutcome {
        try await withCheckedThrowingContinuation { continuation in
            KernelThread.start(name: "clients") {
                continuation.resume(with: Result { try run(plan, to: listeners) })
            }
        }
    }

    private func run(_ plan: RequestPlan, to listeners: [SocketAddress]) throws -> LoadOutcome {
        let poller = try Poller()
        let addresses = listeners.map(\.kernelForm)
        let nodes = listeners.count
        var run = Run(
            resting: Array(repeating: [], count: nodes),
            outcome: LoadOutcome(
                answersOfInstance: Array(repeating: 0, count: nodes), answersAtNode: Array(repeating: 0, count: nodes)))
        // Later than now: the first requests are not late.
        let start = Kernel.now() + .milliseconds(20)
        let deadline = start + plan.length + patience
        var next = 0
        while true {
            let now = Kernel.now()
            while next < plan.requests.count, start + .nanoseconds(plan.requests[next].offset) <= now {
                begin(
                    next, plan, addresses, poller, &run,
                    lateness: now - (start + .nanoseconds(plan.requests[next].offset)))
                next += 1
            }
            let isAllSent = next == plan.requests.count
            if isAllSent, run.underWay == 0 || now >= deadline { break }
            let due = isAllSent ? deadline : start + .nanoseconds(plan.requests[next].offset)
            let count = poller.wait(atMost: due - Kernel.now())
            let after = Kernel.now()
            for index in 0..<count {
                advance(Int(poller.event(at: index).token), plan, &run, at: after - start)
            }
        }
        let end = Kernel.now() - start
        for call in run.calls {
            guard let call else { continue }
            Kernel.close(call.descriptor)
            guard let request = call.request, request >= plan.firstMeasured else { continue }
            run.outcome.unanswered += 1
            run.outcome.latencies.append(end.wholeNanoseconds - plan.requests[request].offset)
        }
        return run.outcome
    }

    private func begin(
        _ number: Int, _ plan: RequestPlan, _ addresses: [[UInt8]], _ poller: borrowing Poller, _ run: inout Run,
        lateness: Duration
    ) {
        if number >= plan.firstMeasured { run.outcome.lateness.append(lateness.wholeNanoseconds) }
        let node = plan.requests[number].node
        if let place = run.resting[node].popLast(), var call = run.calls[place] {
            call.request = number
            run.underWay += 1
            send(plan, &call)
            run.calls[place] = call
            return
        }
        guard run.calls.count - run.free.count < mostConnections else {
            return fail("\(mostConnections) connections are open", &run)
        }
        let socket = Kernel.socket(family: AF_INET)
        guard socket.succeeded else {
            return fail("no socket: \(socket.error.map(String.init(describing:)) ?? "")", &run)
        }
        Kernel.disableNagle(socket.value)
        let connect = unsafe addresses[node].withUnsafeBytes { unsafe Kernel.connect(socket.value, to: $0) }
        guard connect.succeeded || connect.error == .inProgress else {
            Kernel.close(socket.value)
            return fail("connect: \(connect.error.map(String.init(describing:)) ?? "")", &run)
        }
        var call = Call(descriptor: socket.value, node: node, request: number, left: requestsPerConnection)
        // On loopback it is connected by now, and one event less is needed.
        send(plan, &call)
        run.underWay += 1
        let place: Int
        if let free = run.free.popLast() {
            place = free
            run.calls[place] = call
        } else {
            place = run.calls.count
            run.calls.append(call)
        }
        poller.addEdges(of: socket.value, token: UInt64(place), writes: !call.isSent)
    }

    /// Sends the request, unless the connection is not there yet; a failure is seen when its answer is read.
    private func send(_ plan: RequestPlan, _ call: inout Call) {
        guard let number = call.request else { return }
        let bytes = InstanceRequest(demand: plan.requests[number].demand, isLast: call.left == 1).bytes
        let sent = unsafe bytes.withUnsafeBytes { unsafe Kernel.send(call.descriptor, $0, more: false) }
        call.isSent = !sent.wouldBlock
    }

    /// - Parameter time: since the load's start.
    private func advance(_ place: Int, _ plan: RequestPlan, _ run: inout Run, at time: Duration) {
        guard var call = run.calls[place] else { return }
        if !call.isSent {
            if let error = Kernel.connectError(call.descriptor) {
                fail("connect: \(error)", &run)
                return end(place, &run)
            }
            send(plan, &call)
            run.calls[place] = call
            return
        }
        while true {
            let count = unsafe run.buffer.withUnsafeMutableBytes {
                unsafe Kernel.receive(call.descriptor, into: $0)
            }
            if count.wouldBlock {
                run.calls[place] = call
                return
            }
            guard count.count > 0, let number = call.request else {
                // One that rests may be closed, and nothing is lost.
                if call.request != nil {
                    fail(count.error.map { "receive: \($0)" } ?? "closed without an answer", &run)
                }
                return end(place, &run)
            }
            call.received += run.buffer.prefix(count.count)
            switch InstanceAnswer.read(call.received) {
            case .unfinished where call.received.count < 1024: continue
            case .unfinished, .foreign:
                fail("an answer that is none", &run)
                return end(place, &run)
            case .from(let instance):
                if number >= plan.firstMeasured {
                    run.outcome.latencies.append(time.wholeNanoseconds - plan.requests[number].offset)
                    if run.outcome.answersOfInstance.indices.contains(instance) {
                        run.outcome.answersOfInstance[instance] += 1
                    }
                    run.outcome.answersAtNode[call.node] += 1
                }
                call.left -= 1
                guard call.left > 0 else { return end(place, &run) }
                run.underWay -= 1
                call.request = nil
                call.received.removeAll(keepingCapacity: true)
                run.resting[call.node].append(place)
            }
        }
    }

    private func fail(_ why: String, _ run: inout Run) {
        run.outcome.failures += 1
        if run.outcome.examples.count < 5 { run.outcome.examples.append(why) }
    }

    private func end(_ place: Int, _ run: inout Run) {
        guard let call = run.calls[place] else { return }
        Kernel.close(call.descriptor)
        if call.request != nil {
            run.underWay -= 1
        } else {
            run.resting[call.node].removeAll { $0 == place }
        }
        run.calls[place] = nil
        run.free.append(place)
    }
}
