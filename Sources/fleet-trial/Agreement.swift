// Whether all who are there see the same: whom the others hold for alive is whom we have running.

/// The members that run, against what each of them sees.
struct Agreement: Equatable {
    /// The names of those that run.
    let running: Set<String>
    private(set) var complaints: [String] = []

    init(running: Set<String>) { self.running = running }

    /// Takes one member's view.
    /// - Parameter view: name to state; nil where it did not answer.
    mutating func take(_ view: [String: String]?, of observer: String) {
        guard let view else {
            complaints.append("\(observer) does not answer")
            return
        }
        let wrong = running.filter { view[$0] != "alive" }.sorted()
        let ghosts = view.filter { ["alive", "suspect", "leaving"].contains($0.value) && !running.contains($0.key) }
        if !wrong.isEmpty {
            let what = wrong.prefix(5).map { "\($0) \(view[$0] ?? "unknown")" }.joined(separator: ", ")
            complaints.append("\(observer) sees \(wrong.count) of the running otherwise: \(what)")
        }
        if !ghosts.isEmpty {
            complaints.append(
                "\(observer) sees \(ghosts.keys.sorted().prefix(5).joined(separator: ", ")), who are gone")
        }
    }
}

extension Fleet {
    /// Asks those of whom it is not known yet, again and again, and at last everybody once more.
    /// - Returns: what is still wrong when the time is over; none: all views are equal.
    func disagreements(within limit: Duration) async throws -> [String] {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        var waiting = members.filter(\.isRunning)
        while true {
            var complaints: [String] = []
            var unequal: [Member] = []
            for member in waiting {
                let found = try await complaint(of: member)
                if !found.isEmpty { unequal.append(member) }
                complaints += found
                // Asking everybody at once would take the processors from those who are to answer.
                if clock.now > deadline, !complaints.isEmpty { return complaints }
            }
            let all = members.filter(\.isRunning)
            if complaints.isEmpty, waiting.count == all.count { return [] }
            if clock.now > deadline { return complaints }
            waiting = complaints.isEmpty ? all : unequal
            if !complaints.isEmpty { try await Task.sleep(for: .milliseconds(500)) }
        }
    }

    private func complaint(of member: Member) async throws -> [String] {
        var agreement = Agreement(running: Set(members.filter(\.isRunning).map(\.name)))
        agreement.take(try await view(of: member), of: member.name)
        return agreement.complaints
    }
}
