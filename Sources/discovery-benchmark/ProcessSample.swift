// What the kernel says of this process and its threads: proc(5).

import Glibc
import Foundation

/// Processor time of the process's threads, in seconds.
struct ThreadTimes {
    private var byName: [String: Double] = [:]

    init() {
        let tasks = "/proc/self/task"
        for task in (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? [] {
            guard let name = try? String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8),
                let text = try? String(contentsOfFile: "\(tasks)/\(task)/schedstat", encoding: .utf8),
                let nanoseconds = text.split(separator: " ").first.flatMap({ Double($0) })
            else { continue }
            byName[name.trimmingCharacters(in: .newlines), default: 0] += nanoseconds / 1e9
        }
    }

    /// Of all threads whose name begins so.
    func total(of prefix: String) -> Double {
        byName.filter { $0.key.hasPrefix(prefix) }.values.sorted().reduce(0, +)
    }

    /// Of the calling thread, more finely.
    static func own() -> Double {
        var time = timespec()
        let answer = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        precondition(answer == 0, "Linux has this clock")
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

struct ProcessSample {
    let workers: Double
    /// Of the thread that makes the sample, which is the control thread's.
    let control: Double
    let residentBytes: Int
    let connections: Int
    let failures: Int

    init(connections: Int, failures: Int) {
        workers = ThreadTimes().total(of: "worker ")
        control = ThreadTimes.own()
        self.connections = connections
        self.failures = failures
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        residentBytes = (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}
