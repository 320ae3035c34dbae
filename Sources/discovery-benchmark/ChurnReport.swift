// What a run has shown, as text for people and as JSON for machines.

import Foundation

/// Some seconds of the same load, with changes or without.
struct Stretch: Encodable {
    var hasChanges = false
    var changes = 0
    var connectionsPerSecond = 0.0
    var failures = 0
    /// Of the workers, per connection.
    var workerMicroseconds = 0.0
    /// A share of one core.
    var controlPercent = 0.0
    var publicationCount = 0
    /// Processor time from the decision to publish until workers can see the set.
    var publishP50Microseconds = 0.0
    var publishMaxMicroseconds = 0.0
    var pickNanoseconds = 0.0
    /// At its end.
    var residentMebibytes = 0.0
    var lostNotices = 0
    var publications: [Double] = []

    private enum CodingKeys: CodingKey {
        case hasChanges, changes, connectionsPerSecond, failures, workerMicroseconds, controlPercent, publicationCount
        case publishP50Microseconds, publishMaxMicroseconds, pickNanoseconds, residentMebibytes, lostNotices
    }

    mutating func take(_ before: ProcessSample, _ after: ProcessSample, seconds: Double) {
        let connections = after.connections - before.connections
        connectionsPerSecond = Double(connections) / seconds
        failures = after.failures - before.failures
        workerMicroseconds = (after.workers - before.workers) * 1e6 / Double(max(1, connections))
        controlPercent = (after.control - before.control) / seconds * 100
        residentMebibytes = Double(after.residentBytes) / 1_048_576
        let sorted = publications.sorted()
        publicationCount = sorted.count
        guard let last = sorted.last else { return }
        publishP50Microseconds = sorted[(sorted.count - 1) / 2] * 1e6
        publishMaxMicroseconds = last * 1e6
    }
}

struct ChurnReport: Encodable {
    let endpoints: Int
    let changesPerSecond: Int
    let connectionsPerSecond: Int
    let workers: Int
    let secondsPerStretch: Int
    var stretches: [Stretch] = []

    init(plan: ChurnPlan) {
        endpoints = plan.endpoints
        changesPerSecond = plan.changesPerSecond
        connectionsPerSecond = plan.connectionsPerSecond
        workers = plan.workers
        secondsPerStretch = plan.secondsPerStretch
    }

    /// No connection failed, and there were about as many as were wanted: else it is no measurement.
    var isWell: Bool {
        stretches.allSatisfy { $0.failures == 0 && $0.connectionsPerSecond >= 0.9 * Double(connectionsPerSecond) }
    }

    var table: String {
        let titles = [
            "changes", "conn/s", "failed", "worker us/conn", "control %", "sets", "publish us p50", "max", "pick ns",
            "RSS MiB",
        ]
        let rows = stretches.map { stretch in
            [
                "\(stretch.changes)", Self.text(stretch.connectionsPerSecond, 0), "\(stretch.failures)",
                Self.text(stretch.workerMicroseconds, 1), Self.text(stretch.controlPercent, 2),
                "\(stretch.publicationCount)", Self.text(stretch.publishP50Microseconds, 0),
                Self.text(stretch.publishMaxMicroseconds, 0), Self.text(stretch.pickNanoseconds, 1),
                Self.text(stretch.residentMebibytes, 1),
            ]
        }
        let lines = [titles] + rows
        let widths = titles.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        let head =
            "\(endpoints) endpoints, p2c, \(workers) worker, \(connectionsPerSecond) connections/s wanted; a line for "
            + "each \(secondsPerStretch) s, the first and the last without changes\n"
        return head
            + lines.map { line in
                zip(line, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }.joined(separator: "  ")
                    + "\n"
            }.joined()
    }

    var json: String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys]
        guard let bytes = try? encoder.encode(self) else {
            preconditionFailure("numbers that are finite have a JSON form")
        }
        return String(decoding: bytes, as: UTF8.self) + "\n"
    }

    private static func text(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }
}
