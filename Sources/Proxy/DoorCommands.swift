// What the control thread wants of listeners: accept, or turn callers away for a while.
//
// A worker may stop by itself, and so be where it was not told to be. So what it compares is not two states but a
// command's number with that of the last one it heeded: to resume is a new command even where the last was not to stop.

import Stats

final class DoorCommands: Sendable {
    /// Odd is to stop, even to accept; a later command has a larger number.
    private let numbers: CounterTable

    init(listeners: Int) { numbers = CounterTable(rows: listeners, columns: 1) }

    func command(to listener: Int) -> UInt64 { numbers.read(row: listener, column: 0) }

    static func isStop(_ command: UInt64) -> Bool { command & 1 == 1 }

    /// - Precondition: this and ``resume(_:)`` are called by one thread, which wakes the workers then.
    func stop(_ listener: Int) {
        if !Self.isStop(command(to: listener)) { numbers.add(1, row: listener, column: 0) }
    }

    func resume(_ listener: Int) {
        numbers.add(Self.isStop(command(to: listener)) ? 1 : 2, row: listener, column: 0)
    }
}
