import Testing
import Upstreams
import Vocabulary

@Suite("Slow start")
struct SlowStartTests {
    static func lab() throws -> FleetLab { try FleetLab { $0.slowStart = .seconds(10) } }

    static func shares(_ lab: inout FleetLab, of name: String, seconds: Int) -> [UInt32?] {
        (0..<seconds).map { _ in
            lab.publish()
            defer { lab.run(for: .milliseconds(900)) }
            return lab.endpoint(name)?.share
        }
    }

    @Test("One that comes to others grows from a tenth to all of its weight, a tenth at a time")
    func newcomer() throws {
        var lab = try Self.lab()
        lab.populate(3)
        lab.run(for: .seconds(10))
        let version = lab.discovery.current.version
        lab.see("new", tags: ["svc.a": ":80;weight=200"])
        #expect(Self.shares(&lab, of: "new", seconds: 12) == [20, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 200])
        #expect(lab.endpoint("m00")?.share == 100)
        #expect(lab.endpoint("new")?.weight == Weight(200))
        // One snapshot for each step, and none beside.
        #expect(lab.discovery.current.version == version + 10)
        #expect(lab.discovery.nextWake == nil)
    }

    @Test("An upstream whose endpoints are all new shields none of them")
    func allNew() throws {
        var lab = try Self.lab()
        for number in 0..<10 {
            lab.see(FleetLab.name(number))
            lab.run(for: .milliseconds(500))
        }
        #expect(lab.upstream().endpoints.allSatisfy { $0.ramp == 100 })
    }

    @Test("It begins anew for one that was out, not for one that was merely suspect")
    func comingBack() throws {
        var lab = try Self.lab()
        lab.populate(5)
        lab.run(for: .seconds(20))
        lab.see("m00", .suspect)
        lab.publish()
        lab.see("m00", incarnation: 2)
        lab.publish()
        #expect(lab.endpoint("m00")?.share == 100)
        for away in [FleetMember.State.dead, .left] {
            lab.see("m00", away)
            lab.publish()
            lab.see("m00", incarnation: 3)
            lab.publish()
            #expect(lab.endpoint("m00")?.share == 10, "\(away)")
            lab.run(for: .seconds(20))
            #expect(lab.endpoint("m00")?.share == 100)
        }
        lab.observe(.refused, of: "m01")
        lab.run(for: .milliseconds(1100))
        #expect(lab.endpoint("m01")?.share == 10)
    }

    @Test("One that is lost while it grows waits for nothing")
    func lost() throws {
        var lab = try Self.lab()
        lab.populate(3)
        lab.run(for: .seconds(10))
        lab.see("new")
        lab.publish()
        lab.see("new", .dead)
        lab.publish()
        #expect(lab.discovery.nextWake == nil)
    }

    @Test("Without the option nobody grows")
    func off() throws {
        var lab = try FleetLab()
        lab.populate(3)
        lab.run(for: .seconds(100))
        lab.see("new")
        lab.publish()
        #expect(lab.endpoint("new")?.share == 100)
    }
}
