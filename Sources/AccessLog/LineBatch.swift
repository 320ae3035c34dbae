// Lines on their way to a sink, and what becomes of those that it does not take.

package import Reactor

/// Lines that are written together, and how many ever were, or were not.
package struct LineBatch {
    /// Bytes from which on a batch is written before more is added: as much as a pipe holds at best.
    package static let limit = 256 << 10
    /// How long a pipe without room is given, in milliseconds, unless the last time was for nothing.
    package static let patience: Int32 = 1_000

    private var bytes: [UInt8] = []
    private var lines = 0
    /// What is still to come of a line that was written in part.
    private var rest: [UInt8] = []
    /// Lines that are whole in the sink.
    package private(set) var written: UInt64 = 0
    /// Lines that are not, and will not be.
    package private(set) var dropped: UInt64 = 0
    /// Why the last line that was to be written was not; nil where it was.
    package private(set) var outage: SystemError?

    package init() {}

    /// Whether there is enough for a write.
    package var isFull: Bool { bytes.count >= Self.limit }

    package mutating func add(_ entry: AccessEntry, as format: AccessLogOptions.Format) {
        // Once; pages that no line reaches are never there.
        if bytes.capacity == 0 { bytes.reserveCapacity(Self.limit + AccessEntry.longestLine) }
        entry.write(as: format, to: &bytes)
        lines += 1
    }

    /// Lines that were lost before they were lines.
    package mutating func drop(_ count: UInt64) { dropped += count }

    /// Writes what there is, and forgets what the sink does not take.
    package mutating func flush(to sink: LineSink) {
        guard lines > 0 || !rest.isEmpty else { return }
        let patience = outage == nil ? Self.patience : 0
        if !rest.isEmpty {
            let outcome = unsafe rest.withUnsafeBytes { unsafe sink.append($0, patience: patience) }
            rest.removeFirst(outcome.count)
            if let error = outcome.error { return fail(error) }
            written += 1
        }
        let outcome = unsafe bytes.withUnsafeBytes { unsafe sink.append($0, patience: patience) }
        if let error = outcome.error {
            keepRest(after: outcome.count)
            return fail(error)
        }
        written += UInt64(lines)
        outage = nil
        clear()
    }

    /// Takes note that `old` is given up for `new`.
    ///
    /// What is left of a line, and why none were taken, is the file's: it is kept where the file stays and was only opened
    /// anew, so that the rest completes the line in it, and forgotten where another comes.
    package mutating func turn(from old: LineSink?, to new: LineSink?) {
        if let old, let new, new.isSameFile(as: old) { return }
        if !rest.isEmpty { dropped += 1 }
        rest = []
        outage = nil
    }

    /// Counts the lines that are in the sink, and keeps what is missing of the last.
    private mutating func keepRest(after count: Int) {
        let end = UInt8(ascii: "\n")
        let whole = bytes[..<count].count { $0 == end }
        written += UInt64(whole)
        lines -= whole
        guard count > 0, bytes[count - 1] != end else { return }
        let next = bytes[count...].firstIndex(of: end) ?? bytes.endIndex - 1
        rest = Array(bytes[count...next])
        // It is counted when it is through.
        lines -= 1
    }

    private mutating func fail(_ error: SystemError) {
        outage = error
        dropped += UInt64(lines)
        clear()
    }

    private mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        lines = 0
    }
}
