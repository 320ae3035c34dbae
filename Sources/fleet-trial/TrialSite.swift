// Where the nodes of a trial live: each in a network namespace of its own, tied to one bridge, or, where that is not
// allowed, all on loopback.
//
//     n01 ── eth0 ══ port1 ─┐
//     n02 ── eth0 ══ port2 ─┤ bridge 10.77.0.254 ── the trial's own clients, etcd
//     …                     ┘
//
// Only with namespaces can a node be cut off, as its packets have a wire to be lost on: on 127/8 every connection has
// 127.0.0.1 as its source. All of it stands in namespaces of the trial's own (``OwnNetwork``), mounts and processes as
// well, so that whatever ends the trial leaves no interface, no file and no process.

import Foundation
import Glibc
import Rig

struct TrialSite {
    enum Kind {
        case namespaces, loopback
    }

    let kind: Kind
    /// For what nodes write and read; with namespaces in memory, and gone with them.
    let directory: URL
    /// Nodes that there is room for.
    static let capacity = 200
    /// Where nodes reach what stands beside the fleet.
    let outside: String
    private let processes: RunningProcesses
    private let addresses = OwnAddresses(process: Int(getpid()))

    /// Whether this process may make namespaces.
    static func allowsNamespaces(_ processes: RunningProcesses) throws -> Bool {
        let rights = geteuid() == 0 ? [] : ["--map-root-user"]
        let test = "mount -t tmpfs none /run && ip link add test type bridge && nft list tables"
        let words = rights + ["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-c", test]
        return try processes.output(of: "unshare", words) != nil
    }

    /// - Parameter nodes: how many places are made.
    init(_ kind: Kind, nodes: Int, processes: RunningProcesses) throws {
        precondition((1...Self.capacity).contains(nodes), "no place for \(nodes) nodes")
        self.kind = kind
        self.processes = processes
        switch kind {
        case .loopback:
            outside = addresses.host(OwnAddresses.capacity - 1)
            directory = try processes.directory()
        case .namespaces:
            outside = "10.77.0.254"
            directory = URL(filePath: "/run/trial")
            try run("mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
            try run("ip link add hub type bridge && ip address add \(outside)/24 dev hub && ip link set hub up")
        }
        guard kind == .namespaces else { return }
        for node in 0..<nodes {
            let (name, port) = (Self.namespace(of: node), Self.port(of: node))
            try run(
                """
                ip netns add \(name) && ip link add \(port) type veth peer name eth0 netns \(name) \
                && ip link set \(port) master hub up && ip -n \(name) link set lo up \
                && ip -n \(name) address add \(host(node))/24 dev eth0 && ip -n \(name) link set eth0 up
                """)
        }
    }

    /// The node's address.
    func host(_ node: Int) -> String {
        switch kind {
        case .namespaces: "10.77.0.\(node + 1)"
        case .loopback: addresses.host(node)
        }
    }

    /// What starts a program at a node, with `log` appended to; the process that is started becomes the program.
    func words(_ program: String, _ arguments: [String], at node: Int, log: URL) -> [String] {
        let logged = ["sh", "-c", "exec \"$0\" \"$@\" >>\(log.path) 2>&1", program] + arguments
        return switch kind {
        case .namespaces: ["nsenter", "--net=/run/netns/\(Self.namespace(of: node))", "--"] + logged
        case .loopback: logged
        }
    }

    // MARK: Cuts

    /// Takes a node's wire out, or puts it back.
    func setWire(of node: Int, up: Bool) throws {
        precondition(kind == .namespaces, "loopback cannot be cut")
        try run("ip link set \(Self.port(of: node)) \(up ? "up" : "down")")
    }

    /// Drops a node's gossip, UDP and TCP, in both directions; all else passes.
    ///
    /// What it sends is lost outside of it, as on a wire: a send that a node's own kernel refuses is the node's own fault to
    /// remora, which blames nobody for it.
    func setGossip(of node: Int, passes: Bool) throws {
        precondition(kind == .namespaces, "loopback cannot be cut")
        let within = "ip netns exec \(Self.namespace(of: node)) nft"
        guard !passes else { return try run("nft delete table netdev cut && \(within) delete table inet cut") }
        func rules(_ table: String) -> String {
            ["dport", "sport"].map { "add rule \(table) in meta l4proto { tcp, udp } th \($0) 7946 drop" }
                .joined(separator: "; ")
        }
        let hook = "hook ingress device \(Self.port(of: node)) priority 0"
        try run(
            """
            nft 'add table netdev cut; add chain netdev cut in { type filter \(hook); }; \(rules("netdev cut"))' && \
            \(within) 'add table inet cut; add chain inet cut in { type filter hook input priority 0; }; \(rules("inet cut"))'
            """)
    }

    private static func namespace(of node: Int) -> String { "node\(node + 1)" }
    private static func port(of node: Int) -> String { "port\(node + 1)" }

    private func run(_ script: String) throws {
        guard try processes.output(of: "sh", ["-c", script]) != nil else {
            throw RunFailure(
                description: "this failed: \(script); it takes the packages iproute2 and nftables, and root or user "
                    + "namespaces")
        }
    }
}
