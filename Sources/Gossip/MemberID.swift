// Names as numbers.
//
// Names arrive in every message and are looked up in every table; a fleet of 10,000 simulated members would spend its
// memory on dictionaries of strings. So a name is looked up once, where bytes become messages, and is a number inside.
// The number is an index: a member's table needs no hashing at all.
//
// Not taken: reference-counted name objects (8 bytes and a dictionary per table), and names kept as strings in messages
// (every copy of a message would count references).

/// A member's name, as its number in a ``Directory``. Only meaningful beside that directory.
package struct MemberID: Hashable, Sendable {
    package let index: UInt32
    package init(index: UInt32) { self.index = index }
}

extension MemberID: CustomStringConvertible {
    package var description: String { "#\(index)" }
}

/// The names that the members of one process have heard, each with its number.
///
/// One per process (or per simulated world), handed to every core and codec that exchange messages; not `Sendable`.
/// A name that bytes from outside bear gets a number at once, and loses it at the next ``sweep()`` unless somebody holds it:
/// what is never admitted takes no memory. Numbers are given in the order of arrival, so they are the same in every
/// run; nothing is ever decided by a hash.
package final class Directory {
    private var names: [String] = []
    private var facts: [Facts] = []
    /// Open addressing; a number, or `vacant`. Its size is a power of two, at most half full.
    private var buckets: [UInt32] = []
    /// Numbers whose names were forgotten, to be given again.
    private var free: [UInt32] = []
    /// Numbers that may have no holder: given, or released, since the last sweep.
    private var doubtful: [UInt32] = []
    private static let vacant = UInt32.max

    /// What is asked of a name in inner loops.
    private struct Facts {
        var digest: UInt64
        var length: UInt32
        var holds: UInt32
        var isNamed: Bool
        var isDoubtful: Bool
    }

    package init() {
        buckets = [UInt32](repeating: Directory.vacant, count: 16)
    }

    /// How many numbers are or were in use: every ``MemberID/index`` is below it.
    package var bound: Int { names.count }

    /// The names known at present.
    package var count: Int { names.count - free.count }
}

// MARK: - From names to numbers

extension Directory {
    /// The number of a name; new if it was not known. The empty name has a number like any other.
    /// - Complexity: O(length), no allocation for a known name.
    package func intern(_ name: String) -> MemberID {
        var name = name
        return name.withUTF8 { unsafe intern(validated: UnsafeRawBufferPointer($0)) }
    }

    /// The number of a name as bytes of UTF-8; nil, and nothing changed, where they are not UTF-8.
    /// - Complexity: O(length), no allocation for a known name.
    package func intern(bytes: UnsafeRawBufferPointer) -> MemberID? {
        if let known = unsafe find(bytes: bytes) { return known }
        guard unsafe String(validating: bytes, as: UTF8.self) != nil else { return nil }
        return unsafe intern(validated: bytes)
    }

    /// The number of a name that is known.
    package func find(bytes: UnsafeRawBufferPointer) -> MemberID? {
        let bucket = unsafe bucket(of: bytes)
        return buckets[bucket] == Directory.vacant ? nil : MemberID(index: buckets[bucket])
    }

    private func intern(validated bytes: UnsafeRawBufferPointer) -> MemberID {
        let found = unsafe bucket(of: bytes)
        if buckets[found] != Directory.vacant { return MemberID(index: buckets[found]) }
        let name = unsafe String(decoding: bytes, as: UTF8.self)
        let facts = unsafe Facts(
            digest: Directory.digest(of: bytes), length: UInt32(bytes.count), holds: 0, isNamed: true, isDoubtful: true)
        let index: UInt32
        if let reused = free.popLast() {
            index = reused
            names[Int(index)] = name
            self.facts[Int(index)] = facts
        } else {
            index = UInt32(names.count)
            names.append(name)
            self.facts.append(facts)
        }
        doubtful.append(index)
        buckets[found] = index
        if count * 2 > buckets.count { rehash(into: buckets.count * 2) }
        return MemberID(index: index)
    }

    /// Where a name is, or would go.
    private func bucket(of bytes: UnsafeRawBufferPointer) -> Int {
        // Seeded per process, so that nobody can choose names that collide; it decides places and nothing else.
        var hasher = Hasher()
        unsafe hasher.combine(bytes: bytes)
        let mask = buckets.count - 1
        var place = hasher.finalize() & mask
        while buckets[place] != Directory.vacant {
            let candidate = Int(buckets[place])
            if Int(facts[candidate].length) == bytes.count, unsafe isName(candidate, equalTo: bytes) { return place }
            place = (place + 1) & mask
        }
        return place
    }

    private func isName(_ index: Int, equalTo bytes: UnsafeRawBufferPointer) -> Bool {
        unsafe names[index].utf8.elementsEqual(bytes)
    }

    private func rehash(into size: Int) {
        buckets = [UInt32](repeating: Directory.vacant, count: size)
        for index in names.indices where facts[index].isNamed {
            var name = names[index]
            let place = name.withUTF8 { unsafe bucket(of: UnsafeRawBufferPointer($0)) }
            buckets[place] = UInt32(index)
        }
    }
}

// MARK: - From numbers to what is known of names

extension Directory {
    /// - Precondition: the number is of this directory and was not swept.
    package func name(of id: MemberID) -> String {
        assert(facts[Int(id.index)].isNamed, "a name was used after it was forgotten")
        return names[Int(id.index)]
    }

    /// The name's length in bytes of UTF-8.
    package func length(of id: MemberID) -> Int { Int(facts[Int(id.index)].length) }

    /// A hash of the name that is equal in every process and release (64-bit FNV-1a, as in RFC 9923).
    package func digest(of id: MemberID) -> UInt64 { facts[Int(id.index)].digest }

    private static func digest(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in bytes.indices {
            hash = unsafe (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
        }
        return hash
    }
}

// MARK: - Forgetting

extension Directory {
    /// Keeps a name until the matching ``release(_:)``.
    package func hold(_ id: MemberID) { facts[Int(id.index)].holds += 1 }

    /// Ends a ``hold(_:)``; the name goes at the next ``sweep()`` if this was the last.
    package func release(_ id: MemberID) {
        let index = Int(id.index)
        precondition(facts[index].holds > 0, "released more often than held")
        facts[index].holds -= 1
        if facts[index].holds == 0, !facts[index].isDoubtful {
            facts[index].isDoubtful = true
            doubtful.append(id.index)
        }
    }

    /// Forgets every name that nobody holds. To be called when no message is in flight; a simulated world, where
    /// messages always are, never does.
    /// - Complexity: O(names given or released since the last call), amortised.
    package func sweep() {
        guard !doubtful.isEmpty else { return }
        for index in doubtful {
            facts[Int(index)].isDoubtful = false
            if facts[Int(index)].holds == 0 { forget(index) }
        }
        doubtful.removeAll(keepingCapacity: true)
    }

    /// Removes a name from its bucket and puts those that follow without a gap in anew, which closes it (compare
    /// Knuth, TAOCP 3, §6.4, algorithm R).
    private func forget(_ index: UInt32) {
        var name = names[Int(index)]
        let mask = buckets.count - 1
        let hole = name.withUTF8 { unsafe bucket(of: UnsafeRawBufferPointer($0)) }
        buckets[hole] = Directory.vacant
        facts[Int(index)].isNamed = false
        names[Int(index)] = ""
        free.append(index)
        var next = (hole + 1) & mask
        while buckets[next] != Directory.vacant {
            let moved = buckets[next]
            buckets[next] = Directory.vacant
            var other = names[Int(moved)]
            let place = other.withUTF8 { unsafe bucket(of: UnsafeRawBufferPointer($0)) }
            buckets[place] = moved
            next = (next + 1) & mask
        }
    }
}
