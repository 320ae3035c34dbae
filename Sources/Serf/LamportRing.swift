// What was heard in the last 512 Lamport times, so that nothing is taken twice (serf-layer §6 and §7).
//
// A place for each time, modulo the window, with all that was heard of that time. The reference bounds the window and
// nothing else, and can be filled with any number of messages of one time. Here the whole has a weight: beyond it the
// oldest times go, and with them the right to be heard. A message that could not be told from an old one is an old one.

import GossipWire

struct LamportRing<Item: Equatable & Sendable>: Sendable {
    /// How many times back anything is taken.
    static var window: UInt64 { 512 }
    /// How many items of one time are taken; each is compared with all of them.
    static var itemsPerTime: Int { 128 }

    enum Verdict: Equatable, Sendable {
        case new
        case seen
        /// Out of the window, or before ``minimum``.
        case tooOld
        /// There are ``itemsPerTime`` of this time already, or the item alone is too heavy.
        case tooMany
    }

    private struct Place: Sendable {
        var time: LamportTime
        var items: [Item]
        var weight: Int
    }

    /// Empty until something is heard.
    private var places: [Place?] = []
    private var weight = 0
    private let heaviest: Int
    private let weigh: @Sendable (Item) -> Int
    /// What is older is not taken.
    private(set) var minimum = LamportTime(0)

    /// - Parameters:
    ///   - heaviest: all items weigh no more than this together.
    ///   - weigh: what one item weighs; not negative, and always the same.
    init(heaviest: Int, weigh: @escaping @Sendable (Item) -> Int) {
        self.heaviest = heaviest
        self.weigh = weigh
    }

    /// Takes nothing of before this time any more.
    mutating func raiseMinimum(to time: LamportTime) { minimum = max(minimum, time) }

    /// Remembers an item, if it is new.
    /// - Parameter clock: what our clock shows, this time witnessed.
    mutating func take(_ item: Item, at time: LamportTime, clock: LamportTime) -> Verdict {
        guard time >= minimum, clock.value <= Self.window || time.value >= clock.value - Self.window else {
            return .tooOld
        }
        let index = Int(time.value % Self.window)
        if places.isEmpty { places = [Place?](repeating: nil, count: Int(Self.window)) }
        let itemWeight = weigh(item)
        guard itemWeight <= heaviest else { return .tooMany }
        if let place = places[index], place.time == time {
            if place.items.contains(item) { return .seen }
            guard place.items.count < Self.itemsPerTime else { return .tooMany }
        } else {
            // What stood there is a whole window older.
            weight -= places[index]?.weight ?? 0
            places[index] = Place(time: time, items: [], weight: 0)
        }
        places[index]?.items.append(item)
        places[index]?.weight += itemWeight
        weight += itemWeight
        while weight > heaviest { dropOldest() }
        return .new
    }

    /// All that is remembered, the oldest first.
    var groups: [(time: LamportTime, items: [Item])] {
        places.compactMap { $0 }.sorted { $0.time < $1.time }.map { ($0.time, $0.items) }
    }

    private mutating func dropOldest() {
        var oldest: Int?
        for index in places.indices {
            guard let place = places[index] else { continue }
            if let known = oldest.flatMap({ places[$0] }), known.time <= place.time { continue }
            oldest = index
        }
        guard let oldest, let place = places[oldest] else { return weight = 0 }
        weight -= place.weight
        places[oldest] = nil
        raiseMinimum(to: place.time.next)
    }
}
