import Testing
import Upstreams
import Vocabulary

@Suite("Ejection by what is seen from here")
struct EjectionTests {
    @Test(
        "A refused or unreachable connect ejects at once, for a second",
        arguments: [Observation.Kind.refused, .unreachable])
    func hardEvidence(kind: Observation.Kind) throws {
        var lab = try FleetLab()
        lab.populate(3)
        lab.run(for: .seconds(1))
        lab.observe(kind, of: "m00")
        // Published without delay, as it was quiet
        #expect(lab.discovery.nextSet(at: lab.now) != nil)
        #expect(lab.endpoint("m00")?.fitness.state == .ejected)
        #expect(lab.tiers().preferred == ["m01", "m02"])
        lab.run(for: .milliseconds(999))
        #expect(lab.endpoint("m00")?.fitness.state == .ejected)
        lab.run(for: .milliseconds(101))
        #expect(lab.endpoint("m00")?.fitness.state == .fit)
    }

    /// How long an endpoint stays ejected from now on, in seconds.
    static func ejection(_ lab: inout FleetLab, of name: String) throws -> Int {
        _ = lab.state(name)
        var seconds = 0
        while lab.endpoint(name)?.fitness.state == .ejected {
            lab.run(for: .seconds(1))
            seconds += 1
            try #require(seconds < 10_000)
        }
        return seconds
    }

    @Test("Each further refusal in a row doubles it, up to the option")
    func doubling() throws {
        var lab = try FleetLab { $0.outlier.ejection = .seconds(20) }
        lab.populate(3)
        var lengths: [Int] = []
        for _ in 0..<7 {
            lab.observe(.refused, of: "m00")
            lengths.append(try Self.ejection(&lab, of: "m00"))
        }
        #expect(lengths == [1, 2, 4, 8, 16, 20, 20])
        #expect(lab.readings == 0)
    }

    @Test("Refusals of the same moment count once, from however many workers")
    func simultaneous() throws {
        var lab = try FleetLab()
        lab.populate(3)
        for _ in 0..<100 { lab.observe(.refused, of: "m00") }
        #expect(try Self.ejection(&lab, of: "m00") == 1)
    }

    @Test("An answer, or an interval left in peace, starts the row anew", arguments: [true, false])
    func row(answered: Bool) throws {
        var lab = try FleetLab()
        lab.populate(3)
        for _ in 0..<4 {
            lab.observe(.refused, of: "m00")
            _ = try Self.ejection(&lab, of: "m00")
        }
        if answered { lab.observe(.answered, of: "m00") } else { lab.run(for: .seconds(30)) }
        lab.observe(.refused, of: "m00")
        #expect(try Self.ejection(&lab, of: "m00") == 1)
    }

    @Test(
        "Time-outs and early resets eject only when there are enough in a row",
        arguments: [Observation.Kind.timedOut, .reset])
    func softEvidence(kind: Observation.Kind) throws {
        var lab = try FleetLab()
        lab.populate(4)
        lab.observe(kind, of: "m00", streak: 4)
        #expect(lab.state("m00") == .fit)
        lab.observe(kind, of: "m00", first: 5, streak: 5)
        #expect(lab.state("m00") == .ejected)
        #expect(
            lab.endpoint("m00")?.fitness.reason
                == "5 connections in a row timed out or were reset before an answer; it is left alone for 60 s.")
    }

    @Test("Soft ejections grow by one length each, five at most, and fall by one per interval without one")
    func growth() throws {
        var lab = try FleetLab { $0.outlier.ejection = .seconds(10) }
        lab.populate(4)
        var lengths: [Int] = []
        for _ in 0..<6 {
            lab.observe(.timedOut, of: "m00", streak: 5)
            lengths.append(try Self.ejection(&lab, of: "m00"))
        }
        #expect(lengths == [10, 20, 30, 40, 50, 50])
        lab.run(for: .seconds(65))
        lab.observe(.timedOut, of: "m00", streak: 5)
        // Two intervals: from five to three, and one more.
        #expect(try Self.ejection(&lab, of: "m00") == 40)
    }

    @Test("At most the given part is ejected for soft failures, but always one of two or more")
    func maxEjected() throws {
        for (members, percent, most) in [(10, 50, 5), (10, 10, 1), (10, 0, 1), (2, 50, 1), (1, 50, 0), (1, 100, 1)] {
            var lab = try FleetLab { $0.outlier.maxEjectedPercent = percent }
            lab.populate(members)
            for number in 0..<members { lab.observe(.reset, of: FleetLab.name(number), streak: 9) }
            lab.publish()
            let ejected = lab.upstream().endpoints.count { $0.fitness.state == .ejected }
            #expect(ejected == most, "\(members) members, \(percent) %")
        }
    }

    @Test("Ejected endpoints that serve no more leave room for others", arguments: FleetMember.State.allCases)
    func ejectedAndGone(state: FleetMember.State) throws {
        var lab = try FleetLab { $0.outlier.maxEjectedPercent = 50 }
        lab.populate(4)
        for name in ["m00", "m01"] { lab.observe(.reset, of: name, streak: 9) }
        if state == .alive {
            // They drain, instead.
            for name in ["m00", "m01"] { lab.see(name, tags: ["svc.a": ":80;health=draining"]) }
        } else {
            for name in ["m00", "m01"] { lab.see(name, state) }
        }
        lab.publish()
        for name in ["m02", "m03"] { lab.observe(.reset, of: name, streak: 9) }
        lab.publish()
        // A suspect one still serves.
        #expect(lab.endpoint("m02")?.fitness.state == (state == .suspect ? .fit : .ejected))
        #expect(lab.endpoint("m03")?.fitness.state == .fit)
    }

    @Test("Refusals are proof for each by itself: they know no such bound")
    func allRefuse() throws {
        var lab = try FleetLab { $0.outlier.maxEjectedPercent = 10 }
        lab.populate(10)
        for number in 0..<10 { lab.observe(.refused, of: FleetLab.name(number)) }
        lab.publish()
        #expect(lab.upstream().endpoints.allSatisfy { $0.fitness.state == .ejected })
        // The panic threshold is what guards against this.
        #expect(lab.tiers().preferred.count == 10)
    }

    struct Share: CustomTestStringConvertible {
        var answered: UInt64
        var failed: UInt64
        var isEjected: Bool
        var testDescription: String { "\(failed) failed, \(answered) answered" }
    }

    @Test(
        "A share of failures ejects at the interval's end, of 50 connections or more",
        arguments: [
            Share(answered: 90, failed: 10, isEjected: false), Share(answered: 89, failed: 11, isEjected: true),
            Share(answered: 0, failed: 49, isEjected: false), Share(answered: 0, failed: 50, isEjected: true),
            Share(answered: 0, failed: 0, isEjected: false),
        ])
    func failurePercent(share: Share) throws {
        var lab = try FleetLab()
        lab.populate(4)
        let cell = try #require(lab.endpoint("m00")?.cell)
        // What the cell counted before is another time's, perhaps another endpoint's.
        lab.counts[cell] = EndpointCounts(answered: 1000, failed: 5000)
        lab.run(for: .seconds(60))
        #expect(lab.readings == 0)
        lab.observe(.timedOut, of: "m00", streak: 1)
        lab.observe(.timedOut, of: "m00", streak: 1)
        #expect(lab.readings == 1)
        lab.counts[cell] = EndpointCounts(answered: 1000 + share.answered, failed: 5000 + share.failed)
        lab.run(for: .milliseconds(29_800))
        #expect(lab.state("m00") == .fit)
        lab.run(for: .milliseconds(200))
        #expect(lab.state("m00") == (share.isEjected ? .ejected : .fit))
        #expect(lab.readings == 2)
        lab.run(for: .seconds(300))
        #expect(lab.readings == 2)
        #expect(lab.discovery.nextWake == nil)
    }

    @Test(
        "A member that comes back, or passes its check again, has its ejection lifted; another incarnation is not enough"
    )
    func lifting() throws {
        func ejected(_ change: (inout FleetLab) -> Void) throws -> Fitness.State? {
            var lab = try FleetLab()
            lab.populate(5)
            lab.observe(.timedOut, of: "m00", streak: 5)
            #expect(lab.state("m00") == .ejected)
            change(&lab)
            return lab.state("m00")
        }
        for gone in [FleetMember.State.dead, .left] {
            #expect(
                try ejected {
                    $0.see("m00", gone)
                    $0.see("m00", incarnation: 2)
                } == .fit)
        }
        #expect(
            try ejected {
                $0.see("m00", tags: ["svc.a": ":80;health=failing"])
                $0.see("m00")
            } == .fit)
        // Refuting a suspicion proves only that the same process lives.
        #expect(
            try ejected {
                $0.see("m00", .suspect)
                $0.see("m00", incarnation: 2)
            } == .ejected)
        // So does another tag.
        #expect(try ejected { $0.see("m00", tags: ["svc.a": ":80", "x": "y"], incarnation: 2) } == .ejected)
        #expect(try ejected { $0.see("m00", tags: ["svc.a": ":80;weight=50"], incarnation: 3) } == .ejected)
    }

    @Test("After its ejection one more failure of a worker's row ejects; once it was lifted it takes a new row")
    func rowAfterEjection() throws {
        var lab = try FleetLab { $0.outlier.ejection = .seconds(10) }
        lab.populate(4)
        lab.observe(.timedOut, of: "m00", streak: 5)
        lab.run(for: .seconds(11))
        #expect(lab.state("m00") == .fit)
        lab.observe(.timedOut, of: "m00", first: 6, streak: 6)
        #expect(lab.state("m00") == .ejected)
        lab.see("m00", .dead)
        lab.see("m00", incarnation: 2)
        #expect(lab.state("m00") == .fit)
        lab.observe(.timedOut, of: "m00", first: 7, streak: 10)
        #expect(lab.state("m00") == .fit)
        lab.observe(.timedOut, of: "m00", first: 11, streak: 11)
        #expect(
            lab.publish().upstreams[0].endpoints[0].fitness.reason
                == "5 connections in a row timed out or were reset before an answer; it is left alone for 10 s.")
    }

    @Test("An answer that one worker was given ends the row that another sees")
    func answeredElsewhere() throws {
        var lab = try FleetLab()
        lab.populate(4)
        lab.observe(.timedOut, of: "m00", streak: 4)
        lab.observe(.answered, of: "m00")
        lab.observe(.timedOut, of: "m00", first: 5, streak: 8)
        #expect(lab.state("m00") == .fit)
    }

    @Test("An answer on a connection of before is one, though it comes during the ejection")
    func answeredMeanwhile() throws {
        var lab = try FleetLab()
        lab.populate(3)
        for _ in 0..<4 {
            lab.observe(.refused, of: "m00")
            _ = try Self.ejection(&lab, of: "m00")
        }
        lab.observe(.refused, of: "m00")
        lab.observe(.answered, of: "m00")
        #expect(try Self.ejection(&lab, of: "m00") == 16)
        lab.observe(.refused, of: "m00")
        #expect(try Self.ejection(&lab, of: "m00") == 1)
    }

    @Test("A lifted ejection makes room for another")
    func liftingMakesRoom() throws {
        var lab = try FleetLab()
        lab.populate(2)
        lab.observe(.timedOut, of: "m00", streak: 5)
        lab.observe(.timedOut, of: "m01", streak: 5)
        #expect(lab.state("m01") == .fit)
        lab.see("m00", .dead)
        lab.see("m00", incarnation: 2)
        lab.observe(.timedOut, of: "m01", streak: 5)
        #expect(lab.state("m01") == .ejected)
        lab.discovery.forget("m01", at: lab.now)
        lab.see("m02")
        lab.observe(.timedOut, of: "m00", streak: 5)
        #expect(lab.state("m00") == .ejected)
    }

    @Test("Static endpoints are ejected alike, and observations of endpoints that went are passed over")
    func others() throws {
        var lab = try FleetLab([
            UpstreamOptions(
                name: "u", endpoints: [1, 2].map { StaticEndpoint(address: .ipv4(.loopback, port: $0)) })
        ])
        let cell = lab.upstream().endpoints[0].cell
        lab.discovery.observe(Observation(cell: cell, kind: .refused), at: lab.now) { _ in .init(answered: 0, failed: 0)
        }
        lab.discovery.observe(Observation(cell: 77, kind: .refused), at: lab.now) { _ in .init(answered: 0, failed: 0) }
        lab.publish()
        #expect(lab.upstream().endpoints.map(\.fitness.state) == [.ejected, .fit])
        lab.run(for: .seconds(1))
        #expect(lab.upstream().endpoints.map(\.fitness.state) == [.fit, .fit])
        #expect(lab.discovery.nextWake == nil)
    }

    @Test("A reason stays word for word until something happens")
    func stableReason() throws {
        var lab = try FleetLab { $0.outlier.ejection = .seconds(60) }
        lab.populate(4)
        lab.observe(.timedOut, of: "m00", streak: 5)
        let set = lab.publish()
        lab.run(for: .seconds(59))
        #expect(lab.discovery.current === set)
    }
}
