import FleetLoad
import Stats
import Testing
import Upstreams
import Vocabulary

@testable import Node

@Suite("What explain says of loads and of agreement")
struct LoadExplanationTests {
    /// An upstream with as many endpoints as are given, and whether each one's sidecar tells its load.
    private func said(
        _ reporting: [Bool], balance: BalancePolicy = .p2c, load: LoadSource = .fleet, zones: [String]? = nil,
        connections: (Int) -> UInt64 = { _ in 0 }, probes: ProbesReport? = nil
    ) -> [String] {
        let endpoints = reporting.enumerated().map { number, reports in
            let address = SocketAddress.ipv4(.init(bits: 0x0A00_0000 + UInt32(number)), port: 80)
            return Endpoint(
                identity: EndpointIdentity(member: "m\(number)", address: address), zone: zones?[number],
                fitness: Fitness(.fit, because: "The test says so."), cell: LoadCells.Index(number),
                probe: reports ? address.with(port: 7000) : nil)
        }
        let options = UpstreamOptions(name: "u", source: .service("s"), balance: balance, load: load)
        let snapshot = UpstreamSnapshot(
            options: options, endpoints: endpoints, zones: zones.map { ZoneView(own: $0[0], callers: [$0[0]: 1]) })
        var report = UpstreamReport(
            name: "u", balance: balance.rawValue, load: load.rawValue,
            endpoints: endpoints.indices.map { number in
                var endpoint = EndpointReport(
                    address: "10.0.0.\(number):80", member: nil, zone: nil, state: "fit", reason: "", weight: 100)
                endpoint.connectionsTotal = connections(number)
                return endpoint
            })
        report.probes = probes
        return snapshot.loadExplanation(report, nil)
    }

    private static let byFleet = "as their own sidecars count them, from all callers"

    @Test("p2c goes by the fleet's load where two endpoints tell theirs, and by this node's where they do not")
    func whose() {
        #expect(said([true, true])[0].contains(Self.byFleet))
        #expect(said([true, true, false])[0].contains(Self.byFleet))
        for own in [said([true, false]), said([false, false]), said([true, true], load: .local)] {
            #expect(own[0].contains("of this node alone (p2c)") && !own[0].contains(Self.byFleet))
        }
        // Two of one zone are compared, two of different zones never.
        #expect(said([true, true, false, false], zones: ["a", "a", "b", "b"])[0].contains(Self.byFleet))
        #expect(said([true, false, true, false], zones: ["a", "a", "b", "b"])[0].contains("of this node alone"))
    }

    @Test("least_request goes by this node's own counts, whoever tells a load")
    func leastRequest() {
        let said = said([true, true, false], balance: .leastRequest)
        #expect(
            said[0]
                == "A connection goes to the endpoint with the fewest outstanding requests for its weight, of this node alone (least_request)."
        )
        #expect(!said.contains { $0.contains("tell no load") })
    }

    @Test("Who tells no load is counted before anybody was asked, and after")
    func silent() {
        let words = "2 of 3 endpoints tell no load: no inbound listener of a remora stands before them."
        #expect(said([true, false, false])[1] == words)
        var probes = ProbesReport()
        (probes.fleetPicksTotal, probes.sentTotal) = (1, 2)
        #expect(said([true, false, false], probes: probes)[1] == words)
        #expect(!said([true, true]).contains { $0.contains("tell no load") })
        #expect(!said([true, false], load: .local).contains { $0.contains("tell no load") })
    }

    @Test("Those that are not named got no more than those that are, which is not always fewer")
    func rest() {
        let many = [Bool](repeating: true, count: 14)
        #expect(said(many) { _ in 3 }.last == "2 more got no more than these.")
        #expect(said(many).last == "No connection has been placed on these endpoints since they came.")
        #expect(said([true, true]) { _ in 3 }.last?.contains("got 3 of 6 connections (50 %)") == true)
    }

    // MARK: Agreement

    /// Of so many remoras, this one among them, with the views and configs of those that were heard.
    private func sentence(
        remoras: Int, unheard: Int = 0, differing: [String] = [], otherConfig: [String] = []
    ) -> String {
        var agreement = FleetAgreement()
        (agreement.remoras, agreement.unheard) = (remoras, unheard)
        agreement.sameView = remoras - unheard - differing.count
        agreement.sameConfig = remoras - unheard - otherConfig.count
        agreement.differing = differing.map { .init(member: $0, time: .seconds(3)) }
        agreement.otherConfig = otherConfig
        return AgreementReport(agreement).sentence
    }

    @Test("All is said only where all have said so")
    func agreement() {
        #expect(sentence(remoras: 1) == "No other remora is there to agree with.")
        #expect(sentence(remoras: 2, unheard: 1) == "The other remora has not said yet what it sees.")
        #expect(sentence(remoras: 60, unheard: 59) == "None of the 59 other remoras has said yet what it sees.")
        #expect(
            sentence(remoras: 60)
                == "All 60 remoras have our view of the fleet; all have our upstreams in their configs.")
        #expect(
            sentence(remoras: 60, unheard: 3)
                == "57 of 60 remoras have our view of the fleet; those 57 have our upstreams in their configs; 3 have not said yet."
        )
        #expect(
            sentence(remoras: 60, unheard: 1, differing: ["b"])
                == "58 of 60 remoras have our view of the fleet; b differs for \(Duration.seconds(3).inWords); those 59 have our upstreams in their configs; 1 has not said yet."
        )
        #expect(
            sentence(remoras: 60, unheard: 3, otherConfig: ["c"])
                == "57 of 60 remoras have our view of the fleet; other upstreams in their configs have c; 3 have not said yet."
        )
        #expect(AgreementReport(nil).remoras == 0)
    }
}
