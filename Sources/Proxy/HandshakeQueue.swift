// Whose TLS handshake goes on next, so that a flood of them leaves the worker to those who are through.
//
// A step of a handshake costs as much as a hundred requests, and whoever wants can send a ClientHello. So steps are not
// done as their events come, but a few in each turn of the loop, after everything else of the turn. Two queues, served by
// turns: hellos that nothing has been done for yet, and handshakes that are under way. With one, those under way would
// stand behind every new hello, and cost their memory for longer; with one before the other, hellos could starve those
// under way, or those that dribble their bytes could starve hellos. Each queue is first come, first served.
//
// Three bounds: steps a turn, new handshakes a second, and handshakes under way, beyond which the oldest makes room:
// it is the likeliest to be one that stalls, as in a SYN queue. Not taken: to refuse the newest, by which whoever lets
// handshakes stall would keep everyone else out.

import Vocabulary

/// First come, first served; O(1) each way, amortised.
struct Line<Element> {
    private var elements: [Element] = []
    private var head = 0

    var first: Element? { head < elements.count ? elements[head] : nil }
    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard let first else { return nil }
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= 1024)
            head = 0
        } else if head >= 1024, head >= elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return first
    }
}

/// The handshakes of one worker that wait for a step. A value; time is handed in.
struct HandshakeQueue {
    /// What one turn of the loop does at most: some 250 µs each for a full handshake, so a millisecond.
    static let stepsPerTurn = 4

    /// Handshakes with clients that begin within one second at most.
    let startsPerSecond: Int
    private var starting = Line<Slot>()
    private var goingOn = Line<Slot>()
    private var second: Int64 = .min
    private var startsLeft = 0
    /// The queue that is served next has handshakes under way.
    private var prefersGoingOn = true

    init(startsPerSecond: Int) { self.startsPerSecond = startsPerSecond }

    /// Those that wait, in either queue: every turn of the loop asks for it.
    private(set) var count = 0
    var isEmpty: Bool { count == 0 }

    /// - Parameter isStart: nothing has been done for it yet.
    mutating func append(_ slot: Slot, isStart: Bool) {
        if isStart { starting.append(slot) } else { goingOn.append(slot) }
        count += 1
    }

    /// Whose step is next; nil where none waits, or those that do have to wait for the next second.
    mutating func next(at now: Instant) -> Slot? {
        renew(at: now)
        let mayStart = startsLeft > 0 && !starting.isEmpty
        guard mayStart || !goingOn.isEmpty else { return nil }
        count -= 1
        if goingOn.isEmpty || mayStart && !prefersGoingOn {
            prefersGoingOn = true
            return starting.popFirst()
        }
        prefersGoingOn = false
        return goingOn.popFirst()
    }

    /// One of those that were handed out has begun. Who has gone meanwhile has not.
    mutating func hasStarted() { startsLeft -= 1 }

    /// How long there is nothing to do; nil where nobody waits, zero where somebody can go on at once.
    mutating func patience(at now: Instant) -> Duration? {
        if isEmpty { return nil }
        renew(at: now)
        if !goingOn.isEmpty || startsLeft > 0 { return .zero }
        return Instant(nanoseconds: (second + 1) * 1_000_000_000) - now
    }

    private mutating func renew(at now: Instant) {
        let current = now.nanoseconds / 1_000_000_000
        guard current != second else { return }
        second = current
        startsLeft = startsPerSecond
    }
}
