// What `remora top` shows: a pure function of two answers of the admin port and the size of the screen.
//
// The screen is shared out from above: what is one line always has its line; listeners and upstreams get a third of the
// rest each, those with the most traffic first; endpoints get what is left, the worst first. What does not fit is a
// number.

import Admin
import Stats

struct TopFrame {
    /// Two answers, and how far apart they are.
    struct Sample {
        var stats: StatsReport
        /// Nil at the first: rates are not known yet.
        var before: StatsReport?
        var seconds: Double
        var members: [MemberReport]
        /// Why there is no newer answer; nil where this is one.
        var silence: String?
    }

    private let sample: Sample
    private let width: Int
    private let height: Int
    private let colours: Bool

    init(_ sample: Sample, width: Int, height: Int, colours: Bool) {
        self.sample = sample
        self.width = max(20, width)
        self.height = max(8, height)
        self.colours = colours
    }

    /// As many as the screen has, or fewer.
    var lines: [String] {
        var lines = head
        // Three titles, three blank lines and three lines for what is left out.
        let rows = max(3, height - lines.count - 9)
        let listeners = table(listenerRows, Self.listenerTitles, most: max(1, rows / 3), noun: "listeners")
        let upstreams = table(upstreamRows, Self.upstreamTitles, most: max(1, rows / 3), noun: "upstreams")
        lines += [""] + listeners + [""] + upstreams
        let left = height - lines.count - 3
        lines += [""] + table(endpointRows, Self.endpointTitles, most: max(1, left), noun: "endpoints")
        return Array(lines.prefix(height))
    }

    // MARK: The head

    private var head: [String] {
        let stats = sample.stats
        var lines = [
            "\(stats.node)  remora \(stats.version)  up \(HumanUnits.duration(stats.uptimeSeconds))  \(stats.stage?.line ?? "")"
        ]
        if let membership = stats.membership {
            lines.append(
                "members: \(membership.alive) alive, \(membership.suspect) suspect, \(membership.dead) dead, \(membership.left) left"
                    + (membership.lastKnownGood ? "; the view is not believed" : "")
                    + "  view \(membership.viewChecksum)")
            if membership.agreement.otherView > 0 { lines.append("  " + membership.agreement.sentence) }
            let troubled = sample.members.filter { $0.state == "suspect" || $0.state == "dead" }
                .sorted { $0.sinceSeconds < $1.sinceSeconds }
            if !troubled.isEmpty {
                let names = troubled.map { "\($0.name) \($0.state) for \(HumanUnits.duration($0.sinceSeconds))" }
                lines.append("  " + names.joined(separator: ", "))
            }
        }
        if let fault = stats.config?.fault { lines.append("config: the last reload was refused: \(fault)") }
        if let silence = sample.silence { lines.append("no answer: \(silence)") }
        return lines.map { String(TextTable.printable($0).prefix(width)) }
    }

    // MARK: Tables

    private typealias Row = (weight: Double, cells: [String])

    private static let listenerTitles: [TextTable.Column] = [
        .left("LISTENER"), .state("STATE"), .right("OPEN"), .right("NEW/S"), .right("REFUSED/S"), .right("IN/S"),
        .right("OUT/S"),
    ]
    private static let upstreamTitles: [TextTable.Column] = [
        .left("UPSTREAM"), .right("FIT"), .right("WAITING"), .right("OPEN"), .right("NEW/S"), .right("FAIL/S"),
        .right("P50"), .right("P99"),
    ]
    private static let endpointTitles: [TextTable.Column] = [
        .left("ENDPOINT"), .left("UPSTREAM"), .state("STATE"), .right("WAITING"), .right("FAIL/S"), .left("REASON"),
    ]

    private var listenerRows: [Row] {
        let before = Dictionary((sample.before?.listeners ?? []).map { ($0.name, $0) }) { first, _ in first }
        return sample.stats.listeners.map { listener in
            let last = before[listener.name]
            func rate(_ count: KeyPath<ListenerReport, UInt64>) -> Double? {
                self.rate(listener[keyPath: count], last?[keyPath: count])
            }
            let new = rate(\.connectionsTotal)
            return (
                (new ?? 0) + Double(listener.connections) / 1e6,
                [
                    listener.name, listener.state.rawValue, "\(listener.connections)", Self.number(new),
                    Self.number(rate(\.refusedTotal)), Self.bytes(rate(\.receivedBytesTotal)),
                    Self.bytes(rate(\.sentBytesTotal)),
                ]
            )
        }
    }

    private var upstreamRows: [Row] {
        let before = Dictionary((sample.before?.upstreams ?? []).map { ($0.name, $0) }) { first, _ in first }
        return sample.stats.upstreams.map { upstream in
            func sum(_ upstream: UpstreamReport, _ count: KeyPath<EndpointReport, UInt64>) -> UInt64 {
                upstream.endpoints.reduce(0) { $0 &+ $1[keyPath: count] }
            }
            let last = before[upstream.name]
            let new = rate(sum(upstream, \.connectionsTotal), last.map { sum($0, \.connectionsTotal) })
            let times = upstream.firstByteSeconds
            let fit = upstream.endpoints.count { $0.state == "fit" }
            return (
                (new ?? 0) + Double(upstream.endpoints.count) / 1e6,
                [
                    upstream.name, "\(fit)/\(upstream.endpoints.count)",
                    "\(upstream.endpoints.reduce(0) { $0 + $1.outstanding })",
                    "\(upstream.endpoints.reduce(0) { $0 + $1.connections })", Self.number(new),
                    Self.number(rate(sum(upstream, \.failuresTotal), last.map { sum($0, \.failuresTotal) })),
                    times.count > 0 ? HumanUnits.duration(times.p50) : "-",
                    times.count > 0 ? HumanUnits.duration(times.p99) : "-",
                ]
            )
        }
    }

    /// Those that are not fit, then those that fail, then those with the most connections that wait.
    private var endpointRows: [Row] {
        var before: [String: EndpointReport] = [:]
        for upstream in sample.before?.upstreams ?? [] {
            for endpoint in upstream.endpoints { before[Self.key(endpoint, upstream)] = endpoint }
        }
        return sample.stats.upstreams.flatMap { upstream in
            upstream.endpoints.map { endpoint in
                let failing = rate(endpoint.failuresTotal, before[Self.key(endpoint, upstream)]?.failuresTotal)
                let weight = (endpoint.state == "fit" ? 0 : 1e12) + (failing ?? 0) * 1e6 + Double(endpoint.outstanding)
                return (
                    weight,
                    [
                        endpoint.member ?? endpoint.address, upstream.name, endpoint.state, "\(endpoint.outstanding)",
                        Self.number(failing), endpoint.reason,
                    ]
                )
            }
        }
    }

    private static func key(_ endpoint: EndpointReport, _ upstream: UpstreamReport) -> String {
        "\(upstream.name) \(endpoint.member ?? "") \(endpoint.address)"
    }

    /// - Parameter most: rows; one line more says how many others there are.
    private func table(_ rows: [Row], _ titles: [TextTable.Column], most: Int, noun: String) -> [String] {
        guard !rows.isEmpty else { return ["no \(noun)"] }
        // Those of the same weight stay in the order of the config.
        let sorted = rows.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }
        var table = TextTable(titles)
        for row in sorted.prefix(most) { table.add(row.element.cells) }
        let more = rows.count > most ? ["\(rows.count - most) more \(noun)"] : []
        return table.lines(width: width, colours: colours) + more
    }

    // MARK: Figures

    /// Per second; nil where it is not known, as for what is new. A count that fell is that of another process.
    private func rate(_ now: UInt64, _ before: UInt64?) -> Double? {
        guard let before, now >= before, sample.seconds > 0 else { return nil }
        return Double(now - before) / sample.seconds
    }

    /// Three digits or so.
    private static func number(_ rate: Double?) -> String {
        guard let rate else { return "-" }
        let tenths = Int((min(rate, 1e15) * 10).rounded())
        return tenths == 0 ? "0" : tenths < 100 ? "\(tenths / 10).\(tenths % 10)" : "\((tenths + 5) / 10)"
    }

    private static func bytes(_ rate: Double?) -> String {
        rate.map { HumanUnits.bytes(UInt64(min($0, 1e18))) } ?? "-"
    }
}
