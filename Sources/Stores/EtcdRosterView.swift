// The keys below a prefix, as a range read them and events changed them.

/// Which members the keys name. Costs O(1) a key.
struct EtcdRosterView {
    enum Fault: Error, Hashable {
        /// More keys than ``RosterNames/most``.
        case tooMany
        /// The server answered with a key that nobody asked for.
        case foreignKey
    }

    private let prefix: [UInt8]
    private(set) var names: Set<String> = []
    /// What follows the prefix in keys that name nobody.
    private(set) var others: Set<[UInt8]> = []

    init(prefix: String) { self.prefix = Array(prefix.utf8) }

    /// As the server counts them.
    var count: Int { names.count + others.count }

    mutating func put(_ key: [UInt8]) throws(Fault) {
        let rest = try rest(of: key)
        if let name = Self.name(rest) { names.insert(name) } else { others.insert(rest) }
        guard count <= RosterNames.most else { throw .tooMany }
    }

    mutating func delete(_ key: [UInt8]) throws(Fault) {
        let rest = try rest(of: key)
        if let name = Self.name(rest) { names.remove(name) } else { others.remove(rest) }
    }

    private func rest(of key: [UInt8]) throws(Fault) -> [UInt8] {
        guard key.starts(with: prefix) else { throw .foreignKey }
        return Array(key.dropFirst(prefix.count))
    }

    private static func name(_ bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self), RosterNames.isName(text) else { return nil }
        return text
    }

    /// The first key beyond all that begin with `prefix`, as etcd has it: the last byte that can grow grows, what
    /// follows it is cut off. An empty prefix, or one of 0xFF alone, has no end: "\0" stands for that.
    static func end(of prefix: [UInt8]) -> [UInt8] {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xFF { return end + [last + 1] }
        }
        return [0]
    }
}
