// Connections that will end, the next one first: a heap of whole numbers, each all that is known of one.
//
// Time, endpoint and balancer lie in the bits of one `Int64`, time uppermost, so that comparing two numbers compares
// their times, and a heap of thousands fits the processor's nearest memory. Two that end in the same tick do so in the
// order of their endpoints, in every process.

/// A connection's end.
struct Departure {
    static let endpointLimit = 1 << 14
    static let balancerLimit = 1 << 10
    /// Ticks to a mean service time: coarse enough for eight million service times, fine enough to tell any two.
    static let ticks = 65_536.0

    let bits: Int64

    init(bits: Int64) { self.bits = bits }

    init(at time: Int64, from endpoint: Int, of balancer: Int) {
        bits = time << 24 | Int64(endpoint) << 10 | Int64(balancer)
    }

    /// In ticks.
    var time: Int64 { bits >> 24 }
    var endpoint: Int { Int(bits >> 10 & 0x3FFF) }
    var balancer: Int { Int(bits & 0x3FF) }
}

struct DepartureHeap {
    private var heap: [Int64] = []

    var count: Int { heap.count }

    /// The end of time where there is none.
    var nextTime: Int64 { heap.isEmpty ? .max : heap[0] >> 24 }

    mutating func insert(_ departure: Departure) {
        var hole = heap.count
        heap.append(departure.bits)
        while hole > 0 {
            let parent = (hole - 1) >> 1
            guard departure.bits < heap[parent] else { break }
            heap[hole] = heap[parent]
            hole = parent
        }
        heap[hole] = departure.bits
    }

    /// - Precondition: there is one.
    mutating func removeFirst() -> Departure {
        let first = heap[0]
        let last = heap.removeLast()
        let count = heap.count
        guard count > 0 else { return Departure(bits: first) }
        // Down along the sooner children to the bottom, then up: what was last belongs near the bottom.
        var hole = 0
        while 2 * hole + 2 < count {
            let child = heap[2 * hole + 1] < heap[2 * hole + 2] ? 2 * hole + 1 : 2 * hole + 2
            heap[hole] = heap[child]
            hole = child
        }
        if 2 * hole + 1 < count {
            heap[hole] = heap[2 * hole + 1]
            hole = 2 * hole + 1
        }
        while hole > 0, last < heap[(hole - 1) >> 1] {
            heap[hole] = heap[(hole - 1) >> 1]
            hole = (hole - 1) >> 1
        }
        heap[hole] = last
        return Departure(bits: first)
    }
}
