// Which certificates are shown to a client that asks for a name (RFC 6066 §3).
//
// Several pairs may be for one name, one of each kind of key: all of them are offered, and OpenSSL takes one whose
// signature the client can verify. A client that asks for nothing, or for a name that nobody bears, gets the first pair
// and those for the very same names. Such a client is not refused: it verifies what it gets, and a health check by
// address has no name to ask for.

/// Host names to positions in a list of pairs.
struct CertificateChoice: Sendable {
    private let exact: [String: [Int]]
    /// By what stands behind the `*.`.
    private let wildcards: [String: [Int]]
    /// For whoever asks for no name that is here.
    let fallback: [Int]

    /// - Parameter hostNames: of each pair, in lower case; one pair at least.
    init(_ hostNames: [[String]]) {
        precondition(!hostNames.isEmpty, "somebody has to be shown something")
        var (exact, wildcards): ([String: [Int]], [String: [Int]]) = ([:], [:])
        for (position, names) in hostNames.enumerated() {
            for name in Set(names) {
                if name.hasPrefix("*.") {
                    wildcards[String(name.dropFirst(2)), default: []].append(position)
                } else {
                    exact[name, default: []].append(position)
                }
            }
        }
        (self.exact, self.wildcards) = (exact, wildcards)
        let first = Set(hostNames[0])
        fallback = hostNames.indices.filter { Set(hostNames[$0]) == first }
    }

    /// The pairs for a name in any case; one that bears the name itself goes before one with a wildcard.
    func pairs(for name: String?) -> [Int] {
        guard let name = name?.lowercased() else { return fallback }
        if let found = exact[name] { return found }
        // A wildcard stands for one label (RFC 6125 §6.4.3).
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return fallback }
        return wildcards[String(name[name.index(after: dot)...])] ?? fallback
    }
}
