import Stats
import Testing

@testable import remora

@Suite("What top shows")
struct TopFrameTests {
    /// A report of `endpoints` endpoints and as many listeners and upstreams, after `seconds` of traffic.
    private static func stats(
        _ count: Int, seconds: UInt64, dead: Int? = nil, name: String = "edge-001"
    ) -> StatsReport {
        let listeners = (0..<count).map { number in
            var listener = ListenerReport(
                name: "listener-\(number)", address: "127.0.0.1:\(number)", upstream: "up-\(number)", state: .listening)
            listener.connections = number
            listener.connectionsTotal = 7 + UInt64(number) * 5 * seconds
            listener.receivedBytesTotal = 2048 * seconds
            return listener
        }
        let upstreams = (0..<count).map { number in
            var endpoint = EndpointReport(
                address: "10.0.0.\(number):80", member: nil, zone: nil, state: number == dead ? "dead" : "fit",
                reason: "A reason.",
                weight: 100)
            endpoint.outstanding = number
            endpoint.failuresTotal = number == 1 ? 3 * seconds : 0
            return UpstreamReport(name: "up-\(number)", balance: "p2c", load: "local", endpoints: [endpoint])
        }
        return StatsReport(
            node: name, version: "0.1.0", uptimeSeconds: 60, listeners: listeners, upstreams: upstreams,
            stage: StageReport(name: "serving", ready: true, line: "ready"))
    }

    private static func lines(
        _ count: Int, width: Int = 80, height: Int = 24, colours: Bool = false,
        dead: Int? = nil, _ change: (inout TopFrame.Sample) -> Void = { _ in }
    ) -> [String] {
        var sample = TopFrame.Sample(
            stats: stats(count, seconds: 12, dead: dead), before: stats(count, seconds: 10, dead: dead), seconds: 2,
            members: [], silence: nil)
        change(&sample)
        return TopFrame(sample, width: width, height: height, colours: colours).lines
    }

    /// The words of the line that begins with `name`.
    private static func row(_ name: String, in lines: [String]) -> [String]? {
        lines.first { $0.hasPrefix("\(name) ") }?.split(separator: " ").map(String.init)
    }

    @Test("Rates are those between two looks, and unknown at the first or when a count falls")
    func rates() {
        #expect(
            Self.row("listener-2", in: Self.lines(3))
                == ["listener-2", "listening", "2", "10", "0", "2.0", "KiB", "0", "B"])
        let first = Self.lines(3) { $0.before = nil }
        #expect(Self.row("listener-2", in: first) == ["listener-2", "listening", "2", "-", "-", "-", "-"])
        // Another process has begun at zero
        let fallen = Self.lines(3) { $0.before = Self.stats(3, seconds: 20) }
        #expect(Self.row("listener-2", in: fallen)?[3] == "-")
    }

    @Test("The worst endpoints come first: those that are not fit, that fail, that wait")
    func worst() throws {
        let lines = Self.lines(5, height: 40, dead: 3)
        let start = try #require(lines.firstIndex { $0.hasPrefix("ENDPOINT") })
        let order = lines[(start + 1)...].compactMap { $0.split(separator: " ").first.map(String.init) }
        #expect(order == [3, 1, 4, 2, 0].map { "10.0.0.\($0):80" })
    }

    @Test(
        "Whatever there is to show fits on the screen, and what does not is a number",
        arguments: [(80, 24), (40, 10), (200, 60), (1, 1), (80, 8)], [0, 1, 3, 50, 1000])
    func fits(size: (width: Int, height: Int), count: Int) {
        for hasMore in [false, true] {
            let lines = Self.lines(count, width: size.width, height: size.height) { sample in
                guard hasMore else { return }
                sample.stats.membership = MembershipReport()
                sample.silence = String(repeating: "because ", count: 50)
                sample.members = (0..<100).map {
                    MemberReport(
                        name: "m\($0)", address: "", state: "dead", incarnation: 0, tags: [:], zone: nil,
                        sinceSeconds: 1, remora: true)
                }
            }
            #expect(lines.count <= max(8, size.height))
            #expect(lines.allSatisfy { $0.count <= max(20, size.width) })
            if count > size.height, size.width >= 40, size.height >= 24 {
                #expect(lines.contains { $0.hasSuffix("more listeners") })
                #expect(lines.contains { $0.hasSuffix("more endpoints") })
            }
        }
    }

    @Test("Colours change what a line looks like and not what it says")
    func colours() {
        let plain = Self.lines(3, dead: 1)
        let coloured = Self.lines(3, colours: true, dead: 1)
        #expect(coloured.contains { $0.contains("\u{1B}[31m") } && coloured.contains { $0.contains("\u{1B}[32m") })
        #expect(coloured.map { $0.replacing(/\u{1B}\[\d+m/, with: "") } == plain)
    }

    @Test("A name that carries a terminal's escape codes cannot use them")
    func escapes() {
        let lines = Self.lines(1) { $0.stats.node = "\u{1B}[2Jevil\u{07}" }
        #expect(lines[0].hasPrefix("?[2Jevil?"))
    }
}
