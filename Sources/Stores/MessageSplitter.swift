// The messages of a watch: one JSON text a line, as etcd's gateway writes them.

/// Bytes in, lines out; a line grows up to a bound.
struct MessageSplitter {
    struct TooLong: Error, Hashable {}

    let limit: Int
    private var line: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    /// The lines that these bytes complete; empty ones are left out. After a fault the stream is of no further use.
    mutating func receive(_ bytes: [UInt8]) throws(TooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            // A line feed within a JSON text is written as \n, so this one ends it.
            let newline = rest.firstIndex(of: 0x0A)
            line += rest[..<(newline ?? rest.endIndex)]
            guard line.count <= limit else { throw TooLong() }
            guard let newline else { return lines }
            rest = rest[(newline + 1)...]
            if !line.isEmpty { lines.append(line) }
            line = []
        }
        return lines
    }
}
