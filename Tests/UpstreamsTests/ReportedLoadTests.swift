import Testing
import Upstreams
import Vocabulary

@Suite("Reported load")
struct ReportedLoadTests {
    private func said(_ outstanding: UInt32, _ connections: UInt32, milliseconds: Int64) -> ReportedLoad {
        ReportedLoad(
            load: EndpointLoad(outstanding: outstanding, connections: connections),
            measured: Instant(nanoseconds: milliseconds << 20))
    }

    @Test("The later measurement stays, whatever order they come in")
    func order() throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        #expect(cells.reported(of: cell) == nil)
        cells.report(said(9, 20, milliseconds: 5), of: cell)
        cells.report(said(3, 7, milliseconds: 8), of: cell)
        cells.report(said(40, 50, milliseconds: 7), of: cell)
        #expect(cells.reported(of: cell) == said(3, 7, milliseconds: 8))
    }

    @Test("No report is younger for being kept")
    func grain() throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        let moment = Instant(nanoseconds: 7_123_456_789)
        cells.report(ReportedLoad(load: EndpointLoad(outstanding: 1, connections: 1), measured: moment), of: cell)
        let kept = try #require(cells.reported(of: cell)?.measured)
        #expect(kept <= moment && moment - kept < LoadCells.reportGrain)
    }

    @Test("Who goes by a report is counted in it, and a full count does not run over into its time")
    func counting() throws {
        let cells = LoadCells(capacity: 2)
        let cell = try #require(cells.allocate())
        cells.countOnReport(of: cell)
        #expect(cells.reported(of: cell) == nil)
        cells.report(said(2, 5, milliseconds: 5), of: cell)
        cells.countOnReport(of: cell)
        #expect(cells.reported(of: cell) == said(3, 5, milliseconds: 5))
        cells.report(said(.max, .max, milliseconds: 6), of: cell)
        let full = try #require(cells.reported(of: cell))
        cells.countOnReport(of: cell)
        #expect(cells.reported(of: cell) == full && full.load.outstanding == 1 << 21 - 1)
    }

    @Test("A report is nothing to the counts beside it, nor they to it")
    func apart() throws {
        let cells = LoadCells(capacity: 2)
        let cell = try #require(cells.allocate())
        #expect(cells.place(cell))
        cells.report(said(8, 8, milliseconds: 9), of: cell)
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 1, connections: 1))
        cells.unplace(cell, waiting: true)
        #expect(cells.reported(of: cell) == said(8, 8, milliseconds: 9))
        #expect(cells.reported(of: cell + 1) == nil)
    }

    @Test("A cell that is reused has forgotten what was said of the endpoint before")
    func reuse() throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        cells.report(said(8, 8, milliseconds: 9), of: cell)
        cells.release(cell)
        #expect(cells.allocate() == cell)
        #expect(cells.reported(of: cell) == nil)
    }
}

@Suite("The remora tag")
struct RemoraTagTests {
    private let member = SocketAddress.ipv4(.init(bits: 0x0A00_0001), port: 7946)

    @Test(
        "It names the port of load probes, or none",
        arguments: [
            ("1:7947", 7947), ("1:65535", 65535), ("1:0", nil), ("1", nil), ("1:", nil), ("2:7947", nil),
            ("1:65536", nil), ("1:+5", nil), ("1:7947:1", nil), ("", nil), ("1: 5", nil),
        ] as [(String, UInt16?)])
    func ports(text: String, port: UInt16?) {
        #expect(RemoraTag.probeAddress(of: member, in: ["remora": text])?.port == port)
    }

    @Test("It is asked at the member's own address, IPv6 as well")
    func addresses() {
        #expect(RemoraTag.probeAddress(of: member, in: ["remora": "1:9"]) == member.with(port: 9))
        let six = SocketAddress.ipv6(.loopback, port: 1)
        #expect(RemoraTag.probeAddress(of: six, in: ["remora": "1:9"]) == six.with(port: 9))
        #expect(RemoraTag.probeAddress(of: member, in: [:]) == nil)
    }

    @Test("An endpoint is asked only where its tag says that all its callers come through there")
    func discovery() throws {
        var lab = try FleetLab()
        lab.see("asked", tags: ["svc.a": ":80;load=1", "remora": "1:5000"])
        lab.see("bypassed", tags: ["svc.a": ":80", "remora": "1:5000"])
        lab.see("mute", tags: ["svc.a": ":80;load=1", "remora": "1:0"])
        lab.see("plain", tags: ["svc.a": ":80;load=1"])
        lab.publish()
        func asked(_ set: UpstreamSet) -> [String: [UInt8]] {
            let snapshot = set.upstreams[0]
            let view = unsafe SnapshotView(snapshot)
            var asked: [String: [UInt8]] = [:]
            for (number, endpoint) in snapshot.endpoints.enumerated() {
                let record = unsafe snapshot.records[number]
                #expect(unsafe [UInt8](view.address(of: record)) == endpoint.identity.address.kernelForm)
                guard record.reportsLoad, let name = endpoint.identity.member else { continue }
                asked[name] = unsafe [UInt8](view.probeAddress(of: record))
            }
            return asked
        }
        let at = FleetLab.address("asked")
        #expect(asked(lab.discovery.current) == ["asked": at.with(port: 5000).kernelForm])
        // Another port is another snapshot.
        lab.see("asked", tags: ["svc.a": ":80;load=1", "remora": "1:6000"], incarnation: 2)
        lab.publish()
        #expect(asked(lab.discovery.current) == ["asked": at.with(port: 6000).kernelForm])
    }
}
