// What every core of a world was told, and when by its own clock: enough to tell it again without the network.
//
// Not in it: latencies, losses, random numbers, and what was in a datagram. The cores emit the datagrams again in a
// replay; a log says only which one of them arrived. So a log replays after the network model has changed, and a core
// that does something else than it did is found at the first line where it does.
//
// In memory an entry takes 40 bytes; the text is made when it is asked for.

import Vocabulary

/// The inputs of all cores of a world, in the order in which they happened.
package struct EventLog: Sendable {
    /// What a core was told, or what was done to the world.
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// A fresh core began; `argument` is 1 where it was preloaded with all members.
        case boot
        case wake
        /// The datagram with the number `argument` arrived.
        case datagram
        /// The stream message with the number `argument` arrived on the accepted stream `stream`.
        case request
        /// The stream message with the number `argument` arrived on the opened stream `stream`.
        case answer
        /// The opened stream `stream` came to nothing.
        case fail
        /// It was told to join through the configured seeds.
        case join
        /// It was told to join through the node `argument`.
        case contact
        case leave
        case update
        /// Its core is no more; no input.
        case crash
        /// `argument` is an index of ``EventLog/faults``; no input and no node.
        case fault

        var name: String { "\(self)" }
        /// Numbers that follow the node and its time.
        var numbers: Int {
            switch self {
            case .wake, .join, .leave, .update, .crash, .fault: 0
            case .boot, .datagram, .fail, .contact: 1
            case .request, .answer: 2
            }
        }
    }

    package struct Entry: Hashable, Sendable {
        /// The world's time in nanoseconds; the replay does not need it.
        package var world: Int64
        /// The node's own time in nanoseconds.
        package var local: Int64
        package var argument: UInt64
        package var node: UInt32
        package var stream: UInt32
        /// Of all that this node did so far, this input's effects included.
        package var digest: UInt32
        package var kind: Kind
    }

    package let options: WorldOptions
    package internal(set) var entries: [Entry] = []
    /// Faults as they struck, the scenario's and those by hand.
    package internal(set) var faults: [Fault] = []

    package static let version = 1
    private static let opening = "remora-event-log"

    init(options: WorldOptions) { self.options = options }
}

// MARK: - As text

extension EventLog {
    /// The line, from 1 on, at which an entry stands.
    package func line(ofEntry index: Int) -> Int { options.lines.count + 3 + index }

    /// Writes a line of version, one per option, `events`, one per entry and a last one with their number.
    package func write(to output: inout some TextOutputStream) {
        output.write("\(EventLog.opening) \(EventLog.version)\n")
        for line in options.lines { output.write(line + "\n") }
        output.write("events\n")
        for entry in entries { output.write(text(of: entry) + "\n") }
        output.write("end \(entries.count)\n")
    }

    package var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    func text(of entry: Entry) -> String {
        if entry.kind == .fault { return "\(entry.world) fault \(faults[Int(entry.argument)].text)" }
        var text = "\(entry.world) \(entry.kind.name) \(entry.node) \(entry.local)"
        if entry.kind == .fail {
            text += " \(entry.stream)"
        } else if entry.kind.numbers > 0 {
            text += " \(entry.argument)"
        }
        if entry.kind.numbers == 2 { text += " \(entry.stream)" }
        return text + " " + String(entry.digest, radix: 16)
    }
}

/// What is wrong with a file that should be a log.
package struct LogFault: Error, Hashable, CustomStringConvertible {
    package enum Problem: Hashable, Sendable {
        case notALog
        case version
        case option
        /// Parameters are missing, doubled or in another order.
        case header
        case world(WorldFault)
        case entry
        /// The node's time, or the world's, goes back.
        case order
        case truncated
        /// The last line counts other entries than there are.
        case miscounted
        case trailing
    }

    /// From 1 on.
    package let line: Int
    package let problem: Problem
    /// The line's text, shortened; empty where the file ended.
    package let text: String

    package var description: String {
        let meaning =
            switch problem {
            case .notALog: "is no event log; its first line would be \"remora-event-log 1\""
            case .version: "is a log of another version; this release reads version 1"
            case .option: "is no parameter of a world"
            case .header: "comes after other parameters than version 1 has, or in another order"
            case .world(let fault): "is no possible world: \(fault)"
            case .entry: "is no event"
            case .order: "goes back in time"
            case .truncated: "the log ends before its \"end\" line; it is cut short"
            case .miscounted: "counts other events than there are; lines are missing"
            case .trailing: "stands after the end"
            }
        return problem == .truncated ? "line \(line): error: \(meaning)" : "line \(line): error: \"\(text)\" \(meaning)"
    }
}

extension EventLog {
    /// Reads what ``write(to:)`` wrote.
    /// - Throws: the first line that is wrong. Nothing is guessed or skipped.
    package init(parsing text: String) throws(LogFault) {
        var reader = LineReader(text)
        let opening = reader.next() ?? ""
        guard opening.hasPrefix(EventLog.opening + " ") else { throw reader.fault(.notALog) }
        guard opening == "\(EventLog.opening) \(EventLog.version)" else { throw reader.fault(.version) }
        var options = WorldOptions(nodes: 1, seed: 0)
        var lines: [Substring] = []
        while true {
            guard let line = reader.next() else { throw reader.fault(.truncated) }
            if line == "events" { break }
            guard options.take(line: line) else { throw reader.fault(.option) }
            lines.append(line)
        }
        // One that is missing would be replaced by a default, and the replay would differ for no reason to be seen.
        guard options.lines.elementsEqual(lines, by: { $0 == $1 }) else { throw reader.fault(.header) }
        do { try options.validate() } catch { throw reader.fault(.world(error)) }
        self.init(options: options)
        try readEntries(&reader)
    }

    private mutating func readEntries(_ reader: inout LineReader) throws(LogFault) {
        var clocks = [Int64](repeating: .min, count: options.nodes)
        var world = Int64.min
        while true {
            guard let line = reader.next() else { throw reader.fault(.truncated) }
            if line.hasPrefix("end ") {
                guard Int(line.dropFirst(4)) == entries.count else { throw reader.fault(.miscounted) }
                if let after = reader.next(), !after.isEmpty { throw reader.fault(.trailing) }
                return
            }
            guard let entry = takeEntry(line) else { throw reader.fault(.entry) }
            guard entry.world >= world else { throw reader.fault(.order) }
            world = entry.world
            if entry.kind != .fault {
                guard entry.local >= clocks[Int(entry.node)] else { throw reader.fault(.order) }
                clocks[Int(entry.node)] = entry.local
            }
            entries.append(entry)
        }
    }

    /// Reads one line; a fault is added to ``faults``.
    private mutating func takeEntry(_ line: Substring) -> Entry? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count >= 3, let world = Int64(words[0]), let kind = EventLog.kinds[words[1]] else { return nil }
        var entry = Entry(world: world, local: 0, argument: 0, node: 0, stream: 0, digest: 0, kind: kind)
        if kind == .fault {
            guard let fault = Fault(parsing: words[2...].joined(separator: " ")),
                fault.nodes.allSatisfy({ $0.bound <= options.nodes })
            else { return nil }
            entry.argument = UInt64(faults.count)
            faults.append(fault)
            return entry
        }
        guard words.count == 5 + kind.numbers, let node = UInt32(words[2]), node < options.nodes,
            let local = Int64(words[3]), let digest = UInt32(words[words.count - 1], radix: 16)
        else { return nil }
        (entry.node, entry.local, entry.digest) = (node, local, digest)
        if kind.numbers > 0 {
            guard let argument = UInt64(words[4]) else { return nil }
            entry.argument = argument
        }
        if kind.numbers == 2 || kind == .fail {
            guard let stream = UInt32(words[words.count - 2]) else { return nil }
            entry.stream = stream
            if kind == .fail { entry.argument = 0 }
        }
        if kind == .contact, entry.argument >= options.nodes { return nil }
        return entry
    }

    private static let kinds = Dictionary(uniqueKeysWithValues: Kind.allCases.map { (Substring($0.name), $0) })
}

/// Lines with their numbers.
private struct LineReader {
    private var rest: Substring
    private var line = 0
    private var text: Substring = ""

    init(_ text: String) { rest = Substring(text) }

    /// Nil after the last line. What follows the last line feed is no line unless there is something.
    mutating func next() -> Substring? {
        line += 1
        guard !rest.isEmpty else {
            text = ""
            return nil
        }
        let end = rest.utf8.firstIndex(of: 10)
        text = rest[..<(end ?? rest.endIndex)]
        rest = end.map { rest[rest.utf8.index(after: $0)...] } ?? ""
        return text
    }

    func fault(_ problem: LogFault.Problem) -> LogFault {
        LogFault(line: line, problem: problem, text: String(text.prefix(80)))
    }
}
