// Seeds of behaviour tests, and what a failing one leaves behind.

import Foundation
import Simulation
import Testing

/// A few seeds that were drawn once, and any that ever showed a bug. `REMORA_SEEDS=50` takes the first fifty instead,
/// `REMORA_SEED=7` that one alone.
enum Seeds {
    static let sample: [UInt64] = {
        let environment = ProcessInfo.processInfo.environment
        if let only = environment["REMORA_SEED"].flatMap({ UInt64($0) }) { return [only] }
        if let count = environment["REMORA_SEEDS"].flatMap({ UInt64($0) }), count > 0 { return Array(1...count) }
        return [1, 2, 3, 0xDEAD_BEEF, 7_777_777]
    }()
}

extension World {
    /// Does this in a recorded world; a violation leaves the log that the replay command wants.
    mutating func leavingLog(_ body: (inout World) throws -> Void) throws {
        do {
            try body(&self)
        } catch let violation as Violation {
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("world-\(options.seed).log")
            try Data(log.text.utf8).write(to: file)
            Issue.record("\(violation)\nits log is \(file.path); or REMORA_SEED=\(options.seed) swift test")
            throw violation
        }
    }
}
