// Who is on a ring or in a table, in an order that nobody's arrival decides.
//
// A member is its name's hash: its points and its turns follow from that alone, and members stand in the order of
// their hashes. So two remoras that learnt of the same members in different orders build the same table, and no list
// of names is kept. Two names with one hash would be one member; among a million names that happens to one fleet in
// 37 million.
//
// The order of names as Swift compares strings was not taken: it follows Unicode's tables, which change with releases.

internal import Upstreams
internal import Vocabulary

/// Members in the order of their names' hashes, each once.
struct HashedMembers {
    /// More are a fault of ours: a fleet has far fewer, and every one of them needs a point on the ring.
    static let limit = 1 << 20

    struct Member: Equatable {
        var hash: UInt64
        /// The sum over all that bear this name.
        var weight: UInt64
        /// Its place in the list that was given; the first, where several bear its name.
        var given: UInt32
    }

    let members: [Member]

    init(_ given: [HashedMember]) {
        precondition(given.count <= Self.limit, "a ring has room for 2²⁰ members")
        let sorted = given.enumerated().map { place, member in
            Member(
                hash: XXH64.hash(member.name), weight: UInt64(member.weight.value),
                given: UInt32(truncatingIfNeeded: place))
        }.sorted { $0.hash != $1.hash ? $0.hash < $1.hash : $0.given < $1.given }
        members = sorted.reduce(into: []) { members, member in
            if let last = members.last, last.hash == member.hash {
                members[members.count - 1].weight += member.weight
            } else {
                members.append(member)
            }
        }
    }

    var count: Int { members.count }

    /// A sum that agrees where names and weights do, in whatever order they were given.
    func checksum(seed: UInt64) -> UInt64 {
        members.reduce(seed) { XXH64.mix(XXH64.mix($0, $1.hash), $1.weight) }
    }
}
