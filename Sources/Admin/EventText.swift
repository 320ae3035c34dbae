// Events as sentences, for `explain`; the dashboard has the same words.

package import Stats

extension EventHub.Event {
    /// Without a full stop of its own; nil for a beat.
    package var sentence: String? {
        switch self {
        case .beat: nil
        case .member(let member): "member \(member.name) is \(member.state)\(member.reason.map { ": \($0)" } ?? "")"
        case .endpoint(let endpoint):
            "upstream \(endpoint.upstream): \(endpoint.address)\(endpoint.member.map { " of \($0)" } ?? "") is "
                + "\(endpoint.state ?? "no endpoint any more"): \(endpoint.reason)"
        case .view(let view): view.reason
        case .service(let service): "service \(service.name) is \(service.state): \(service.reason)"
        case .config(let config):
            config.fault.map { "the config was refused: \($0)" } ?? "another config is in force, from \(config.file)"
        case .stage(let stage): "this node: \(stage.line)"
        case .certificate(let certificate):
            "\(certificate.path) is \(certificate.state.rawValue)"
                + (certificate.refused.map { "; what it is now is refused: \($0)" } ?? "")
        }
    }

    /// Whether it happened to that one.
    package func concerns(_ subject: ExplanationReport.Subject, _ name: String) -> Bool {
        switch (subject, self) {
        case (_, .beat): false
        case (.node, _): true
        case (.member, .member(let member)): member.name == name
        case (.member, .endpoint(let endpoint)): endpoint.member == name
        case (.upstream, .endpoint(let endpoint)): endpoint.upstream == name
        case (.member, _), (.upstream, _): false
        }
    }
}

extension EventHub {
    /// What happened of late to that one, as ``ExplanationReport`` has it.
    func changes(
        of subject: ExplanationReport.Subject, _ name: String
    ) -> (changes: [ExplanationReport.Change], coversSeconds: Double) {
        let recent = recent()
        let changes = recent.events.compactMap { entry -> ExplanationReport.Change? in
            guard entry.event.concerns(subject, name), let text = entry.event.sentence else { return nil }
            return .init(agoSeconds: entry.agoSeconds, text: text)
        }
        return (changes, recent.coversSeconds)
    }
}
