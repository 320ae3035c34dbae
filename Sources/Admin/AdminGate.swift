// Who may ask at all: one check in front of every path.
//
// A browser on this machine reaches a loopback port for any page it shows, so
// being reachable only from here protects nothing by itself. The page cannot
// choose two things: the Host it was addressed by, when its own name was made to
// point here (DNS rebinding), and the Origin it runs under.

internal import Vocabulary

/// What a browser says of who asks (Fetch Metadata); nothing where it is no browser, or an old one.
struct FetchMetadata: Hashable, Sendable {
    var site: String?
    var mode: String?

    /// Whether a page of another origin has the browser fetch something, as an image or a script: that bears no Origin. To
    /// follow a link from there is fine.
    var isForeign: Bool {
        guard let site, site != "same-origin", site != "none" else { return false }
        return mode != "navigate"
    }
}

struct AdminGate: Sendable {
    /// Where the port is bound.
    let address: SocketAddress
    /// What `Authorization: Bearer` must carry; nil asks for nothing.
    let token: String?

    enum Refusal: Error, Hashable {
        case foreignHost(String?)
        case foreignOrigin(String)
        case foreignPage(site: String)
        case tokenMissing
        case tokenWrong

        /// Whether a token would have let it pass.
        var isOfToken: Bool {
            switch self {
            case .foreignHost, .foreignOrigin, .foreignPage: false
            case .tokenMissing, .tokenWrong: true
            }
        }

        /// What is wrong and what would be right.
        var explanation: String {
            switch self {
            case .foreignHost(nil):
                "the request names no Host; name the address that you ask"
            case .foreignHost(let host?):
                "Host \"\(host)\" is not this port's; ask by its address or as localhost"
            case .foreignOrigin(let origin):
                "pages of \"\(origin)\" may not ask this port"
            case .foreignPage(let site):
                "a page of another origin (\(site)) may not have this port asked"
            case .tokenMissing:
                "this port asks for a token; send Authorization: Bearer with what the file of admin.token_file holds"
            case .tokenWrong:
                "the token is not the one in the file of admin.token_file"
            }
        }
    }

    /// - Parameters: the fields of these names; nil where the request has none.
    /// - Returns: why it is refused; nil lets it pass.
    func refusal(
        host: String?, origin: String?, authorization: String?, fetch: FetchMetadata = FetchMetadata()
    ) -> Refusal? {
        guard admits(host: host) else { return .foreignHost(host) }
        if let origin {
            // Same-origin and nothing else: another port of localhost is another program's page.
            guard let host, origin.lowercased() == "http://\(host.lowercased())" else { return .foreignOrigin(origin) }
        }
        if fetch.isForeign { return .foreignPage(site: fetch.site ?? "") }
        guard let token else { return nil }
        guard let presented = authorization.flatMap(Self.bearerToken) else { return .tokenMissing }
        return Self.matches(presented, token) ? nil : .tokenWrong
    }

    /// The port in Host is not looked at: it differs behind `ssh -L`, and a rebound name gives itself away without it.
    private func admits(host: String?) -> Bool {
        guard let host, !host.isEmpty else { return address.port == nil }
        let name = Self.nameWithoutPort(host)
        if name.lowercased() == "localhost" { return true }
        guard let literal = Self.literal(name) else { return false }
        return literal.isLocal || literal == address.with(port: 0) || address.isUnspecified
    }

    /// `a:1` → `a`, `[::1]:1` → `[::1]`; what follows the name must be a port or nothing.
    private static func nameWithoutPort(_ host: String) -> String {
        guard let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") else { return host }
        let port = host[host.index(after: colon)...]
        return UInt16(port) == nil ? host : String(host[..<colon])
    }

    /// The address, at port 0, that `name` writes out; nil for a name that someone would have to resolve.
    private static func literal(_ name: String) -> SocketAddress? {
        try? SocketAddress(parsing: "\(name):0")
    }

    private static func bearerToken(_ authorization: String) -> String? {
        let words = authorization.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return String(words[1])
    }

    /// Takes the same time wherever the two differ, so that nobody guesses a token byte by byte; their lengths show.
    private static func matches(_ presented: String, _ expected: String) -> Bool {
        let presented = Array(presented.utf8)
        let expected = Array(expected.utf8)
        guard presented.count == expected.count else { return false }
        return zip(presented, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension SocketAddress {
    /// 0.0.0.0 or ::, every address of this machine.
    fileprivate var isUnspecified: Bool {
        switch self {
        case .ipv4(let ip, _): ip.bits == 0
        case .ipv6(let ip, _): ip.high == 0 && ip.low == 0
        case .unix: false
        }
    }
}
