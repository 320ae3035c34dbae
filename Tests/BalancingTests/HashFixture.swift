// Members and keys of the hashing tests.

import Balancing
import Upstreams
import Vocabulary

/// Seven members of unlike weights, those of the golden tables.
let goldenMembers = [100, 100, 50, 200, 100, 1, 130].enumerated().map { number, weight in
    HashedMember(name: "edge-00\(number)", weight: Weight(weight))
}

func equalMembers(_ count: Int, weight: Int = 100) -> [HashedMember] {
    (0..<count).map { HashedMember(name: "node-\($0)", weight: Weight(weight)) }
}

/// Members with weights of 1 to 400 and names that no other seed has.
func mixedMembers(_ count: Int, seed: UInt64) -> [HashedMember] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { number in
        HashedMember(name: "node-\(seed)-\(number)", weight: Weight(1 + Int(random.below(400))))
    }
}

/// Hashes of different keys.
func keys(_ count: Int) -> [UInt64] { (0..<count).map { XXH64.hash(UInt64($0), 0xFEED) } }

extension Array where Element == HashedMember {
    var names: [String] { map(\.name) }

    func without(_ name: String) -> [HashedMember] { filter { $0.name != name } }

    func shuffled(seed: UInt64) -> [HashedMember] {
        var random = SeededRandom(seed: seed)
        return shuffled(using: &random)
    }
}

extension HashRing {
    /// Each key's owner by name; an empty name where there is none.
    func owners(_ keys: [UInt64], in members: [HashedMember], where isFit: (String) -> Bool = { _ in true }) -> [String]
    {
        keys.map { key in
            member(for: key) { isFit(members[Int($0)].name) }.map { members[Int($0)].name } ?? ""
        }
    }
}

extension MaglevTable {
    func owners(_ keys: [UInt64], in members: [HashedMember], where isFit: (String) -> Bool = { _ in true }) -> [String]
    {
        keys.map { key in
            member(for: key) { isFit(members[Int($0)].name) }.map { members[Int($0)].name } ?? ""
        }
    }
}

/// The standard deviation of these shares, in units of their mean.
func variation(of shares: [Double]) -> Double {
    let mean = shares.reduce(0, +) / Double(shares.count)
    let squares = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(shares.count)).squareRoot() / mean
}
