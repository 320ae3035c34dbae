// What happens next in a world: a heap of small trivial structs.
//
// A heap of four children per parent: half as deep as a binary one and its four children lie in two cache lines. A timer
// wheel would be faster for wakes alone; latencies have no resolution that one could choose slots by.

/// One thing that will happen, 24 bytes.
struct Event {
    enum Kind: UInt8 {
        /// The fault with this number strikes; no node.
        case fault
        /// The node may have something due.
        case wake
        /// A node begins for the first time, cold.
        case begin
        /// A pause that was given a length ends; the payload is its number.
        case resume
        /// The datagram in this slot reaches the node.
        case datagram
        /// The next step of the stream in this slot, at the node.
        case connect, established, request, answer, ended, deadline
    }

    /// The world's time in nanoseconds.
    let time: Int64
    /// Orders events of one moment by when they were scheduled; unique.
    let order: UInt64
    let payload: UInt32
    /// The kind in the low byte, the node above it.
    private let place: UInt32

    static let nodeLimit = 1 << 24

    init(time: Int64, order: UInt64, kind: Kind, node: Int, payload: UInt32) {
        self.time = time
        self.order = order
        self.payload = payload
        place = UInt32(node) << 8 | UInt32(kind.rawValue)
    }

    var node: Int { Int(place >> 8) }

    var kind: Kind {
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: place)) else {
            preconditionFailure("only init writes it, from a kind")
        }
        return kind
    }

    static func < (a: Event, b: Event) -> Bool { a.time < b.time || a.time == b.time && a.order < b.order }
}

/// Events in the order of their time; those of one moment as they were scheduled.
struct EventQueue {
    private var heap: [Event] = []
    private var scheduled: UInt64 = 0

    var count: Int { heap.count }

    /// When the first one is due; nil where nothing will ever happen.
    var nextTime: Int64? { heap.first?.time }

    /// - Complexity: O(log count), and constant for the usual event, which is later than its parent.
    mutating func schedule(_ kind: Event.Kind, node: Int = 0, payload: UInt32 = 0, at time: Int64) {
        scheduled += 1
        let event = Event(time: time, order: scheduled, kind: kind, node: node, payload: payload)
        var hole = heap.count
        heap.append(event)
        while hole > 0 {
            let parent = (hole - 1) >> 2
            guard event < heap[parent] else { break }
            heap[hole] = heap[parent]
            hole = parent
        }
        heap[hole] = event
    }

    mutating func popFirst() -> Event? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        return first
    }

    /// Puts an event in at the root, where there is a hole.
    private mutating func sink(_ event: Event) {
        let count = heap.count
        var hole = 0
        while true {
            let first = (hole << 2) + 1
            guard first < count else { break }
            var least = first
            var next = first + 1
            while next < min(first + 4, count) {
                if heap[next] < heap[least] { least = next }
                next += 1
            }
            guard heap[least] < event else { break }
            heap[hole] = heap[least]
            hole = least
        }
        heap[hole] = event
    }
}
