// Who shares the keys of an upstream, and what says whose key is whose, as far as discovery has to know of it.
//
//     Discovery ──TableOrder──► a helper thread ──any KeyTable──► Discovery ──► UpstreamSnapshot
//
// Rings and tables depend on the members' names and their gossiped weights alone, so that all remoras have the same
// one: no fitness that this node has seen for itself, no zone, no slow start, no roster (one may read it a moment later
// than another) goes in. Whom gossip calls dead or gone is not in it either, since a remora that comes later never hears
// of them; whom it suspects is, and so is who drains or fails by its own word, as that passes.
//
// A large table takes longer to build than the control thread may take for anything, so discovery only orders it, once
// for each change of the members, and publishes with the older one meanwhile: a member that is new owns no key yet, one
// that is gone is passed over, as one that is unfit. It is made once for all workers and for every snapshot in which
// the members are the same.
//
// Not taken: to build on the control thread where the members are few. A Maglev table takes nine milliseconds however
// few there are, and two ways to the same table are one too many.

package import Vocabulary

/// A member as hashing knows it.
package struct HashedMember: Hashable, Sendable {
    /// The member's name in the fleet, or an address where the config names endpoints.
    package var name: String
    /// As gossiped; never what slow starts make of it, which is each remora's own.
    package var weight: Weight

    package init(name: String, weight: Weight = .standard) {
        (self.name, self.weight) = (name, weight)
    }
}

/// All that a ring or table depends on.
package struct KeyRoll: Hashable, Sendable {
    package enum Form: Hashable, Sendable {
        /// With so many points for a member of weight 100.
        case ring(virtualNodes: Int)
        case maglev
    }

    package var form: Form
    /// In an order that means nothing; a table tells members by their places in it.
    package var members: [HashedMember]

    package init(_ form: Form, of members: [HashedMember]) {
        self.form = form
        self.members = members
    }
}

/// A ring or table, immutable; what it is made of is `Balancing`'s.
package protocol KeyTable: AnyObject, Sendable {
    /// Equal in two processes where the tables are.
    var checksum: UInt64 { get }
}

/// A table that discovery waits for.
package struct TableOrder: Sendable {
    /// The upstream's place.
    package let upstream: Int
    package let roll: KeyRoll
    /// The one before, to build upon where that is faster.
    package let base: (any KeyTable)?
}

/// A table, and which endpoint of a snapshot stands for each of its members.
package struct KeyOwners: Sendable {
    /// Where nobody does.
    package static let nobody = UInt32.max

    package let table: any KeyTable
    /// Indices of the snapshot's records, by the members' places in the roll.
    package let records: [UInt32]

    package init(_ table: any KeyTable, records: [UInt32]) {
        self.table = table
        self.records = records
    }
}

extension UpstreamOptions {
    /// What its keys are shared by; nil for policies that have none.
    package var keyForm: KeyRoll.Form? {
        switch balance {
        case .ringHash: .ring(virtualNodes: hash.virtualNodes)
        case .maglev: .maglev
        case .p2c, .leastRequest, .roundRobin, .random: nil
        }
    }
}

/// What discovery keeps of one upstream's keys.
struct KeyLedger {
    /// The one in use, with the roll that it was built of.
    private(set) var table: (any KeyTable)?
    private var roll: KeyRoll?
    /// The place of each member in `roll`.
    private var places: [String: UInt32] = [:]
    /// What is being built.
    private var ordered: KeyRoll?
    /// Whether somebody came or went, or weighs another weight, since the members were last listed.
    var isStale = true

    /// The place in the table of a member; nil while it has none.
    func place(of name: String) -> UInt32? { places[name] }

    /// What is to be built next, if anything; nothing while something is.
    mutating func order(_ form: KeyRoll.Form, _ members: () -> [HashedMember]) -> KeyRoll? {
        guard ordered == nil, isStale || roll?.form != form else { return nil }
        isStale = false
        let wanted = KeyRoll(form, of: members())
        // Who went may have come back meanwhile.
        guard wanted != roll else { return nil }
        ordered = wanted
        return wanted
    }

    /// Takes a table in use, unless the config wants another kind by now.
    /// - Returns: whether it was waited for: what is wanted next may be ordered then.
    mutating func install(_ table: any KeyTable, of roll: KeyRoll, for form: KeyRoll.Form?) -> Bool {
        guard ordered == roll else { return false }
        ordered = nil
        guard roll.form == form else { return true }
        self.table = table
        self.roll = roll
        places.removeAll(keepingCapacity: true)
        for (place, member) in roll.members.enumerated() {
            if places[member.name] == nil { places[member.name] = UInt32(place) }
        }
        return true
    }

    /// Which endpoints stand for the table's members.
    func owners(_ endpoints: [TrackedEndpoint]) -> KeyOwners? {
        guard let table, let roll else { return nil }
        var records = [UInt32](repeating: KeyOwners.nobody, count: roll.members.count)
        for (index, endpoint) in endpoints.enumerated() {
            if let place = endpoint.keyPlace { records[Int(place)] = UInt32(index) }
        }
        return KeyOwners(table, records: records)
    }
}
