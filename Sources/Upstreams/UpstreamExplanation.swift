// Why an upstream has the endpoints it has, in sentences: what `explain upstream` says.
//
// It speaks of a published snapshot, so that anyone may ask, on any thread, and what is said is what workers go by. Ages
// are added here: a reason that counted seconds itself would be a new snapshot every second.

package import Vocabulary

extension UpstreamSnapshot {
    /// Of endpoints that get a sentence of their own; more are counted.
    package static let explainedEndpoints = 100

    /// First the whole, then each endpoint that is not fit, or grows into its share.
    /// - Parameter lastKnownGood: of the set that holds this snapshot.
    package func explanation(lastKnownGood: LastKnownGood.InForce?, at now: Instant) -> [String] {
        var sentences = [summary]
        let uncounted = endpoints.count - knownCount
        if uncounted > 0 {
            sentences.append("\(uncounted) more \(uncounted == 1 ? "is" : "are") not counted: \(uncountedStates).")
        }
        if isPanicking {
            sentences.append(
                "Fewer than \(options.panicThresholdPercent) % are fit, so all known endpoints are used alike.")
        }
        if let lastKnownGood, isOfFleet {
            sentences.append("\(lastKnownGood.why) That was \(sentence(now - lastKnownGood.since)) ago.")
        }
        let notable = endpoints.filter { $0.fitness.state != .fit || $0.ramp < 100 }
        for endpoint in notable.prefix(Self.explainedEndpoints) {
            sentences.append(Self.sentences(about: endpoint, at: now))
        }
        if notable.count > Self.explainedEndpoints {
            sentences.append("\(notable.count - Self.explainedEndpoints) more are not listed here.")
        }
        return sentences
    }

    /// Whether gossip has a say in it.
    private var isOfFleet: Bool {
        switch options.source {
        case .fixed: false
        case .service, .members: true
        }
    }

    private var summary: String {
        let name = "Upstream \(options.name)"
        if !endpoints.isEmpty { return "\(name): \(fitCount) of \(knownCount) known endpoints are fit." }
        switch options.source {
        case .fixed: return "\(name) has no endpoints: the config names none."
        case .service(let service):
            return "\(name) has no endpoints: no member advertises the service \(service)."
        case .members(let tags, _):
            let wanted = tags.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ", ")
            return "\(name) has no endpoints: no member bears the tags \(wanted)."
        }
    }

    private var uncountedStates: String {
        Fitness.State.allCases.compactMap { state in
            let count = endpoints.count { $0.fitness.state == state && !$0.isKnown }
            return count > 0 ? "\(count) \(state.rawValue)" : nil
        }.joined(separator: ", ")
    }

    private static func sentences(about endpoint: Endpoint, at now: Instant) -> String {
        var who = "\(endpoint.identity.address)"
        if let member = endpoint.identity.member { who += " of \(member)" }
        if endpoint.fitness.state == .fit {
            return "\(who) grows into its share (slow start): it is given \(endpoint.ramp) % of its weight."
        }
        let age = endpoint.since.map { " for \(sentence(now - $0))" } ?? ""
        return "\(who) is \(endpoint.fitness.state.rawValue)\(age): \(endpoint.fitness.reason)"
    }
}
