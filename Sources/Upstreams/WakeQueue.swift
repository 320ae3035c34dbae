// When which endpoint needs attention: the end of an ejection or an interval, a step of slow start.
//
// A binary heap that knows where each endpoint stands in it, so that a time is moved or withdrawn in place. Not taken:
// leaving withdrawn times in until they surface, which wakes the control thread for nothing.

internal import Vocabulary

struct WakeQueue {
    private var heap: [TrackedEndpoint] = []

    var earliest: Instant? { heap.first?.wake }

    /// Sets, moves or withdraws the endpoint's time; O(log n).
    mutating func update(_ endpoint: TrackedEndpoint, to wake: Instant?) {
        guard let wake else { return remove(endpoint) }
        endpoint.wake = wake
        if endpoint.wakePosition == nil {
            endpoint.wakePosition = heap.count
            heap.append(endpoint)
        }
        settle(endpoint)
    }

    /// The first endpoint whose time has come; it stays in until its time is changed.
    func due(at now: Instant) -> TrackedEndpoint? {
        guard let first = heap.first, first.wake <= now else { return nil }
        return first
    }

    private mutating func remove(_ endpoint: TrackedEndpoint) {
        guard let position = endpoint.wakePosition else { return }
        endpoint.wakePosition = nil
        let last = heap.removeLast()
        guard last !== endpoint else { return }
        heap[position] = last
        last.wakePosition = position
        settle(last)
    }

    private mutating func settle(_ endpoint: TrackedEndpoint) {
        guard var position = endpoint.wakePosition else { return }
        while position > 0, heap[position].precedes(heap[(position - 1) / 2]) {
            exchange(position, (position - 1) / 2)
            position = (position - 1) / 2
        }
        while true {
            var first = position
            for child in [2 * position + 1, 2 * position + 2] where child < heap.count {
                if heap[child].precedes(heap[first]) { first = child }
            }
            if first == position { return }
            exchange(position, first)
            position = first
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        heap[a].wakePosition = a
        heap[b].wakePosition = b
    }
}

extension TrackedEndpoint {
    /// Equal times go by the cell, which is one endpoint's alone.
    fileprivate func precedes(_ other: TrackedEndpoint) -> Bool {
        wake == other.wake ? cell < other.cell : wake < other.wake
    }
}
