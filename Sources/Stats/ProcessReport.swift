// What the process that runs a remora takes of its machine, and may take; named and encoded as in `Report.swift`.

/// Part of `GET /stats`. What cannot be read, where there is no /proc say, is nil; no limit is nil too.
package struct ProcessReport: Codable, Hashable, Sendable {
    package var pid: Int
    package var openFds: Int?
    package var maxFds: Int?
    package var residentMemoryBytes: UInt64?
    package var virtualMemoryBytes: UInt64?
    package var threads: Int?
    /// Of all its threads, in user space and in the kernel.
    package var cpuSecondsTotal: Double?
    /// Since 1970.
    package var startTimeSeconds: Double?
    package var limits: ProcessLimitsReport

    package init(pid: Int, limits: ProcessLimitsReport = ProcessLimitsReport()) {
        self.pid = pid
        self.limits = limits
    }

    /// Writes what is nil as null, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(pid, forKey: .pid)
        try container.encode(openFds, forKey: .openFds)
        try container.encode(maxFds, forKey: .maxFds)
        try container.encode(residentMemoryBytes, forKey: .residentMemoryBytes)
        try container.encode(virtualMemoryBytes, forKey: .virtualMemoryBytes)
        try container.encode(threads, forKey: .threads)
        try container.encode(cpuSecondsTotal, forKey: .cpuSecondsTotal)
        try container.encode(startTimeSeconds, forKey: .startTimeSeconds)
        try container.encode(limits, forKey: .limits)
    }
}

/// What the kernel and the process's control group allow it.
package struct ProcessLimitsReport: Codable, Hashable, Sendable {
    /// The kernel's release, as uname(1) has it.
    package var kernel = ""
    /// Processors that this process may run on.
    package var processors = 0
    /// Of the whole machine.
    package var memoryBytes: UInt64?
    /// Soft limits of getrlimit(2): core files and address space.
    package var coreBytes: UInt64?
    package var addressSpaceBytes: UInt64?
    /// The control group's: memory, and processors' time as a number of processors.
    package var cgroupMemoryBytes: UInt64?
    package var cgroupProcessors: Double?

    package init() {}

    /// Writes what is nil as null, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kernel, forKey: .kernel)
        try container.encode(processors, forKey: .processors)
        try container.encode(memoryBytes, forKey: .memoryBytes)
        try container.encode(coreBytes, forKey: .coreBytes)
        try container.encode(addressSpaceBytes, forKey: .addressSpaceBytes)
        try container.encode(cgroupMemoryBytes, forKey: .cgroupMemoryBytes)
        try container.encode(cgroupProcessors, forKey: .cgroupProcessors)
    }
}
