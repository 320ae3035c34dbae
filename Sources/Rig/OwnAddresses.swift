// Where nodes live: addresses of 127/8 that are this run's own.

/// Loopback addresses by number; two processes whose ids are near each other never share one.
package struct OwnAddresses: Sendable {
    /// Nodes that there is room for.
    package static let capacity = 1000

    private let first: Int
    private let second: Int

    /// - Parameter process: the id of the process that runs the fleet.
    package init(process: Int) {
        first = 1 + process % 250
        second = process / 250 % 60 * 4
    }

    /// - Precondition: `number` is below ``capacity``.
    package func host(_ number: Int) -> String {
        precondition((0..<Self.capacity).contains(number), "no address for node \(number)")
        return "127.\(first).\(second + number / 250).\(1 + number % 250)"
    }
}
