// Why something is as it is, in sentences; named and encoded as in `Report.swift`.

/// `GET /explain`, `GET /explain?member=NAME` and `GET /explain?upstream=NAME`.
package struct ExplanationReport: Codable, Hashable, Sendable {
    package enum Subject: String, Codable, Sendable {
        case member, upstream
        /// The one that is asked: whether the trouble is its own.
        case node
    }

    /// Something that happened of late.
    package struct Change: Codable, Hashable, Sendable {
        package var agoSeconds: Double
        package var text: String

        package init(agoSeconds: Double, text: String) {
            self.agoSeconds = agoSeconds
            self.text = text
        }
    }

    package var subject: Subject
    package var name: String
    /// Each with its full stop, in an order to be read.
    package var sentences: [String]
    /// What happened to it within ten minutes, the first one first; to a node, all that it noticed.
    package var changes: [Change]
    /// Everything that happened within so many seconds is in ``changes``; of before, some may be missing.
    package var coversSeconds: Double

    package init(
        subject: Subject, name: String, sentences: [String], changes: [Change] = [], coversSeconds: Double = 0
    ) {
        self.subject = subject
        self.name = name
        self.sentences = sentences
        self.changes = changes
        self.coversSeconds = coversSeconds
    }

    /// Reads what an older remora says too, which tells no changes.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        subject = try container.decode(Subject.self, forKey: .subject)
        name = try container.decode(String.self, forKey: .name)
        sentences = try container.decode([String].self, forKey: .sentences)
        changes = try container.decodeIfPresent([Change].self, forKey: .changes) ?? []
        coversSeconds = try container.decodeIfPresent(Double.self, forKey: .coversSeconds) ?? 0
    }
}
