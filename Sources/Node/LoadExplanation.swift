// The end of `explain upstream`: why connections went where they went.
//
// By counts since the start, not by one connection's history: a pick leaves no trace of what it compared, since to keep
// one would cost more than the pick. What was compared, how old it was, and what came of it are all there is to say.

import Balancing
import Stats
import Upstreams
import Vocabulary

extension UpstreamSnapshot {
    /// - Parameters:
    ///   - report: of this upstream.
    ///   - telemetry: nil where it is off.
    func loadExplanation(_ report: UpstreamReport, _ telemetry: TelemetryReport?) -> [String] {
        guard !endpoints.isEmpty else { return [] }
        return [rule] + fleetSentences(report, telemetry) + report.shares
    }

    /// What decides, whatever the config asks for: `least_request` never compares the fleet's load, and `p2c` only where
    /// two endpoints tell theirs.
    private var rule: String {
        let whose =
            comparesReports
            ? "as their own sidecars count them, from all callers" : "of this node alone"
        let outstanding = "outstanding requests for its weight, \(whose)"
        return switch options.balance {
        case .p2c: "Of two endpoints drawn by weight a connection goes to the one with fewer \(outstanding) (p2c)."
        case .leastRequest: "A connection goes to the endpoint with the fewest \(outstanding) (least_request)."
        case .roundRobin: "Connections go to endpoints in turn, by weight and whatever their load (round_robin)."
        case .random: "A connection goes to an endpoint drawn by weight, whatever its load (random)."
        case .ringHash: "A connection goes to the owner of its key on the ring\(bound) (ring_hash)."
        case .maglev: "A connection goes to the owner of its key in the table\(bound) (maglev)."
        }
    }

    private var bound: String {
        guard let factor = options.hash.boundedLoad else { return "" }
        let whose = options.comparedLoad == .fleet ? "this node's, and the fleet's where they are fresh" : "this node's"
        return ", or to the next where that one has \(factor) times the average of outstanding requests, \(whose)"
    }

    private func fleetSentences(_ report: UpstreamReport, _ telemetry: TelemetryReport?) -> [String] {
        guard options.comparedLoad == .fleet else { return [] }
        var sentences = silence
        guard let probes = report.probes else { return sentences }
        let (fleet, own) = (probes.fleetPicksTotal, probes.localPicksTotal)
        if fleet + own > 0 {
            let age = fleet > 0 ? ", \(Self.milliseconds(probes.meanAgeSeconds)) old on the average" : ""
            sentences.append(
                "\(fleet) of \(fleet + own) connections (\(Self.percent(fleet, of: fleet + own))) went by the fleet's load\(age); \(probes.waitsTotal) waited for it."
            )
        }
        if own > 0 {
            let stale = own - min(own, probes.unreportedPicksTotal + probes.alonePicksTotal)
            let why = [
                (stale, "nothing fresh was known of the two in time"),
                (probes.unreportedPicksTotal, "an endpoint was drawn whose load nobody tells"),
                (probes.alonePicksTotal, "there was no second one"),
            ]
            let reasons = why.filter { $0.0 > 0 }.map { "for \($0.0) \($0.1)" }.joined(separator: ", ")
            sentences.append(
                "\(own) went by this node's own counts: \(reasons)."
            )
        }
        sentences.append(
            "Asked \(probes.sentTotal) times, sidecars answered \(probes.answeredTotal) times in time and \(probes.lateTotal) late."
        )
        if let telemetry, telemetry.expected > 0 {
            sentences.append(
                "Gossip brings loads of \(telemetry.held) of \(telemetry.expected) remoras with services, half of them within \(Self.milliseconds(telemetry.ageP50Seconds))."
            )
        }
        return sentences
    }

    /// Whose load can only be this node's own counts, though the fleet's is wanted.
    private var silence: [String] {
        guard options.balance == .p2c else { return [] }
        let silent = endpoints.indices.count { unsafe !records[$0].reportsLoad }
        guard silent > 0 else { return [] }
        return [
            "\(silent) of \(endpoints.count) endpoints tell no load: no inbound listener of a remora stands before them."
        ]
    }

    private static func percent(_ part: UInt64, of whole: UInt64) -> String {
        "\(Int((Double(part) * 100 / Double(max(1, whole))).rounded())) %"
    }

    private static func milliseconds(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10_000).rounded())
        return tenths < 10_000 ? "\(tenths / 10).\(tenths % 10) ms" : "\(tenths / 10_000).\(tenths % 10_000 / 1_000) s"
    }
}

extension UpstreamReport {
    private static func words(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10_000).rounded())
        return seconds < 1 ? "\(tenths / 10).\(tenths % 10) ms" : Duration.seconds(seconds).inWords
    }

    /// Those with the most connections are named.
    private static let named = 12

    /// What each endpoint got, the most first.
    fileprivate var shares: [String] {
        let total = endpoints.reduce(UInt64(0)) { $0 + $1.connectionsTotal }
        guard total > 0 else { return ["No connection has been placed on these endpoints since they came."] }
        let sorted = endpoints.sorted { ($1.connectionsTotal, $0.address) < ($0.connectionsTotal, $1.address) }
        let lines = sorted.prefix(Self.named).map { endpoint in
            let who = "\(endpoint.address)\(endpoint.member.map { " of \($0)" } ?? "")"
            let fleet = endpoint.fleetOutstanding.map { ", \($0) by its sidecar" } ?? ""
            let time = endpoint.fleetAnswerSeconds.map { "; answers take \(Self.words($0)) there" } ?? ""
            return
                "\(who) got \(endpoint.connectionsTotal) of \(total) connections (\(Int((Double(endpoint.connectionsTotal) * 100 / Double(total)).rounded())) %); outstanding there: \(endpoint.outstanding) of this node\(fleet)\(time)."
        }
        let rest = sorted.count - lines.count
        return lines + (rest > 0 ? ["\(rest) more got no more than these."] : [])
    }
}
