// What a running remora says of its config, and of what it was told to do; named and encoded as in `Report.swift`.

/// The config that is in force: part of `GET /stats`, and `event: config`.
package struct ConfigReport: Codable, Hashable, Sendable {
    /// As it was named on the command line; `-` is standard input.
    package var file: String
    /// SHA-256 of the file as it was read, in 64 hexadecimal digits: what sha256sum(1) says of it.
    package var checksum: String
    /// Of the upstreams as they were understood, defaults included, but for paths of TLS files, whatever else the file says:
    /// 8 hexadecimal digits, equal where they are. By these remoras compare their configs; those of another release, which
    /// may know other keys, differ. Nil in what an older one says.
    package var upstreamsChecksum: String?
    /// How long it has been in force.
    package var loadedSeconds: Double
    /// Times that another config came into force since the start.
    package var reloadsTotal: UInt64
    /// Times that one was refused.
    package var rejectedTotal: UInt64
    /// Why the last attempt was refused, by its first fault; nil where it was not.
    package var fault: String?
    /// Settings of the file that wait for a restart.
    package var needsRestart: [String]

    package init(
        file: String, checksum: String, upstreamsChecksum: String? = nil, loadedSeconds: Double = 0,
        reloadsTotal: UInt64 = 0, rejectedTotal: UInt64 = 0,
        fault: String? = nil, needsRestart: [String] = []
    ) {
        self.file = file
        self.checksum = checksum
        self.upstreamsChecksum = upstreamsChecksum
        self.loadedSeconds = loadedSeconds
        self.reloadsTotal = reloadsTotal
        self.rejectedTotal = rejectedTotal
        self.fault = fault
        self.needsRestart = needsRestart
    }

    /// Writes `fault` as null where there is none, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(file, forKey: .file)
        try container.encode(checksum, forKey: .checksum)
        try container.encode(upstreamsChecksum, forKey: .upstreamsChecksum)
        try container.encode(loadedSeconds, forKey: .loadedSeconds)
        try container.encode(reloadsTotal, forKey: .reloadsTotal)
        try container.encode(rejectedTotal, forKey: .rejectedTotal)
        try container.encode(fault, forKey: .fault)
        try container.encode(needsRestart, forKey: .needsRestart)
    }
}

/// Where a node stands between its start and its end: part of `GET /stats`, and `event: stage`.
package struct StageReport: Codable, Hashable, Sendable {
    /// `starting`, `serving`, `announcing`, `closing`, `finishing`, `drained`, `leaving` or `over`.
    package var name: String
    /// Whether it should be sent traffic.
    package var ready: Bool
    /// What `GET /ready` says.
    package var line: String

    package init(name: String, ready: Bool, line: String) {
        self.name = name
        self.ready = ready
        self.line = line
    }
}

/// What `POST /drain`, `/undrain` and `/reload` answer.
package struct CommandReport: Codable, Hashable, Sendable {
    package enum Outcome: String, Codable, Sendable {
        case done
        /// Nothing has changed; see ``faults``.
        case refused
        /// It could not be asked for now.
        case unavailable
    }

    package var outcome: Outcome
    /// A sentence.
    package var message: String
    /// Why it was refused: those of a file as `check` prints them.
    package var faults: [String]
    /// What a reload changed, a sentence each.
    package var changes: [String]
    /// Settings of the file that wait for a restart.
    package var needsRestart: [String]

    package init(
        _ outcome: Outcome, _ message: String, faults: [String] = [], changes: [String] = [],
        needsRestart: [String] = []
    ) {
        self.outcome = outcome
        self.message = message
        self.faults = faults
        self.changes = changes
        self.needsRestart = needsRestart
    }
}
