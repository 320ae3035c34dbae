// What a member says of another in a line of its log: the same few words, whichever program it is.

/// A change of one member, as another one has seen it.
package enum News: String, Hashable, Sendable, Codable {
    case there, suspect, cleared, dead, left
}

struct LogLine: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        case news(News, of: String)
        /// Changes that a remora did not write, as there were too many.
        case leftOut(Int)
    }

    let content: Content

    /// - Returns: nil for a line that is about something else.
    init?(_ line: Substring) {
        guard let content = Self.ofSerf(line) ?? Self.ofRemora(line) else { return nil }
        self.content = content
    }

    /// `… [INFO] serf: EventMemberFailed: NAME ADDRESS`
    private static func ofSerf(_ line: Substring) -> Content? {
        guard let event = line.firstRange(of: "serf: EventMember") else { return nil }
        let words = line[event.upperBound...].split(separator: " ")
        guard words.count >= 2 else { return nil }
        let name = String(words[1])
        switch words[0] {
        case "Join:": return .news(.there, of: name)
        case "Failed:": return .news(.dead, of: name)
        case "Leave:": return .news(.left, of: name)
        default: return nil
        }
    }

    /// `TIME LEVEL member NAME is dead: WHY`
    private static func ofRemora(_ line: Substring) -> Content? {
        let statement = line.firstRange(of: ": ").map { line[..<$0.lowerBound] } ?? line
        let words = statement.split(separator: " ")
        guard words.count >= 5 else { return nil }
        if words[3...].starts(with: ["more", "changes", "of"]), let count = Int(words[2]) { return .leftOut(count) }
        guard words[2] == "member" else { return nil }
        let name = String(words[3])
        switch words[4...].joined(separator: " ") {
        case "is there": return .news(.there, of: name)
        case "is suspect": return .news(.suspect, of: name)
        case "is alive after all": return .news(.cleared, of: name)
        case "is dead": return .news(.dead, of: name)
        case "has left": return .news(.left, of: name)
        default: return nil
        }
    }
}
