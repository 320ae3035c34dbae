// Where the demo's nodes are, and what each is told in its config.
//
// Each node has an address of 127/8, which needs no right and no interface; two demos have others. Ports are the same
// at every node, and below those that the kernel gives to clients. They are tried before they are used: whoever listens on
// one at all addresses would be in the way.

import Glibc
import Reactor
import Rig
import Vocabulary

struct DemoPlaces: Equatable, Sendable {
    static let nodes = 6
    /// Nodes with clients, from the first on; no misfortune befalls them.
    static let callers = 3
    private static let portsOfNode = 8

    let hosts: [String]
    private let firstPort: UInt16
    /// Whether the first node's admin port is where the command line asks unless it is told otherwise.
    var hasUsualAdmin = true

    init(hosts: [String], firstPort: UInt16) {
        precondition(hosts.count == Self.nodes)
        self.hosts = hosts
        self.firstPort = firstPort
    }

    /// - Throws: where all that were tried are taken.
    static func find() throws -> DemoPlaces {
        let own = OwnAddresses(process: Int(getpid()))
        let hosts = (0..<nodes).map(own.host)
        for attempt: UInt16 in 0..<50 {
            let places = DemoPlaces(hosts: hosts, firstPort: 21_000 + attempt * 100)
            if try places.areFree() { return places }
        }
        throw RunFailure(
            description: "no port from 21000 to 26000 is free at \(hosts[0]); is 127.0.0.0/8 on this machine?")
    }

    /// Whether nobody has one of the ports, for TCP or UDP.
    private func areFree() throws -> Bool {
        for host in hosts {
            for place in 0..<Self.portsOfNode {
                let port = firstPort + UInt16(place)
                if try !Self.isFree(SocketAddress(parsing: "\(host):\(port)")) { return false }
            }
        }
        return true
    }

    /// - Throws: where not even that can be told.
    private static func isFree(_ address: SocketAddress) throws -> Bool {
        do throws(SystemError) {
            Kernel.close(try Kernel.bind(address, sharingPort: false))
            Kernel.close(try Kernel.bindDatagrams(address, receiveBuffer: 4096))
            return true
        } catch {
            guard error != .addressInUse else { return false }
            throw RunFailure(description: "nothing can listen at \(address): \(error)")
        }
    }

    // MARK: Addresses

    /// As in the words of a person: nodes are counted from one.
    static func name(_ node: Int) -> String { "n\(node + 1)" }

    private func address(_ node: Int, _ place: Int) -> String { "\(hosts[node]):\(firstPort + UInt16(place))" }

    private func gossip(_ node: Int) -> String { address(node, 0) }
    private func number(_ subject: DemoSubject) -> Int {
        switch subject {
        case .fleet: 0
        case .turns: 1
        }
    }
    /// Where a node's remora stands before its instance.
    func inbound(_ node: Int, _ subject: DemoSubject) -> String { address(node, 1 + number(subject)) }
    /// Where clients of a node reach a service.
    func outbound(_ node: Int, _ subject: DemoSubject) -> String { address(node, 3 + number(subject)) }
    func instance(_ node: Int, _ subject: DemoSubject) -> String { address(node, 5 + number(subject)) }
    func admin(_ node: Int) -> String { node == 0 && hasUsualAdmin ? "127.0.0.1:9901" : address(node, 7) }

    /// What a command needs to ask this node.
    func adminOption(_ node: Int) -> String {
        node == 0 && hasUsualAdmin ? "" : " --admin \(admin(node))"
    }

    // MARK: Config

    func config(_ node: Int) -> String {
        // Any two of them find the others, while one is gone.
        let seeds = (0..<Self.callers).filter { $0 != node }.map { "\"\(gossip($0))\"" }.joined(separator: ", ")
        let health = "health: {tcp: true, interval: 1s, timeout: 900ms}"
        let services = DemoSubject.allCases.map {
            "  - {name: \($0.upstream), address: \"\(instance(node, $0))\", \(health)}"
        }
        let listeners = DemoSubject.allCases.flatMap {
            [
                "  - {name: \($0.upstream)-in, bind: \"\(inbound(node, $0))\", service: \($0.upstream)}",
                "  - {name: \($0.upstream)-out, bind: \"\(outbound(node, $0))\", upstream: \($0.upstream)}",
            ]
        }
        return """
            node: {name: \(Self.name(node))}
            membership: {bind: "\(gossip(node))", join: [\(seeds)], profile: local}
            services:
            \(services.joined(separator: "\n"))
            upstreams:
              - {name: shop, service: shop, balance: p2c, load: fleet}
              - {name: shop-rr, service: shop-rr, balance: round_robin}
            listeners:
            \(listeners.joined(separator: "\n"))
            admin: "\(admin(node))"

            """
    }
}
