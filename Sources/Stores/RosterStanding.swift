// What is known of the roster at a moment, and the same in sentences.

package import Vocabulary

/// The roster that holds, where it comes from, and what is wrong with its source.
package struct RosterStanding: Hashable, Sendable {
    package struct Holding: Hashable, Sendable {
        package enum Origin: Hashable, Sendable {
            /// Read by this process.
            case source
            /// Kept on disk by an earlier one, and not yet confirmed by the source.
            case disk
        }

        package var origin: Origin
        package var members: Int
        /// Of etcd's store; a file has none.
        package var revision: Int64?
        /// When the source was last known to say so.
        package var confirmed: Instant
    }

    package struct Trouble: Hashable, Sendable {
        /// The last moment without.
        package var since: Instant
        package var reason: String
    }

    /// The source, as sentences begin with it: "etcd", or a file's path.
    package var source: String
    /// Nil: no roster is known, and nobody is listed.
    package var holding: Holding?
    /// Nil: the source answers, or has not been asked.
    package var trouble: Trouble?

    /// Whether the roster may differ from what its source says by now.
    package var isStale: Bool { trouble != nil || holding?.origin != .source }

    /// For `/ready` and logs.
    package func sentence(at now: Instant) -> String {
        let complaint =
            trouble.map { "\(source) has given no roster for \((now - $0.since).inWords): \($0.reason)" }
            ?? "\(source) has not answered yet"
        guard let holding else { return "no roster is known, so no member is listed; \(complaint)" }
        let members = holding.members == 1 ? "1 member" : "\(holding.members) members"
        let name = holding.revision.map { "the roster of revision \($0)" } ?? "the roster"
        guard isStale else { return "\(name) of \(source) lists \(members)" }
        let age = (now - holding.confirmed).inWords
        return switch holding.origin {
        case .source: "\(complaint); \(name), confirmed \(age) ago, holds (\(members))"
        case .disk: "\(complaint); \(name), kept on disk \(age) ago, holds (\(members))"
        }
    }
}

/// Something for the log.
package struct RosterNotice: Hashable, Sendable {
    package enum Level: Hashable, Sendable {
        case info, notice, warning, error
    }

    package var level: Level
    package var text: String

    package init(_ level: Level, _ text: String) {
        self.level = level
        self.text = text
    }
}

/// What the control thread has not yet seen.
package struct RosterUpdate: Sendable {
    /// Who belongs. Empty while no roster is known: an unlisted member gets no traffic, and nobody is listed until
    /// somebody has said who is.
    package var names: Set<String>
    /// Grows by one with each change of ``names``.
    package var version: Int
    package var standing: RosterStanding
    package var notices: [RosterNotice]
}
