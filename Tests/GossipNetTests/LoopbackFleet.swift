// Real drivers on real sockets, turned by one thread.
//
// On loopback addresses of this process's own: tests of several processes do not meet, nor take each other's ports.

import Glibc
import Gossip
import GossipWire
import Reactor
import TLS
import Testing
import Vocabulary

@testable import GossipNet

/// How long anything may take that should take milliseconds; the machine may be busy.
let patience = Duration.seconds(30)

/// One member, and what was heard of it.
final class Node {
    let name: String
    private(set) var driver: GossipDriver<Membership>
    private(set) var events: [MembershipEvent] = []

    init(
        _ name: String, at host: SocketAddress.IPv4, key: [UInt8]? = nil, label: String = "",
        seeds: [PeerAddress] = [], streamTimeout: Duration = .seconds(2)
    ) throws {
        self.name = name
        let directory = Directory()
        let sockets = try GossipSockets(binding: .ipv4(host, port: 0))
        var layerOptions = LayerOptions()
        layerOptions.label = try #require(Label(label))
        let keyring = try key.map { key in
            Keyring(primary: try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) })
        }
        let layers = Layers(options: layerOptions, keyring: keyring)
        var options = GossipOptions.local
        options.probeInterval = .milliseconds(200)
        options.probeTimeout = .milliseconds(100)
        options.gossipInterval = .milliseconds(20)
        options.seeds = seeds
        options.packetOverhead = layers.packetOverhead
        var tags = SerfTags()
        tags["remora"] = "1:0"
        let record = MemberRecord(address: sockets.address, meta: tags.meta, versions: .serf, isRemora: true)
        let core = Membership(
            name: directory.intern(name), record: record, options: options, directory: directory,
            random: SeededRandom(seed: UInt64(sockets.address.port)))
        driver = try GossipDriver(
            core, on: sockets, layers: layers, directory: directory, streamTimeout: streamTimeout)
        driver.heard = { [unowned self] event in events.append(event) }
        driver.start(joining: seeds)
    }

    var address: PeerAddress { driver.address }

    /// How this node sees a member; nil if it does not.
    func state(of name: String) -> MemberState? {
        var found: MemberState?
        driver.core.fleet.forEachMember { if driver.directory.name(of: $0.id) == name { found = $0.state } }
        return found
    }

    var names: [String] {
        var names: [String] = []
        driver.core.fleet.forEachMember { names.append(driver.directory.name(of: $0.id)) }
        return names.sorted()
    }

    func heard(_ isWanted: (MembershipEvent) -> Bool) -> Int { events.count(where: isWanted) }
}

struct LoopbackFleet {
    private static let hosts = (2...249).map { address(UInt32($0)) }
    /// In no fleet.
    static let spare = address(250)

    private static func address(_ host: UInt32) -> SocketAddress.IPv4 {
        let (block, net) = (UInt32(1 + getpid() / 250 % 250), UInt32(1 + getpid() % 250))
        return SocketAddress.IPv4(bits: 127 << 24 | block << 16 | net << 8 | host)
    }

    var nodes: [Node] = []

    /// Members that all join the first.
    init(_ names: [String], key: [UInt8]? = nil, label: String = "") throws {
        for name in names { try add(name, key: key, label: label) }
    }

    @discardableResult
    mutating func add(_ name: String, key: [UInt8]? = nil, label: String = "") throws -> Node {
        let node = try Node(
            name, at: LoopbackFleet.hosts[nodes.count], key: key, label: label,
            seeds: nodes.first.map { [$0.address] } ?? [])
        nodes.append(node)
        return node
    }

    /// As killed: its sockets are closed and nobody is told.
    mutating func kill(_ name: String) { nodes.removeAll { $0.name == name } }

    /// Turns everybody until something is so.
    func run(
        until isSo: () throws -> Bool, _ what: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let deadline = Kernel.now() + patience
        while try !isSo() {
            try #require(Kernel.now() < deadline, what, sourceLocation: sourceLocation)
            turn()
        }
    }

    /// Turns everybody for a while.
    func run(for duration: Duration) {
        let end = Kernel.now() + duration
        while Kernel.now() < end { turn() }
    }

    /// Waits for what comes, 20 ms at most, and turns everybody.
    func turn() {
        var polled = nodes.map { pollfd(fd: $0.driver.descriptor, events: Int16(POLLIN), revents: 0) }
        let wake = nodes.map(\.driver.nextWake).min() ?? Kernel.now()
        let wait = min(20, max(0, ((wake - Kernel.now()).wholeNanoseconds.addingSaturating(999_999)) / 1_000_000))
        _ = unsafe poll(&polled, nfds_t(polled.count), Int32(wait))
        for node in nodes { node.driver.turn() }
    }

    var allSeeAll: Bool {
        let names = nodes.map(\.name).sorted()
        return nodes.allSatisfy { node in
            node.names == names && names.allSatisfy { node.state(of: $0) == .alive }
        }
    }
}

/// A stranger's socket.
final class Stranger {
    private let descriptor: Int32

    /// For datagrams.
    init() throws {
        descriptor = try Kernel.bindDatagrams(.ipv4(.loopback, port: 0), receiveBuffer: 1 << 16)
    }

    /// Connected by TCP.
    init(connectedTo peer: PeerAddress) throws {
        let address = peer.socketAddress
        descriptor = try Kernel.socket(family: address.family).get()
        let outcome = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
        guard outcome.error == .inProgress else {
            try outcome.get()
            return
        }
        try wait(POLLOUT)
        if let error = Kernel.connectError(descriptor) { throw error }
    }

    deinit { Kernel.close(descriptor) }

    private func wait(_ events: Int32) throws {
        var wanted = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        try #require(unsafe poll(&wanted, 1, 5000) == 1)
    }

    func send(_ bytes: [UInt8], to peer: PeerAddress) {
        let form = peer.socketAddress.kernelForm
        _ = unsafe bytes.withUnsafeBytes { bytes in
            unsafe form.withUnsafeBytes { unsafe Kernel.sendDatagram(descriptor, bytes, to: $0) }
        }
    }

    /// As much as there is room for.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        max(0, unsafe bytes.withUnsafeBytes { unsafe Kernel.send(descriptor, $0, more: false) }.count)
    }

    enum Reading: Equatable { case bytes([UInt8]), nothingYet, end, reset }

    func receive() -> Reading {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let outcome = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(descriptor, into: $0) }
        if outcome.wouldBlock { return .nothingYet }
        guard outcome.succeeded else { return .reset }
        return outcome.count == 0 ? .end : .bytes(Array(buffer.prefix(outcome.count)))
    }
}
