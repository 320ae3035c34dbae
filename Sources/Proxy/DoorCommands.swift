// What the control thread wants of listeners: accept, or turn callers away for a while.
//
// A worker may stop by itself, and so be where it was not told to be. So what it compares is not two states but a
// command's number with that of the last one it heeded: to resume is a new command even where the last was not to stop.
//
// There are two ways to stop. Where the instance refuses, those who wait in the queue are turned away too, as nobody
// would answer them; where the node drains, they came in time and are taken in first.

import Stats

final class DoorCommands: Sendable {
    enum Order: UInt64 {
        case accept
        /// Whoever waits is turned away as well.
        case refuse
        /// Whoever waits is taken in first.
        case close
    }

    /// By listener. An order in the two lowest bits, and above them how many orders there have been.
    private let words: CounterTable

    init(listeners: Int) { words = CounterTable(rows: listeners, columns: 1) }

    func command(to listener: Int) -> UInt64 { words.read(row: listener, column: 0) }

    /// Nothing ever makes the two bits a fourth thing.
    static func order(in command: UInt64) -> Order { Order(rawValue: command & 3) ?? .accept }

    /// Nothing happens where the last order was the same, unless it was to accept.
    /// - Precondition: this is called by one thread, which wakes the workers then.
    func give(_ order: Order, to listener: Int) {
        let last = command(to: listener)
        guard order == .accept || Self.order(in: last) != order else { return }
        let next = ((last >> 2) + 1) << 2 | order.rawValue
        words.add(next &- last, row: listener, column: 0)
    }
}
