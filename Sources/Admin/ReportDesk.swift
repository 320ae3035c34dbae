// Where reports are made: on a thread of their own, one after another.
//
// A report over 100,000 endpoints takes long, and Swift's shared pool has as few
// threads as there are cores. Made there, two reports would keep /live waiting.

import Dispatch
import Foundation
import Synchronization

final class ReportDesk: Sendable {
    /// Reports that may be waited for at once; one more is refused, so that their bytes stay bounded.
    static let depth = 8

    struct Busy: Error {}

    private let queue = DispatchQueue(label: "remora.admin.reports")
    private let waiting = Mutex(0)

    /// What `make` returns, made as soon as the reports before it are.
    /// - Throws: ``Busy`` where ``depth`` are being waited for; otherwise what `make` throws.
    func report(_ make: @escaping @Sendable () throws -> Data) async throws -> Data {
        let isTaken = waiting.withLock { waiting in
            guard waiting < Self.depth else { return false }
            waiting += 1
            return true
        }
        guard isTaken else { throw Busy() }
        defer { waiting.withLock { $0 -= 1 } }
        return try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: make)) }
        }
    }
}

/// Reports as the admin port writes them: names in snake_case, in alphabetical order, so that equal reports are equal bytes.
package enum ReportJSON {
    /// One line of JSON and its end.
    static func encode(_ report: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(report) + Data("\n".utf8)
    }

    /// The same, for who writes it to stdout.
    package static func bytes(of report: some Encodable) throws -> [UInt8] { Array(try encode(report)) }

    package static func decode<Report: Decodable>(_ type: Report.Type, from body: [UInt8]) throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(body))
    }
}
