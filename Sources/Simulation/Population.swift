// Who lives in a world: names, addresses, records and seeds, all from the options.
//
// The world and the replay make their cores here, so that a log need not say what a core was made of.

package import Gossip
import Vocabulary

/// Makes the cores of a world. Node `i` is called `n<i>`, has the number `i` in the directory and an address from which
/// `i` follows by arithmetic.
package struct Population {
    package let directory: Directory
    let options: WorldOptions
    /// The first record of each node.
    let records: [MemberRecord]
    /// All of them alive at incarnation 1: what a warm start knows.
    let claims: [MemberClaim]

    static let port: UInt16 = 7946
    /// The far end of every stream is an ephemeral port of its opener.
    static let ephemeralPort: UInt16 = 49_152
    private static let base: UInt32 = 10 << 24

    package init(_ options: WorldOptions) {
        self.options = options
        directory = Directory()
        var records: [MemberRecord] = []
        var claims: [MemberClaim] = []
        records.reserveCapacity(options.nodes)
        claims.reserveCapacity(options.nodes)
        for node in 0..<options.nodes {
            let id = directory.intern("n\(node)")
            precondition(id.index == node, "a new directory numbers names as they come")
            directory.hold(id)
            let record = Population.record(of: node, revision: 0, options: options)
            records.append(record)
            claims.append(MemberClaim(node: id, incarnation: 1, state: .alive, record: record))
        }
        self.records = records
        self.claims = claims
    }

    package static func address(of node: Int) -> PeerAddress {
        PeerAddress(SocketAddress.IPv4(bits: base + UInt32(node)), port: port)
    }

    /// The far end of a stream that this node opened.
    static func streamAddress(of node: Int) -> PeerAddress {
        PeerAddress(SocketAddress.IPv4(bits: base + UInt32(node)), port: ephemeralPort)
    }

    /// The node at an address; nil where there is none, and for another port.
    func node(at address: PeerAddress) -> Int? {
        guard address.isIPv4, address.port == Population.port else { return nil }
        let number = UInt32(truncatingIfNeeded: address.low) &- Population.base
        return number < UInt32(options.nodes) ? Int(number) : nil
    }

    package static func id(of node: Int) -> MemberID { MemberID(index: UInt32(node)) }

    /// The addresses that a node joins through: never its own.
    func seeds(of node: Int) -> [PeerAddress] {
        options.seeds.filter { $0 != node }.map { Population.address(of: $0) }
    }

    /// A fresh core, not started. Every life of a node has random numbers of its own.
    package func core(of node: Int, life: Int) -> Membership {
        var options = self.options.options
        options.seeds = seeds(of: node)
        var mixer = SeededRandom(seed: self.options.seed)
        let salt = mixer.next() ^ UInt64(node) << 24 ^ UInt64(life)
        return Membership(
            name: Population.id(of: node), record: records[node], options: options, directory: directory,
            random: SeededRandom(seed: salt))
    }

    /// The record of a node after that many updates.
    func record(of node: Int, revision: Int) -> MemberRecord {
        Population.record(of: node, revision: revision, options: options)
    }

    /// Tags as Serf writes them: a byte 255, then a map of strings.
    private static func record(of node: Int, revision: Int, options: WorldOptions) -> MemberRecord {
        var meta: [UInt8] = [255]
        // Two tags: what it is, and a text that makes up the length and tells the revisions apart.
        meta.append(0x82)
        let kind = options.areRemoras ? ("remora", "1") : ("role", "ed")
        for text in [kind.0, kind.1, "x"] {
            meta.append(0xA0 | UInt8(text.utf8.count))
            meta.append(contentsOf: text.utf8)
        }
        var filling = Array(String(revision, radix: 36).utf8)
        // A raw of up to 31 bytes has one byte of header; a longer one has three.
        let room = options.metaLength - meta.count - 1
        let isShort = room <= 31
        let length = max(filling.count, isShort ? room : room - 2)
        filling.append(contentsOf: repeatElement(UInt8(ascii: "-"), count: length - filling.count))
        meta.append(contentsOf: length <= 31 ? [0xA0 | UInt8(length)] : [0xDA, 0, UInt8(length)])
        meta.append(contentsOf: filling)
        return MemberRecord(
            address: address(of: node), meta: meta, versions: .serf, isRemora: options.areRemoras)
    }
}

/// One core with what a log tells apart about it.
struct Inhabitant {
    var core: Membership
    var isRunning = false
    /// It said goodbye in this life.
    var hasLeft = false
    /// How many cores this node has had, this one included; 0 before the first.
    var life = 0
    /// How often it was updated; goes on over restarts.
    var revision = 0
    /// Of all that this node's cores did.
    var digest = Digest()

    init(core: Membership) { self.core = core }

    /// When the core wants to be woken.
    // Mutating, although it changes nothing: a getter would be called on a copy of the core, which counts a reference
    // for each of its tables; this is the world's innermost loop.
    mutating func readNextWake() -> Instant { core.nextWake }

    /// Takes in what the core did in answer to one input.
    mutating func note(_ effects: Effects) { digest.mix(effects, of: &core) }

    /// Replaces the core by a fresh one and starts it.
    mutating func boot(_ core: Membership, knowing claims: [MemberClaim], at now: Instant, into effects: inout Effects)
    {
        life += 1
        isRunning = true
        hasLeft = false
        self.core = core
        if !claims.isEmpty { self.core.preload(claims, at: now) }
        self.core.start(at: now, into: &effects)
    }
}
