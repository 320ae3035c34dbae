// Instances that are queues, and clients who send as planned.

import Foundation
import Reactor
import Testing
import Vocabulary

@testable import Rig

@Suite("Instances that are queues")
struct InstanceQueueTests {
    @Test("A request is read once it is whole, and only then")
    func requests() {
        for isLast in [false, true] {
            let request = InstanceRequest(demand: 12_345_678, isLast: isLast)
            #expect(InstanceRequest(request.bytes) == request)
            for count in 0..<request.bytes.count { #expect(InstanceRequest(Array(request.bytes.prefix(count))) == nil) }
        }
        for foreign in ["GET /-5 HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "POST /5 HTTP/1.1\r\n\r\n", "\r\n\r\n"] {
            #expect(InstanceRequest(Array(foreign.utf8)) == nil)
        }
    }

    @Test("An answer is read once it is whole, and what is none is told from one that is not whole")
    func answers() {
        for instance in [0, 7, 23, 199] {
            let bytes = InstanceAnswer.bytes(from: instance, isLast: instance == 7)
            #expect(InstanceAnswer.read(bytes) == .from(instance: instance))
            for count in 0..<bytes.count { #expect(InstanceAnswer.read(Array(bytes.prefix(count))) == .unfinished) }
        }
        #expect(InstanceAnswer.read(Array("HTTP/1.1 503 Service Unavailable\r\n".utf8)) == .foreign)
        #expect(InstanceAnswer.read(Array("HTTP/1.1 200 OK\r\n\r\nhello\n".utf8)) == .foreign)
    }

    /// The least port of this process's own that clients could be given is not used: the kernel chooses none below 32768.
    private static func addresses(_ count: Int) throws -> [SocketAddress] {
        let places = OwnAddresses(process: Int(getpid()))
        return try (0..<count).map { try SocketAddress(parsing: "\(places.host(900 + $0)):9000") }
    }

    @Test("Every request is answered after its own time and that of those before it", arguments: [1, 5])
    func service(requestsPerConnection: Int) async throws {
        // Given four instances, one of them slow, and clients who speak to them without a balancer between
        let addresses = try Self.addresses(4)
        let instances = try InstanceQueues(at: addresses)
        defer { instances.stop() }
        let shape = FleetShape(instances: 4, service: .milliseconds(2), slowShare: 0.25)
        instances.set(slowness: shape.slowness)
        let plan = RequestPlan(shape, load: 0.5, warmUp: .milliseconds(50), measured: .milliseconds(500), seed: 4)
        // When they send what was planned
        let load = OpenLoad(
            requestsPerConnection: requestsPerConnection, patience: .seconds(20), mostConnections: 500)
        let outcome = try await load.send(plan, to: addresses)
        // Then nobody was answered before a queue would have, nothing was lost, and each had its own instance's answer
        var free = [Int64](repeating: 0, count: 4)
        let ideal = plan.requests.map { request in
            free[request.node] =
                max(free[request.node], request.offset)
                + Int64(Double(request.demand) * shape.slowness[request.node])
            return free[request.node] - request.offset
        }
        #expect(outcome.failures == 0 && outcome.unanswered == 0)
        #expect(outcome.latencies.count == plan.requests.count - plan.firstMeasured)
        #expect(outcome.answersAtNode == outcome.answersOfInstance)
        let least = ideal.dropFirst(plan.firstMeasured).reduce(0, +)
        #expect(outcome.latencies.reduce(0, +) >= least)
        #expect(try instances.takeLateness().count == plan.requests.count)
    }

    @Test("A request to nobody is a failure, and one that is not answered counts with what it has waited")
    func failures() async throws {
        let addresses = try Self.addresses(6).suffix(2)
        let listener = try Kernel.bind(addresses[4], sharingPort: false)
        defer { Kernel.close(listener) }
        try Kernel.listen(listener)
        let shape = FleetShape(instances: 2, service: .milliseconds(2), slowShare: 0)
        let plan = RequestPlan(shape, load: 0.1, warmUp: .zero, measured: .milliseconds(300), seed: 4)
        let load = OpenLoad(patience: .milliseconds(50), mostConnections: 500)
        // Nobody accepts at the first, nobody listens at the second.
        let outcome = try await load.send(plan, to: Array(addresses))
        #expect(outcome.unanswered == plan.requests.count { $0.node == 0 } && outcome.unanswered > 0)
        #expect(outcome.failures == plan.requests.count { $0.node == 1 } && outcome.failures > 0)
        #expect(outcome.latencies.allSatisfy { $0 >= 50_000_000 })
    }

    @Test(
        "An instance that is ended fails those who wait there and refuses others; back again, it owes nobody anything")
    func endAndReturn() async throws {
        let addresses = try Self.addresses(7).suffix(1)
        let instances = try InstanceQueues(at: Array(addresses))
        defer { instances.stop() }
        let shape = FleetShape(instances: 1, service: .seconds(1000), slowShare: 0)
        // Given requests that will not be done before the test is over
        let endless = RequestPlan(shape, load: 200_000, warmUp: .zero, measured: .milliseconds(100), seed: 1)
        let load = OpenLoad(patience: .seconds(20), mostConnections: 500)
        async let waiting = load.send(endless, to: Array(addresses))
        try await Task.sleep(for: .milliseconds(300))
        // When their instance is ended
        instances.set(0, isUp: false)
        let lost = try await waiting
        #expect(lost.failures == endless.requests.count && lost.failures > 0)
        // Then who comes is refused
        let short = RequestPlan(
            FleetShape(instances: 1, service: .microseconds(10), slowShare: 0), load: 0.001, warmUp: .zero,
            measured: .milliseconds(200), seed: 1)
        let refused = try await load.send(short, to: Array(addresses))
        #expect(refused.failures == short.requests.count && refused.failures > 0)
        // And when it is back it serves at once
        instances.set(0, isUp: true)
        let back = try await Patience.wait(.seconds(20)) {
            try await load.send(short, to: Array(addresses)).latencies.count == short.requests.count
        }
        #expect(back != nil)
    }

    @Test("Where an address cannot be had the complaint names it and the reason, and the others are free again")
    func takenAddress() throws {
        let addresses = Array(try Self.addresses(10).suffix(3))
        let other = try Kernel.bind(addresses[1], sharingPort: false)
        defer { Kernel.close(other) }
        try Kernel.listen(other)
        let failure = #expect(throws: RunFailure.self) { try InstanceQueues(at: addresses) }
        #expect(failure?.description == "no instance can listen at \(addresses[1]): Address already in use")
        Kernel.close(try Kernel.bind(addresses[0], sharingPort: false))
    }

    @Test("Instances that cannot go on say so, and leave nothing open")
    func fault() async throws {
        let addresses = Array(try Self.addresses(13).suffix(2))
        let instances = try InstanceQueues(at: addresses)
        let client = try Kernel.socket(family: AF_INET).get()
        defer { Kernel.close(client) }
        _ = unsafe addresses[1].kernelForm.withUnsafeBytes { unsafe Kernel.connect(client, to: $0) }
        // Given the socket of one, which is none any more
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
        let listener = try #require(
            descriptors.first { Kernel.isListening($0) && Kernel.localAddress(of: $0) == addresses[0] })
        let nothing = try Wake()
        #expect(dup2(nothing.descriptor, listener) == listener)
        // When that one is to go and come back
        instances.set(0, isUp: false)
        let hasFailed = try await Patience.wait(.seconds(20), asking: .milliseconds(5)) {
            instances.set(0, isUp: true)
            try await Task.sleep(for: .milliseconds(20))
            instances.set(0, isUp: false)
            return (try? instances.takeLateness()) == nil
        }
        #expect(hasFailed != nil)
        instances.stop()
        // Then the client of the other sees its end, and that one's address is free
        var watched = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
        #expect(unsafe poll(&watched, 1, 20_000) == 1)
        Kernel.close(try Kernel.bind(addresses[1], sharingPort: false))
    }

    @Test("A load leaves no thread behind whose stack nobody gives back")
    func threads() async throws {
        func size() throws -> Int {
            let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return try #require(Int(words[0])) * Int(sysconf(Int32(_SC_PAGESIZE)))
        }
        let shape = FleetShape(instances: 1, service: .milliseconds(1), slowShare: 0)
        let nothing = RequestPlan(shape, load: 0.1, warmUp: .zero, measured: .zero, seed: 1)
        let load = OpenLoad(patience: .zero, mostConnections: 1)
        func send(_ count: Int) async throws {
            for _ in 0..<count { _ = try await load.send(nothing, to: try Self.addresses(1)) }
        }
        // The first ones make what later ones use again.
        try await send(10)
        let before = try size()
        try await send(60)
        #expect(try size() - before < 60 * (8 << 20) / 2)
    }
}
