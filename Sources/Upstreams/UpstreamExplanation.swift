// Why an upstream has the endpoints it has, in sentences: what `explain upstream` says.
//
// It speaks of a published snapshot, so that anyone may ask, on any thread, and what is said is what workers go by. Ages
// are added here: a reason that counted seconds itself would be a new snapshot every second.

package import Vocabulary

extension UpstreamSnapshot {
    /// Of endpoints that get a sentence of their own; more are counted.
    package static let explainedEndpoints = 100

    /// First the whole, then each endpoint that is not fit, or grows into its share.
    /// - Parameters:
    ///   - lastKnownGood: of the set that holds this snapshot.
    ///   - load: what an endpoint carries now.
    package func explanation(
        lastKnownGood: LastKnownGood.InForce?, load: (LoadCells.Index) -> EndpointLoad, at now: Instant
    ) -> [String] {
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
        let limits = PlacementLimits(options)
        var count = 0
        for endpoint in endpoints {
            let fitness = endpoint.fitness(carrying: load(endpoint.cell), within: limits)
            guard fitness.state != .fit || endpoint.ramp < 100 else { continue }
            count += 1
            if count <= Self.explainedEndpoints {
                sentences.append(Self.sentences(about: endpoint, fitness, at: now))
            }
        }
        if count > Self.explainedEndpoints {
            sentences.append("\(count - Self.explainedEndpoints) more are not listed here.")
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

    private static func sentences(about endpoint: Endpoint, _ fitness: Fitness, at now: Instant) -> String {
        var who = "\(endpoint.identity.address)"
        if let member = endpoint.identity.member { who += " of \(member)" }
        if fitness.state == .fit {
            return "\(who) grows into its share (slow start): it is given \(endpoint.ramp) % of its weight."
        }
        // Since when it is full nobody has noted.
        let age = fitness.state == .full ? nil : endpoint.since.map { " for \(sentence(now - $0))" }
        return "\(who) is \(fitness.state.rawValue)\(age ?? ""): \(fitness.reason)"
    }
}

extension Endpoint {
    /// Its fitness as it is said to people: `full` where it would be given connections and has no room for one.
    ///
    /// Full is not part of a snapshot, as workers see it by the load itself, and as it comes and goes with every request.
    package func fitness(carrying load: EndpointLoad, within limits: PlacementLimits) -> Fitness {
        switch fitness.state {
        case .fit, .suspect: break
        case .failing, .draining, .ejected, .full, .dead, .left, .unlisted: return fitness
        }
        if limits.leaveRoom(on: load) { return fitness }
        let limit =
            load.connections >= limits.connections
            ? "\(limits.connections) connections (max_connections)"
            : "\(limits.outstanding) outstanding requests (max_outstanding)"
        return Fitness(.full, because: "It carries the \(limit) that this node may give it.")
    }
}
