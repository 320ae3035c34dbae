// Who is answered when asking how busy a service is, over real sockets.

import FleetLoad
import Glibc
import GossipWire
import Proxy
import Reactor
import Testing
import Upstreams
import Vocabulary

@testable import Node

/// A responder beside a service whose load the test sets, and somebody who asks.
@safe
private final class Asker {
    static let key = [UInt8](repeating: 3, count: 32)
    static let other = [UInt8](repeating: 4, count: 16)

    let keys: ProbeKeyDesk
    let responder: ProbeResponder
    let cells = LoadCells(capacity: 8)
    private let plane: DataPlane
    private let socket: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 8)

    init(keys: [[UInt8]] = [key], at address: SocketAddress = .ipv4(.loopback, port: 0)) throws {
        self.keys = ProbeKeyDesk(gossipKeys: keys)
        responder = try ProbeResponder(binding: address, keys: self.keys)
        let discovery = try Discovery(
            upstreams: [
                UpstreamOptions(
                    name: "inside", endpoints: [StaticEndpoint(address: .ipv4(.loopback, port: 1))], load: .local)
            ], cells: cells, at: Kernel.now())
        plane = try DataPlane(
            listeners: [], upstreams: discovery.current, cells: cells, workers: 1,
            limits: ProxyLimits(descriptors: 1024), seed: 1, noticesArrived: {})
        socket = try Kernel.bindDatagrams(address, receiveBuffer: 64 << 10)
        responder.start(answeringFor: [("web", "inside")], of: plane)
    }

    deinit {
        responder.stop()
        plane.end()
        Kernel.close(socket)
        unsafe buffer.deallocate()
    }

    func busy(_ connections: Int) { for _ in 0..<connections { _ = cells.place(0) } }

    func answer(for services: [String]) { responder.answer(for: services.map { ($0, "inside") }) }

    func send(_ bytes: [UInt8]) {
        let form = responder.address.kernelForm
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe form.withUnsafeBytes { _ = unsafe Kernel.sendDatagram(socket, bytes, to: $0) }
        }
    }

    /// The next datagram that comes back; nil if none does.
    func receive(within patience: Duration = .seconds(10)) -> [UInt8]? {
        guard Wait.until(socket, isReady: .toRead, deadline: Kernel.now() + patience) else { return nil }
        let length = unsafe Kernel.receiveDatagram(socket, into: buffer).length
        return length.succeeded ? unsafe [UInt8](buffer.prefix(length.count)) : nil
    }

    func question(_ nonce: UInt64, service: String = "web", key: [UInt8] = key) throws -> [UInt8] {
        let message = ProbeMessage(nonce: nonce, service: ServiceDigest(of: service))
        return Asker.array(try #require(ProbeKeyring(gossipKeys: [key]).signed(message)))
    }

    static func array(_ bytes: InlineArray<44, UInt8>) -> [UInt8] { bytes.indices.map { bytes[$0] } }

    /// What is answered to a good question; answers to what was sent before would come first.
    func load(_ nonce: UInt64, service: String = "web", key: [UInt8] = key) throws -> ServiceLoad? {
        send(try question(nonce, service: service, key: key))
        guard let bytes = receive() else { return nil }
        let vouches = unsafe bytes.withUnsafeBytes { unsafe ProbeKeyring(gossipKeys: [key]).vouches(for: $0) }
        let message = try ProbeMessage(reading: bytes.span)
        #expect(vouches && message.nonce == nonce && message.service == ServiceDigest(of: service))
        guard case .answer(let load) = message.kind else { return nil }
        return load
    }
}

@Suite("Answers to load probes", .serialized)
struct ProbeResponderTests {
    @Test("Who knows the key learns the load at that moment, in as many bytes as it asked with")
    func answers() throws {
        let asker = try Asker()
        #expect(try asker.load(1) == ServiceLoad(outstanding: 0, connections: 0))
        asker.busy(3)
        asker.cells.count(.stops, in: 0)
        // A question that meets the turn of the one before gets that turn's sample.
        var asked: UInt64 = 1
        func next() -> UInt64 {
            asked += 1
            return asked
        }
        try Wait.until(try asker.load(next()), is: ServiceLoad(outstanding: 2, connections: 3))
        asker.send(try asker.question(next()))
        #expect(asker.receive()?.count == ProbeMessage.length)
        #expect(asker.responder.answeredTotal == asked && asker.responder.refusedTotal == 0)
    }

    @Test("Over IPv6 as well")
    func ipv6() throws {
        let asker = try Asker(at: .ipv6(.loopback, port: 0))
        asker.busy(1)
        #expect(try asker.load(1)?.outstanding == 1)
    }

    @Test("Strangers, other services, answers and noise are not answered")
    func refusals() throws {
        let asker = try Asker()
        let good = try asker.question(5)
        var bad: [[UInt8]] = [
            try asker.question(6, key: Asker.other), try asker.question(7, service: "db"), Array(good.dropLast()),
            good + [0], [], [UInt8](repeating: 0xFF, count: 44),
            Asker.array(ProbeMessage(nonce: 8, service: ServiceDigest(of: "web")).bytes),
        ]
        for place in good.indices {
            var altered = good
            altered[place] ^= 0x10
            bad.append(altered)
        }
        var answer = ProbeMessage(nonce: 9, service: ServiceDigest(of: "web"))
        answer.kind = .answer(.idle)
        bad.append(Asker.array(try #require(ProbeKeyring(gossipKeys: [Asker.key]).signed(answer))))
        for datagram in bad { asker.send(datagram) }
        // The first that comes back is the answer to what was asked last.
        #expect(try asker.load(77) != nil)
        #expect(asker.responder.refusedTotal == UInt64(bad.count) && asker.responder.answeredTotal == 1)
    }

    @Test("A rotated key is good from when it is installed until it is removed")
    func rotation() throws {
        let asker = try Asker()
        #expect(try asker.load(1) != nil)
        asker.keys.replace(by: [Asker.key, Asker.other])
        // Whoever signs with the new one is understood; the answer is signed with the first.
        asker.send(try asker.question(2, key: Asker.other))
        let bytes = try #require(asker.receive())
        #expect(unsafe bytes.withUnsafeBytes { unsafe ProbeKeyring(gossipKeys: [Asker.key]).vouches(for: $0) })
        asker.keys.replace(by: [Asker.other])
        asker.send(try asker.question(3))
        #expect(try asker.load(4, key: Asker.other) != nil)
        #expect(asker.responder.refusedTotal == 1)
    }

    @Test("Without keys whoever asks is answered, and a code says nothing")
    func unkeyed() throws {
        let asker = try Asker(keys: [])
        asker.busy(2)
        asker.send(Asker.array(ProbeMessage(nonce: 1, service: ServiceDigest(of: "web")).bytes))
        let bytes = try #require(asker.receive())
        let answer = try ProbeMessage(reading: bytes.span)
        #expect(answer.kind == .answer(ServiceLoad(outstanding: 2, connections: 2)))
        #expect(bytes.suffix(16).allSatisfy { $0 == 0 })
    }

    @Test("It answers for the services that it is told of last")
    func services() throws {
        let asker = try Asker()
        asker.answer(for: ["db"])
        try Wait.forAnswer { if try asker.load(1, service: "db") == nil { throw TooLate(description: "no answer") } }
        asker.send(try asker.question(2))
        #expect(try asker.load(3, service: "db") != nil)
        #expect(asker.responder.refusedTotal >= 1)
    }
}
