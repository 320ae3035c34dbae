// Why something is as it is, in sentences; named and encoded as in `Report.swift`.

/// `GET /explain?member=NAME` and `GET /explain?upstream=NAME`.
package struct ExplanationReport: Codable, Hashable, Sendable {
    package enum Subject: String, Codable, Sendable {
        case member, upstream
    }

    package var subject: Subject
    package var name: String
    /// Each with its full stop, in an order to be read.
    package var sentences: [String]

    package init(subject: Subject, name: String, sentences: [String]) {
        self.subject = subject
        self.name = name
        self.sentences = sentences
    }
}
