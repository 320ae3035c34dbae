// `explain member`: what is known of one member, and what that makes of its endpoints.

import Gossip
import Stats
import Upstreams
import Vocabulary

extension FleetSnapshot {
    /// - Parameters:
    ///   - upstreams: whose endpoints the member may be.
    ///   - roster: nil: whoever is a member belongs.
    /// - Returns: nil where no member has that name.
    func explanation(
        of name: String, upstreams: [UpstreamReport], roster: Roster?, at now: Instant
    ) -> ExplanationReport? {
        guard let member = members.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { return nil }
        var sentences = [member.introduction(own: self.name, at: now)]
        if let provenance = provenances[member.name] { sentences += provenance.story(own: self.name, at: now) }
        if let roster {
            sentences.append(
                roster.lists(name)
                    ? "The roster lists it."
                    : roster.isKnown
                        ? "The roster does not list it, so it gets no connection from here."
                        : "No roster has been read yet, so nobody gets a connection from here.")
        }
        var isEndpoint = false
        for upstream in upstreams {
            for endpoint in upstream.endpoints where endpoint.member == name {
                isEndpoint = true
                sentences.append(
                    "In upstream \(upstream.name) its \(endpoint.address) is \(endpoint.state): \(endpoint.reason)")
            }
        }
        if !isEndpoint { sentences.append("No upstream of this node has an endpoint on it.") }
        return ExplanationReport(subject: .member, name: name, sentences: sentences)
    }
}

extension UpstreamSet {
    /// - Parameters:
    ///   - load: what an endpoint carries now.
    ///   - stats: of the whole node.
    /// - Returns: nil where no upstream has that name.
    func explanation(
        of name: String, load: (LoadCells.Index) -> EndpointLoad, in stats: StatsReport, at now: Instant
    ) -> ExplanationReport? {
        upstreams.first { $0.options.name == name }.map { upstream in
            let report = stats.upstreams.first { $0.name == name }
            return ExplanationReport(
                subject: .upstream, name: name,
                sentences: upstream.explanation(lastKnownGood: lastKnownGood, load: load, at: now)
                    + (report.map { upstream.loadExplanation($0, stats.membership?.telemetry) } ?? []))
        }
    }
}

extension FleetSnapshot.Member {
    fileprivate func introduction(own: String, at now: Instant) -> String {
        let who = name.utf8.elementsEqual(own.utf8) ? "this node itself" : record.isRemora ? "a remora" : "not a remora"
        return "Member \(name) at \(record.address), \(who), is \(state.word) for \((now - since).inWords) "
            + "at incarnation \(incarnation)."
    }
}
