// Consistent hashing: who owns a key, such that a member that goes takes only its own keys along.
//
// Karger et al., *Consistent Hashing and Random Trees* (1997): every member has points on a circle of 64-bit numbers,
// and a key belongs to the member whose point comes next. Points follow from the member alone, so no two members'
// points depend on each other, and a ring is the same whoever builds it.
//
// The circle is cut into as many equal pieces as there are points, about, and for each piece it is known which point
// comes first. As points are spread evenly, a lookup looks at one or two, where a binary search would touch a cache
// line for every bit of the count. The same pieces sort the points in linear time.
//
// Points are given per member, not per ring, or a ring that was even with ten members is coarse with a thousand. A
// ring of a fixed size that members share (Envoy's) also moves keys between survivors whenever somebody joins, as
// each then has fewer points.

public import Upstreams
internal import Vocabulary

/// An immutable ring of members.
///
/// `@unchecked`: the memory behind the pointers is written in `init` alone, before anyone else sees the ring.
@safe
@usableFromInline
package final class HashRing: KeyTable, @unchecked Sendable {
    /// How many points a member of weight 100 may be given.
    package static let virtualNodesRange = 1...10_000
    /// Points of a whole ring: 64 MiB. Where more are asked for, all members have half as many, or a quarter …
    package static let pointLimit = 1 << 22

    /// Where a member stands on the circle.
    @frozen
    @usableFromInline
    struct Point {
        @usableFromInline var hash: UInt64
        /// The member's place in the list that was given.
        @usableFromInline var owner: UInt32
    }

    /// Different members, by name.
    package let memberCount: Int
    /// Equal in two processes where their rings are.
    package let checksum: UInt64

    @usableFromInline let points: UnsafeBufferPointer<Point>
    /// For each piece of the circle the place in ``points`` of the first that is not before it.
    @usableFromInline let starts: UnsafeBufferPointer<UInt32>
    /// A key's piece is what is left of it after this shift.
    @usableFromInline let shift: UInt64
    private let members: HashedMembers
    private let scale: PointScale
    private let detour: Detour

    /// The ring of `members`, whatever their order; O(points).
    /// - Precondition: there are fewer than 2²⁰ members, and `virtualNodes` is within ``virtualNodesRange``.
    package convenience init(_ members: [HashedMember], virtualNodes: Int) {
        let hashed = HashedMembers(members)
        let scale = PointScale(virtualNodes: virtualNodes, members: hashed)
        let count = hashed.members.reduce(0) { $0 + scale.points(of: $1.weight) }
        let points = UnsafeMutableBufferPointer<Point>.allocate(capacity: count)
        let pieces = Pieces(count: count)
        var places = pieces.counts(of: hashed.members, scale)
        for member in hashed.members {
            for number in 0..<scale.points(of: member.weight) {
                let hash = HashRing.point(number, of: member.hash)
                let piece = Int(hash &>> pieces.shift)
                unsafe points[Int(places[piece])] = Point(hash: hash, owner: member.given)
                places[piece] += 1
            }
        }
        // Only within a piece may any be out of order; what is equal stays in the order of the members.
        for sorted in 1..<max(count, 1) {
            let point = unsafe points[sorted]
            var place = sorted
            while place > 0, unsafe points[place - 1].hash > point.hash {
                unsafe points[place] = points[place - 1]
                place -= 1
            }
            unsafe points[place] = point
        }
        unsafe self.init(members: hashed, scale: scale, points: UnsafeBufferPointer(points))
    }

    /// - Parameter points: in their order on the circle; this ring frees them.
    private init(members: HashedMembers, scale: PointScale, points: UnsafeBufferPointer<Point>) {
        self.members = members
        self.scale = scale
        unsafe self.points = points
        memberCount = members.count
        detour = Detour(members)
        let pieces = Pieces(count: points.count)
        shift = pieces.shift
        let starts = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: pieces.count)
        var place = 0
        for piece in 0..<pieces.count {
            while place < points.count, unsafe Int(points[place].hash &>> pieces.shift) < piece { place += 1 }
            unsafe starts[piece] = UInt32(place)
        }
        unsafe self.starts = UnsafeBufferPointer(starts)
        let seed = UInt64(scale.virtualNodes)
        let sum = unsafe points.reduce(members.checksum(seed: seed)) { XXH64.mix($0, $1.hash) }
        checksum = XXH64.finish(sum)
    }

    deinit {
        unsafe points.deallocate()
        unsafe starts.deallocate()
    }

    /// Where a member's points are: hashes of its own hash and their number.
    private static func point(_ number: Int, of member: UInt64) -> UInt64 { XXH64.hash(member, UInt64(number)) }
}

// MARK: - Lookup

extension HashRing {
    /// Whose key this is: the place, in the list the ring was built from, of the first eligible member on the circle from
    /// the key on; nil only where none is eligible. O(1) where most are, O(n) at worst (see ``Detour``).
    ///
    /// - Parameters:
    ///   - key: a hash of what the connection is told by, ``XXH64/hash(_:seed:)``.
    ///   - isEligible: asked with places in that list, perhaps several times with one.
    @inlinable
    @inline(__always)
    package func member(for key: UInt64, where isEligible: (UInt32) -> Bool) -> UInt32? {
        if unsafe points.isEmpty { return nil }
        var place = unsafe Int(starts[Int(key &>> shift)])
        while unsafe place < points.count && points[place].hash < key { place &+= 1 }
        for _ in 0..<Detour.steps {
            if unsafe place == points.count { place = 0 }
            let owner = unsafe points[place].owner
            if isEligible(owner) { return owner }
            place &+= 1
        }
        return detoured(for: key, where: isEligible)
    }

    @usableFromInline
    @inline(never)
    func detoured(for key: UInt64, where isEligible: (UInt32) -> Bool) -> UInt32? {
        detour.first(for: key, where: isEligible)
    }

    /// What it was built with, and with it all that is ``updated(to:)`` from it.
    package var virtualNodes: Int { scale.virtualNodes }

    /// How many points there are on the ring.
    package var pointCount: Int { unsafe points.count }

    /// Each member's share of all keys, by its place in the list that was given; 0 for a name given before. O(points).
    package func shares(of given: Int) -> [Double] {
        var shares = [Double](repeating: 0, count: given)
        guard let last = unsafe points.last else { return shares }
        // A point has the keys after the one before it; differences wrap around the circle.
        var before = last.hash
        for place in unsafe points.indices {
            let point = unsafe points[place]
            let isWhole = unsafe points.count == 1
            shares[Int(point.owner)] += isWhole ? 1 : Double(point.hash &- before) * 0x1p-64
            before = point.hash
        }
        return shares
    }
}

// MARK: - Update

extension HashRing {
    /// The ring of `members`, exactly as if it were built anew, with the points of those that are on this one too taken
    /// over; O(points), about a tenth of what building costs where few changed.
    package func updated(to members: [HashedMember]) -> HashRing {
        let hashed = HashedMembers(members)
        let scale = PointScale(virtualNodes: self.scale.virtualNodes, members: hashed)
        let changes = RingChanges(from: self.members, self.scale, to: hashed, scale)
        let fresh = changes.fresh.flatMap { member in
            (0..<scale.points(of: member.weight)).map { number in
                Point(hash: HashRing.point(number, of: member.hash), owner: member.given)
            }
        }.sorted(by: changes.precedes)
        let count = hashed.members.reduce(0) { $0 + scale.points(of: $1.weight) }
        let merged = UnsafeMutableBufferPointer<Point>.allocate(capacity: count)
        var (place, next) = (0, 0)
        for old in unsafe points.indices {
            var point = unsafe points[old]
            guard let owner = changes.place(of: point.owner) else { continue }
            point.owner = owner
            while next < fresh.count, changes.precedes(fresh[next], point) {
                unsafe merged[place] = fresh[next]
                (place, next) = (place + 1, next + 1)
            }
            unsafe merged[place] = point
            place += 1
        }
        for point in fresh[next...] {
            unsafe merged[place] = point
            place += 1
        }
        return unsafe HashRing(members: hashed, scale: scale, points: UnsafeBufferPointer(merged))
    }
}

/// Which members of a ring stay on the next with the same points, and which need points of their own.
private struct RingChanges {
    /// By place in the old list, the place in the new one; `UInt32.max` for those whose points go.
    private var places: [UInt32]
    private(set) var fresh: [HashedMembers.Member] = []
    /// By place in the new list, the place in the order of the members.
    private var ranks: [Int]

    init(from old: HashedMembers, _ oldScale: PointScale, to new: HashedMembers, _ newScale: PointScale) {
        places = [UInt32](repeating: .max, count: Int(old.members.map(\.given).max() ?? 0) + 1)
        ranks = [Int](repeating: 0, count: Int(new.members.map(\.given).max() ?? 0) + 1)
        var rest = old.members[...]
        for (rank, member) in new.members.enumerated() {
            ranks[Int(member.given)] = rank
            rest = rest.drop { $0.hash < member.hash }
            if let known = rest.first, known.hash == member.hash,
                oldScale.points(of: known.weight) == newScale.points(of: member.weight)
            {
                places[Int(known.given)] = member.given
            } else {
                fresh.append(member)
            }
        }
    }

    /// Points of one hash stand in the order of their members.
    func precedes(_ a: HashRing.Point, _ b: HashRing.Point) -> Bool {
        a.hash != b.hash ? a.hash < b.hash : ranks[Int(a.owner)] < ranks[Int(b.owner)]
    }

    /// The new place of an old one; nil where its points go.
    func place(of owner: UInt32) -> UInt32? {
        let place = places[Int(owner)]
        return place == .max ? nil : place
    }
}

// MARK: - Points

/// How many points a weight is worth.
///
/// The virtual nodes are those of weight 100, the usual one, so that a member's points depend on nobody else. With two
/// exceptions, both by powers of two so that they hold for long: where the heaviest member is below 100, all have twice
/// the points or more, until it is not (a fleet in which everybody weighs 1 is as even as any other); and where the ring
/// would grow beyond its limit, all have half or less. Only when such a step is taken do keys move between survivors.
private struct PointScale: Equatable {
    let virtualNodes: Int
    private let doublings: Int
    private var halvings = 0

    init(virtualNodes: Int, members: HashedMembers) {
        precondition(HashRing.virtualNodesRange.contains(virtualNodes), "a member has 1 to 10,000 virtual nodes")
        self.virtualNodes = virtualNodes
        let heaviest = members.members.map(\.weight).max() ?? 100
        doublings = (0...7).first { heaviest << $0 >= 100 } ?? 0
        while members.members.reduce(0, { $0 + points(of: $1.weight) }) > HashRing.pointLimit { halvings += 1 }
    }

    /// At least 1, or a member would be none.
    func points(of weight: UInt64) -> Int {
        let nodes = ((UInt64(virtualNodes) * weight) << UInt64(doublings)) >> UInt64(halvings)
        return max(1, Int((nodes + 50) / 100))
    }
}

/// Equal pieces of the circle, a power of two of them, so that a piece is the first bits of a hash.
private struct Pieces {
    let count: Int
    let shift: UInt64

    /// - Parameter count: of the points.
    init(count: Int) {
        let bits = max(1, Int.bitWidth - max(count - 1, 1).leadingZeroBitCount)
        self.count = 1 << bits
        shift = UInt64(64 - bits)
    }

    /// Where the points of each piece begin, when all are in order.
    func counts(of members: [HashedMembers.Member], _ scale: PointScale) -> [UInt32] {
        var places = [UInt32](repeating: 0, count: count)
        for member in members {
            for number in 0..<scale.points(of: member.weight) {
                places[Int(XXH64.hash(member.hash, UInt64(number)) &>> shift)] += 1
            }
        }
        var sum: UInt32 = 0
        for piece in places.indices { (places[piece], sum) = (sum, sum + places[piece]) }
        return places
    }
}
