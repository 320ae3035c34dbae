// Clients who send when a plan says so, however slow the answers are: as people do who do not know each other.
//
// A time is taken from the planned moment, not from the one at which the client got to it: what a client that is late
// leaves out would be just the bad times (coordinated omission, Tene). One thread; a request opens a connection of its
// own, or takes one that an earlier request has left open.

import Glibc
import Reactor
package import Vocabulary

/// What a plan's measured requests have met; the others count among the failures only.
package struct LoadOutcome: Sendable {
    /// Nanoseconds from the planned moment to the whole answer.
    package internal(set) var latencies: [Int64] = []
    /// Those of them that had no answer when the patience was over: their times are what they had waited by then.
    package internal(set) var unanswered = 0
    /// Requests that failed, and how some of them did.
    package internal(set) var failures = 0
    package internal(set) var examples: [String] = []
    /// Nanoseconds by which the client itself was late.
    package internal(set) var lateness: [Int64] = []
    /// Answers by instance, and requests that were answered by node.
    package internal(set) var answersOfInstance: [Int]
    package internal(set) var answersAtNode: [Int]

    mutating func take(_ news: LoadNews, isMeasured: Bool) {
        switch news {
        case .begun(_, let late):
            if isMeasured { lateness.append(late) }
        case .answered(let request, let instance, let nanoseconds):
            guard isMeasured else { return }
            latencies.append(nanoseconds)
            if answersOfInstance.indices.contains(instance) { answersOfInstance[instance] += 1 }
            answersAtNode[request.node] += 1
        case .failed(_, let why):
            failures += 1
            if examples.count < 5 { examples.append(why) }
        case .unanswered(_, let nanoseconds):
            guard isMeasured else { return }
            unanswered += 1
            latencies.append(nanoseconds)
        }
    }
}

/// What becomes of a request: it begins, and then one of the others.
package enum LoadNews: Sendable {
    /// - Parameter late: nanoseconds by which it was sent too late.
    case begun(PlannedRequest, late: Int64)
    /// - Parameter after: nanoseconds since its planned moment, as in ``unanswered(_:after:)``.
    case answered(PlannedRequest, by: Int, after: Int64)
    case failed(PlannedRequest, why: String)
    /// The patience was over.
    case unanswered(PlannedRequest, after: Int64)
}

package struct OpenLoad: Sendable {
    /// Requests for each connection, at least 1.
    package var requestsPerConnection: Int
    /// For the answers, after the last request was sent.
    package var patience: Duration
    /// Connections at once; a request that is due then fails, as the load would not be what it says.
    package var mostConnections: Int

    package init(requestsPerConnection: Int = 1, patience: Duration, mostConnections: Int) {
        precondition(requestsPerConnection > 0)
        self.requestsPerConnection = requestsPerConnection
        self.patience = patience
        self.mostConnections = mostConnections
    }

    /// Sends the plan's requests to the nodes' listeners, on a thread of its own, which has ended when this returns.
    /// - Parameter listeners: by node.
    package func send(_ plan: RequestPlan, to listeners: [SocketAddress]) async throws -> LoadOutcome {
        var thread: KernelThread?
        // Of a thread that has nothing more to do, so it waits for nothing.
        defer { thread?.join() }
        return try await withCheckedThrowingContinuation { continuation in
            thread = KernelThread.start(name: "clients") {
                let zeros = Array(repeating: 0, count: listeners.count)
                var outcome = LoadOutcome(answersOfInstance: zeros, answersAtNode: zeros)
                let measuredFrom =
                    plan.firstMeasured < plan.requests.count ? plan.requests[plan.firstMeasured].offset : .max
                continuation.resume(
                    with: Result {
                        // Later than now: the first requests are not late.
                        try run(
                            plan.requests.makeIterator(), to: listeners, from: Kernel.now() + .milliseconds(20),
                            while: { true }
                        ) { news in
                            outcome.take(news, isMeasured: news.request.offset >= measuredFrom)
                        }
                        return outcome
                    })
            }
        }
    }

    /// Sends requests to the nodes' listeners on this thread, until there are no more of them.
    /// - Parameters:
    ///   - listeners: by node.
    ///   - start: what the requests' offsets count from.
    ///   - goesOn: asked all the time; where not, nothing more is sent or waited for.
    ///   - tell: what becomes of each.
    package func run(
        _ requests: some IteratorProtocol<PlannedRequest>, to listeners: [SocketAddress], from start: Instant,
        while goesOn: () -> Bool, tell: (LoadNews) -> Void
    ) throws {
        var run = LoadRun(self, listeners, from: start, poller: try Poller())
        var requests = requests
        var next = requests.next()
        var lastOffset: Int64 = 0
        while goesOn() {
            let now = Kernel.now()
            while let due = next, start + .nanoseconds(due.offset) <= now {
                run.begin(due, at: now, tell)
                lastOffset = due.offset
                next = requests.next()
            }
            let deadline = start + .nanoseconds(lastOffset) + patience
            if next == nil, run.underWay == 0 || now >= deadline { break }
            run.advance(until: next.map { start + .nanoseconds($0.offset) } ?? deadline, tell)
        }
        run.abandon(tell)
    }
}

extension LoadNews {
    package var request: PlannedRequest {
        switch self {
        case .begun(let request, _), .answered(let request, _, _), .failed(let request, _), .unanswered(let request, _):
            request
        }
    }
}

/// The connections of a load.
private struct LoadRun: ~Copyable {
    private struct Call {
        let descriptor: Int32
        let node: Int
        /// Nil: the connection rests.
        var request: PlannedRequest?
        var isSent = false
        var received: [UInt8] = []
        /// Requests that it may carry yet, the one under way included.
        var left: Int
    }

    private let load: OpenLoad
    private let start: Instant
    private let addresses: [[UInt8]]
    private let poller: Poller
    private var calls: [Call?] = []
    private var free: [Int] = []
    /// By node, connections that rest.
    private var resting: [[Int]]
    private(set) var underWay = 0
    private var buffer = [UInt8](repeating: 0, count: 4096)

    init(_ load: OpenLoad, _ listeners: [SocketAddress], from start: Instant, poller: consuming Poller) {
        self.load = load
        self.start = start
        self.poller = poller
        addresses = listeners.map(\.kernelForm)
        resting = Array(repeating: [], count: listeners.count)
    }

    mutating func begin(_ request: PlannedRequest, at now: Instant, _ tell: (LoadNews) -> Void) {
        tell(.begun(request, late: (now - start).wholeNanoseconds - request.offset))
        if let place = resting[request.node].popLast(), var call = calls[place] {
            call.request = request
            underWay += 1
            send(&call)
            calls[place] = call
            return
        }
        guard calls.count - free.count < load.mostConnections else {
            return tell(.failed(request, why: "\(load.mostConnections) connections are open"))
        }
        let socket = Kernel.socket(family: AF_INET)
        guard socket.succeeded else {
            return tell(.failed(request, why: "no socket: \(socket.error.map(String.init(describing:)) ?? "")"))
        }
        Kernel.disableNagle(socket.value)
        let connect = unsafe addresses[request.node].withUnsafeBytes { unsafe Kernel.connect(socket.value, to: $0) }
        guard connect.succeeded || connect.error == .inProgress else {
            Kernel.close(socket.value)
            return tell(.failed(request, why: "connect: \(connect.error.map(String.init(describing:)) ?? "")"))
        }
        var call = Call(
            descriptor: socket.value, node: request.node, request: request, left: load.requestsPerConnection)
        // On loopback it is connected by now, and one event less is needed.
        send(&call)
        underWay += 1
        let place: Int
        if let free = free.popLast() {
            place = free
            calls[place] = call
        } else {
            place = calls.count
            calls.append(call)
        }
        poller.addEdges(of: socket.value, token: UInt64(place), writes: !call.isSent)
    }

    /// Waits for answers.
    mutating func advance(until deadline: Instant, _ tell: (LoadNews) -> Void) {
        let count = poller.wait(atMost: deadline - Kernel.now())
        let now = Kernel.now()
        for index in 0..<count { advance(Int(poller.event(at: index).token), at: now, tell) }
    }

    /// Closes all of them.
    mutating func abandon(_ tell: (LoadNews) -> Void) {
        let time = (Kernel.now() - start).wholeNanoseconds
        for call in calls {
            guard let call else { continue }
            Kernel.close(call.descriptor)
            if let request = call.request { tell(.unanswered(request, after: time - request.offset)) }
        }
        calls.removeAll()
    }

    /// Sends the request, unless the connection is not there yet; a failure is seen when its answer is read.
    private func send(_ call: inout Call) {
        guard let request = call.request else { return }
        let bytes = InstanceRequest(demand: request.demand, isLast: call.left == 1).bytes
        let sent = unsafe bytes.withUnsafeBytes { unsafe Kernel.send(call.descriptor, $0, more: false) }
        call.isSent = !sent.wouldBlock
    }

    private mutating func advance(_ place: Int, at now: Instant, _ tell: (LoadNews) -> Void) {
        guard var call = calls[place] else { return }
        if !call.isSent {
            if let error = Kernel.connectError(call.descriptor) {
                return end(place, failing: "connect: \(error)", tell)
            }
            send(&call)
            calls[place] = call
            return
        }
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(call.descriptor, into: $0) }
            if count.wouldBlock {
                calls[place] = call
                return
            }
            guard count.count > 0, let request = call.request else {
                // One that rests may be closed, and nothing is lost.
                return end(place, failing: count.error.map { "receive: \($0)" } ?? "closed without an answer", tell)
            }
            call.received += buffer.prefix(count.count)
            switch InstanceAnswer.read(call.received) {
            case .unfinished where call.received.count < 1024: continue
            case .unfinished, .foreign: return end(place, failing: "an answer that is none", tell)
            case .from(let instance):
                tell(.answered(request, by: instance, after: (now - start).wholeNanoseconds - request.offset))
                underWay -= 1
                call.left -= 1
                call.request = nil
                call.received.removeAll(keepingCapacity: true)
                calls[place] = call
                guard call.left > 0 else { return close(place) }
                resting[call.node].append(place)
            }
        }
    }

    private mutating func end(_ place: Int, failing why: String, _ tell: (LoadNews) -> Void) {
        guard let call = calls[place] else { return }
        if let request = call.request {
            tell(.failed(request, why: why))
            underWay -= 1
        } else {
            resting[call.node].removeAll { $0 == place }
        }
        close(place)
    }

    private mutating func close(_ place: Int) {
        guard let call = calls[place] else { return }
        Kernel.close(call.descriptor)
        calls[place] = nil
        free.append(place)
    }
}
