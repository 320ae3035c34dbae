// What /proc and the control group say of this process (proc(5), cgroups(7)), for /stats and /metrics.
//
// Read when somebody asks, on the thread that makes reports: never on the control thread or a worker. What the machine
// does not tell is left out; nothing that remora does depends on it.

import Glibc
import Reactor
import Stats

enum ProcessFigures {
    /// This process as it is now.
    static func report() -> ProcessReport {
        var report = ProcessReport(pid: Int(getpid()), limits: limits())
        report.openFds = openDescriptors()
        report.maxFds = softLimit(RLIMIT_NOFILE).map { Int(clamping: $0) }
        if let status = text(of: "/proc/self/stat").flatMap(Status.init(parsing:)) {
            let ticks = max(1, Double(sysconf(Int32(_SC_CLK_TCK))))
            report.cpuSecondsTotal = Double(status.cpuTicks) / ticks
            report.threads = status.threads
            report.virtualMemoryBytes = status.virtualBytes
            report.residentMemoryBytes =
                status.residentPages.multipliedReportingOverflow(
                    by: UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
                ).partialValue
            if let boot = bootTime() {
                report.startTimeSeconds = boot + Double(status.startTicks) / ticks
            }
        }
        return report
    }

    private static func limits() -> ProcessLimitsReport {
        var limits = ProcessLimitsReport()
        limits.kernel = text(of: "/proc/sys/kernel/osrelease").map(firstLine) ?? ""
        limits.processors = Kernel.processors
        let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        if pages > 0, size > 0 { limits.memoryBytes = UInt64(pages) * UInt64(size) }
        limits.coreBytes = softLimit(RLIMIT_CORE)
        limits.addressSpaceBytes = softLimit(RLIMIT_AS)
        guard let group = text(of: "/proc/self/cgroup").flatMap(unifiedGroup(in:)) else { return limits }
        // A limit of a group above holds too.
        for directory in ancestors(of: group) {
            if let most = text(of: "/sys/fs/cgroup\(directory)/memory.max").flatMap({ UInt64(firstLine($0)) }) {
                limits.cgroupMemoryBytes = min(most, limits.cgroupMemoryBytes ?? .max)
            }
            if let share = text(of: "/sys/fs/cgroup\(directory)/cpu.max").flatMap(processors(in:)) {
                limits.cgroupProcessors = min(share, limits.cgroupProcessors ?? .infinity)
            }
        }
        return limits
    }

    // MARK: Reading texts

    /// Fields of /proc/PID/stat.
    struct Status: Equatable {
        var cpuTicks: UInt64
        var threads: Int
        /// Since the machine was started.
        var startTicks: UInt64
        var virtualBytes: UInt64
        var residentPages: UInt64

        /// The second field is the program's name in parentheses, with whatever is in it, parentheses too.
        init?(parsing text: String) {
            guard let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: end)...].split(whereSeparator: \.isWhitespace)
            // From the third on: 14 and 15 are times, 20 threads, 22 the start, 23 and 24 memory.
            guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
                let threads = Int(fields[17]), let start = UInt64(fields[19]), let virtual = UInt64(fields[20]),
                let resident = UInt64(fields[21])
            else { return nil }
            (cpuTicks, self.threads, startTicks) = (user &+ system, threads, start)
            (virtualBytes, residentPages) = (virtual, resident)
        }
    }

    /// - Parameter path: of a file as /proc/stat: a line for each processor and a number for each interrupt come first.
    static func bootTime(at path: String = "/proc/stat") -> Double? {
        text(of: path, atMost: 1 << 20).flatMap(bootTime(in:))
    }

    /// When the machine was started, in seconds since 1970.
    static func bootTime(in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }

    /// The path of the one hierarchy of version 2; nil where there is none.
    static func unifiedGroup(in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }

    /// "/a/b", "/a" and "".
    static func ancestors(of group: String) -> [String] {
        var paths = [""]
        for part in group.split(separator: "/") where part != ".." { paths.append("\(paths[paths.count - 1])/\(part)") }
        return paths.reversed()
    }

    /// Of cpu.max: time and period in microseconds; "max" is no limit.
    static func processors(in text: String) -> Double? {
        let fields = firstLine(text).split(separator: " ").map { Double($0) }
        guard fields.count == 2, let time = fields[0], let period = fields[1], period > 0 else { return nil }
        return time / period
    }

    private static func firstLine(_ text: String) -> String {
        text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
    }

    // MARK: Asking the system

    /// The beginning of a file; nil where it cannot be read.
    private static func text(of path: String, atMost limit: Int = 64 << 10) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var (bytes, chunk): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: min(limit, 64 << 10)))
        while bytes.count < limit {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes += chunk[..<min(count, limit - bytes.count)]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// Without the one that this takes itself.
    private static func openDescriptors() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = 0
        while let entry = unsafe readdir(directory) {
            // "." and ".."; everything else is a number.
            if unsafe entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
        }
        return count - 1
    }

    /// Nil for none.
    private static func softLimit(_ resource: __rlimit_resource) -> UInt64? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else {
            return nil
        }
        return UInt64(limit.rlim_cur)
    }
}
