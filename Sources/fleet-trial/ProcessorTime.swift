// How much of the machine was in use: proc(5).

import Foundation

struct ProcessorTime {
    /// Ticks of all processors since the machine's start, in which they had nothing to do, and in all.
    private let idle: Int
    private let total: Int

    /// - Returns: nil where the kernel does not say.
    init?() {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = text.split(separator: "\n").first, line.hasPrefix("cpu ")
        else { return nil }
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
        guard ticks.count == 8 else { return nil }
        // Waiting for a disk is idle.
        idle = ticks[3] + ticks[4]
        total = ticks.reduce(0, +)
    }

    /// The share of all processors that was in use since another time, in percent.
    func usedPercent(since before: ProcessorTime) -> Double {
        let all = total - before.total
        return all > 0 ? 100 * (1 - Double(idle - before.idle) / Double(all)) : 0
    }
}
