// `explain`: whether what is wrong is wrong with this node, and what else is wrong as far as it can see.
//
// From the report that `/stats` is made of, so that both say the same. What is well is said in a few words and what is
// not by name; so an answer of six lines is a node that is well.

import Stats
import Vocabulary

extension StatsReport {
    /// Of each kind so many are named; more are counted.
    private static let named = 8

    /// - Parameter members: as `GET /members` has them.
    func explanation(_ members: [MemberReport]) -> ExplanationReport {
        var sentences = [
            "Node \(node) has run remora \(version) for \(Self.time(uptimeSeconds)) and says: \(stage?.line ?? "starting")."
        ]
        sentences += processSentences
        sentences += membershipSentences(members)
        if let roster, roster.isStale { sentences.append(roster.standing) }
        sentences += upstreamSentences
        sentences += doorSentences
        sentences += certificateSentences
        return ExplanationReport(subject: .node, name: node, sentences: sentences)
    }

    private static func time(_ seconds: Double) -> String { Duration.seconds(max(0, seconds)).inWords }

    private static func counting(_ sentences: [String], _ rest: (Int) -> String) -> [String] {
        let more = sentences.count - named
        return sentences.prefix(named) + (more > 0 ? [rest(more)] : [])
    }

    /// Whether it is short of what it needs from the machine.
    private var processSentences: [String] {
        guard let open = process?.openFds, let most = process?.maxFds, open * 10 >= most * 8 else { return [] }
        return ["It has \(open) of \(most) descriptors open: listeners pause when there are none left."]
    }

    private func membershipSentences(_ members: [MemberReport]) -> [String] {
        guard let membership else { return ["It is a member of nothing: its upstreams are those of its config."] }
        var sentences: [String] = []
        if !membership.joined { sentences.append("It has not joined its fleet: no seed has answered yet.") }
        if membership.lastKnownGood {
            sentences.append(
                "Most of the fleet vanished at once, so it takes itself for cut off, and goes by an older view.")
        }
        sentences.append(
            membership.healthScore == 0
                ? "Its own probes are answered in time (local health 0)."
                : "It is not well itself: its probes were late or not answered (local health \(membership.healthScore), 0 is well)."
        )
        let others = members.filter { $0.state == "suspect" || $0.state == "dead" }
        sentences.append(
            "Of \(members.count) members \(membership.alive) are alive, \(membership.suspect) suspect, "
                + "\(membership.dead) dead, \(membership.left) left.")
        sentences += Self.counting(
            others.sorted { ($0.sinceSeconds, $0.name) < ($1.sinceSeconds, $1.name) }.map {
                "Member \($0.name) is \($0.state) for \(Self.time($0.sinceSeconds))\($0.reason.map { ": \($0)" } ?? ".")"
            }
        ) { "\($0) more members are suspect or dead." }
        sentences.append(membership.agreement.sentence)
        return sentences
    }

    private var upstreamSentences: [String] {
        let troubled = upstreams.compactMap { upstream -> String? in
            let fit = upstream.endpoints.count { $0.state == "fit" }
            guard fit < upstream.endpoints.count || upstream.endpoints.isEmpty else { return nil }
            return
                "Upstream \(upstream.name) has \(fit) fit endpoints of \(upstream.endpoints.count); explain upstream \(upstream.name) says why."
        }
        if troubled.isEmpty, !upstreams.isEmpty {
            return ["All \(upstreams.reduce(0) { $0 + $1.endpoints.count }) endpoints of its upstreams are fit."]
        }
        return Self.counting(troubled) { "\($0) more upstreams have endpoints that are not fit." }
    }

    private var doorSentences: [String] {
        let doors = listeners.filter { $0.state != .listening }.map { listener in
            let why =
                switch listener.state {
                case .listening: ""
                case .paused: "it waits for descriptors or memory"
                case .failing: "the instance behind it refuses connections"
                case .draining: "it takes in nobody any more"
                }
            return "Listener \(listener.name) is \(listener.state.rawValue): \(why)."
        }
        let ill = services.filter { $0.state != "passing" }.map { "Service \($0.name) is \($0.state): \($0.reason)" }
        return Self.counting(doors + ill) { "\($0) more listeners and services are not as they should be." }
    }

    private var certificateSentences: [String] {
        guard
            let first = certificates.compactMap({ one in one.expiresSeconds.map { (one, $0) } }).min(by: { $0.1 < $1.1 }
            )
        else { return [] }
        let when = first.1 < 0 ? "ended \(Self.time(Double(-first.1))) ago" : "ends in \(Self.time(Double(first.1)))"
        let refused = certificates.compactMap { one in
            one.refused.map { "The file \(one.path) as it is now is refused: \($0)" }
        }
        return [
            "Of \(certificates.count) certificates and authorities \(first.0.path) is the first to end: it \(when)."
        ]
            + Self.counting(refused) { "\($0) more files are refused." }
    }
}
