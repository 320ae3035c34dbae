import FleetLoad
import GossipWire
import Reactor
import Stats
import Synchronization
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

@Suite("Load probes", .serialized)
struct ProbeTests {
    private static let key = [UInt8](repeating: 7, count: 32)
    private static let otherKey = [UInt8](repeating: 8, count: 16)

    /// A sidecar whose endpoints are these.
    private func sidecar(
        to remoras: [FakeRemora], keys: ProbeKeyDesk = ProbeKeyDesk(),
        _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
    ) throws -> Sidecar {
        let sidecar = try Sidecar(to: []) { setup in
            setup.upstream = UpstreamOptions(name: "back", source: .service("s"))
            setup.probes = ProbeOptions(source: .ipv4(.loopback, port: 0), keys: keys)
            adjust(&setup)
        }
        sidecar.publish(remoras.enumerated().map { $1.endpoint(cell: 40 + LoadCells.Index($0)) })
        // Every worker has adopted it, or it would know of no endpoint.
        #expect(eventually { sidecar.plane.reclaim() >= sidecar.plane.upstreams.version })
        return sidecar
    }

    /// Who serves the next connection.
    private func visit(_ sidecar: Sidecar) throws -> String {
        let wire = try sidecar.connect()
        try wire.send("x")
        return String(decoding: try wire.receive(), as: UTF8.self)
    }

    private func probes(_ sidecar: Sidecar) -> ProbesReport { sidecar.upstream.probes ?? ProbesReport() }

    @Test(
        "What endpoints' sidecars say of their load decides, and not what this process sent there", arguments: [1, 3])
    func steering(workers: Int) throws {
        let busy = try FakeRemora("busy") { [answer($0, outstanding: 50)] }
        let idle = try FakeRemora("idle") { [answer($0, outstanding: 1)] }
        let sidecar = try sidecar(to: [busy, idle]) { $0.workers = workers }
        // All of its own connections stay open on the idle one: own counts would send half of them to the other.
        var open: [Wire] = []
        for _ in 0..<20 {
            let wire = try sidecar.connect()
            try wire.send("x")
            #expect(String(decoding: try wire.receive(), as: UTF8.self) == "idle")
            open.append(wire)
        }
        let report = probes(sidecar)
        #expect(report.fleetPicksTotal == 20 && report.localPicksTotal == 0)
        #expect(report.waitsTotal >= 1 && report.answeredTotal >= 2 && report.meanAgeSeconds < 1)
        #expect(busy.questions > 0 && busy.connections == 0)
        #expect(sidecar.endpoints.map(\.fleetOutstanding).allSatisfy { $0 != nil })
        #expect(sidecar.upstream.load == "fleet")
    }

    @Test("Where nobody answers, own counts decide after a bounded wait, and soon nobody waits any more")
    func silence() throws {
        let silent = [try FakeRemora("a") { _ in [] }, try FakeRemora("b") { _ in [] }]
        let sidecar = try sidecar(to: silent)
        let began = Kernel.now()
        var open: [Wire] = []
        for _ in 0..<12 {
            let wire = try sidecar.connect()
            try wire.send("x")
            #expect(try wire.receive().count == 1)
            open.append(wire)
        }
        #expect(Kernel.now() - began < .seconds(2))
        let report = probes(sidecar)
        #expect(report.localPicksTotal == 12 && report.fleetPicksTotal == 0 && report.answeredTotal == 0)
        // Who waits for nothing three times in a row does not wait again, but asks on.
        #expect(report.waitsTotal == 3)
        #expect(report.sentTotal > 20)
        // By own counts, so evenly.
        #expect(silent.map(\.connections) == [6, 6])
        #expect(sidecar.endpoints.allSatisfy { $0.fleetOutstanding == nil })
    }

    @Test("One answer of two is gone by, once the time is up")
    func oneAnswer() throws {
        let heard = try FakeRemora("heard") { [answer($0, outstanding: 3)] }
        let silent = try FakeRemora("silent") { _ in [] }
        let sidecar = try sidecar(to: [heard, silent])
        for _ in 0..<4 { #expect(try visit(sidecar) == "heard") }
        #expect(probes(sidecar).fleetPicksTotal == 4)
    }

    @Test("Forged, replayed, altered and unasked-for answers change nothing")
    func forgeries() throws {
        let keys = ProbeKeyDesk(gossipKeys: [Self.key])
        let first = Mutex<[UInt8]?>(nil)
        // It answers once; then it lies that it is idle, in every way that needs no key, and says the first answer again.
        let liar = try FakeRemora("liar") { question in
            let honest = answer(question, outstanding: 40, keys: [Self.key])
            let old = first.withLock { first in
                defer { first = first ?? honest }
                return first
            }
            guard let old else { return [honest] }
            let good = answer(question, outstanding: 9, keys: [Self.key])
            var altered = good
            altered[23] = 0
            return [
                answer(question, outstanding: 0), answer(question, outstanding: 0, keys: [Self.otherKey]), altered,
                answer(question, outstanding: 0, keys: [Self.key]) { $0.nonce ^= 1 << 40 },
                answer(question, outstanding: 0, keys: [Self.key]) { $0.service = ServiceDigest(of: "t") },
                Array(good.dropLast()), good + [0], [], old,
                // A question is no answer.
                [UInt8](good.prefix(1)) + [1] + good.dropFirst(2),
            ]
        }
        let honest = try FakeRemora("honest") { [answer($0, outstanding: 30, keys: [Self.key])] }
        let sidecar = try sidecar(to: [liar, honest], keys: keys)
        for _ in 0..<6 { #expect(try visit(sidecar) == "honest") }
        let report = probes(sidecar)
        #expect(report.refusedTotal > 0 && sidecar.plane.strayAnswers > 0)
        #expect(report.answeredTotal + report.lateTotal <= UInt64(honest.questions + 1))
        #expect((sidecar.endpoints[0].fleetOutstanding ?? 0) >= 40)
    }

    @Test("Keys that are rotated are worked with at once")
    func rotation() throws {
        let keys = ProbeKeyDesk(gossipKeys: [Self.key])
        let a = try FakeRemora("a") { [answer($0, outstanding: 30, keys: [Self.otherKey])] }
        let b = try FakeRemora("b") { [answer($0, outstanding: 2, keys: [Self.otherKey])] }
        let sidecar = try sidecar(to: [a, b], keys: keys)
        _ = try visit(sidecar)
        #expect(probes(sidecar).answeredTotal == 0)
        // Installed, not yet in use: good for a check.
        keys.replace(by: [Self.key, Self.otherKey])
        sidecar.plane.changedProbeKeys()
        #expect(
            eventually {
                _ = try? visit(sidecar)
                return probes(sidecar).answeredTotal > 0
            })
        for _ in 0..<6 { #expect(try visit(sidecar) == "b") }
    }

    @Test("Who asks for local counts asks nobody, nor does who has one endpoint")
    func unasked() throws {
        let remoras = try ["a", "b"].map { name in try FakeRemora(name) { [answer($0, outstanding: 1)] } }
        let local = try sidecar(to: remoras) {
            $0.upstream = UpstreamOptions(name: "back", source: .service("s"), load: .local)
        }
        for _ in 0..<5 { _ = try visit(local) }
        #expect(local.upstream.probes == nil && local.upstream.load == "local")
        let one = try sidecar(to: [remoras[0]])
        for _ in 0..<5 { _ = try visit(one) }
        #expect(remoras.map(\.questions) == [0, 0])
    }

    @Test("No more is asked than the node's share, and the rest is placed by own counts")
    func budget() throws {
        let remoras = try ["a", "b"].map { name in try FakeRemora(name) { [answer($0, outstanding: 1)] } }
        let sidecar = try sidecar(to: remoras) { $0.probes?.perSecond = 20 }
        let began = Kernel.now()
        // What was learnt first serves for as long as it is fresh, however many come by then.
        var visits: UInt64 = 0
        #expect(
            eventually {
                _ = try? visit(sidecar)
                visits += 1
                return probes(sidecar).localPicksTotal > 0
            })
        let report = probes(sidecar)
        #expect(Double(report.sentTotal) <= 2 + 20 * (Kernel.now() - began).inSeconds + 1)
        #expect(report.fleetPicksTotal + report.localPicksTotal == visits)
    }

    @Test("A client that is reset, or all aborted, while it waits for answers leaves nothing behind")
    func goneWhileWaiting() throws {
        let silent = [try FakeRemora("a") { _ in [] }, try FakeRemora("b") { _ in [] }]
        let sidecar = try sidecar(to: silent)
        for _ in 0..<3 { try sidecar.connect().abort() }
        #expect(sidecar.settles())
        for _ in 0..<50 { _ = try sidecar.connect() }
        sidecar.end()
        #expect(sidecar.plane.connections == 0)
    }
}
