// Who chooses the endpoint in a comparison.

enum BalanceSubject: String, CaseIterable, Codable, Sendable {
    case fleet
    case local
    case roundRobin = "round-robin"
    case haproxyRandom = "haproxy-random"
    case haproxyLeastconn = "haproxy-leastconn"

    enum Program: Hashable, Sendable {
        case remora, haproxy
    }

    var program: Program {
        switch self {
        case .fleet, .local, .roundRobin: .remora
        case .haproxyRandom, .haproxyLeastconn: .haproxy
        }
    }

    /// As its own config says it.
    var title: String {
        switch self {
        case .fleet: "remora, load: fleet"
        case .local: "remora, load: local"
        case .roundRobin: "remora, round_robin"
        case .haproxyRandom: "HAProxy, random(2)"
        case .haproxyLeastconn: "HAProxy, leastconn"
        }
    }

    /// What makes it so: entries of a remora's upstream, HAProxy's `balance`.
    var setting: String {
        switch self {
        case .fleet: "balance: p2c, load: fleet"
        case .local: "balance: p2c, load: local"
        case .roundRobin: "balance: round_robin"
        case .haproxyRandom: "random(2)"
        case .haproxyLeastconn: "leastconn"
        }
    }

    static func all(of program: Program) -> [BalanceSubject] { allCases.filter { $0.program == program } }
}
