// What the kernel says of a process: proc(5).

import Glibc
import Foundation

struct ProcessFigures {
    /// In user and kernel mode since its start, in seconds, to a hundredth.
    let processorSeconds: Double
    /// Resident, in bytes.
    let resident: Int
    /// The part of it that is no file's: what it has allocated and touched.
    let anonymous: Int

    /// - Returns: nil of a process that is gone.
    init?(process: pid_t) {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            // The second field may hold blanks, and ends with the last parenthesis.
            let fields = stat.split(separator: ")").last?.split(separator: " "), fields.count > 12,
            let user = Int(fields[11]), let kernel = Int(fields[12])
        else { return nil }
        processorSeconds = Double(user + kernel) / Double(sysconf(Int32(_SC_CLK_TCK)))
        func bytes(_ name: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 } ?? 0
        }
        resident = bytes("VmRSS")
        anonymous = bytes("RssAnon")
    }
}
