// Figures beside each other: a row a figure, a column a program.

import Admin

struct ComparisonReport: Encodable {
    var measurements: [Measurement] = []
    let profile: FleetOptions.Profile
    /// A remora's tuning by the variant's title.
    let tunings: [String: String]

    /// What a known member costs: how much more a member holds in the larger of two fleets, for each that is more in it.
    struct MemoryPerMember: Encodable {
        let variant: String
        let bytes: Double
    }

    var memoryPerMember: [MemoryPerMember] {
        Dictionary(grouping: measurements, by: \.variant).sorted { $0.key < $1.key }.compactMap { variant, all in
            let sorted = all.sorted { $0.members < $1.members }
            guard let few = sorted.first, let many = sorted.last, few.members < many.members else { return nil }
            let more = Double(many.anonymousBytes - few.anonymousBytes)
            return MemoryPerMember(variant: variant, bytes: more / Double(many.members - few.members))
        }
    }

    /// No process ended by itself.
    var isWell: Bool { measurements.allSatisfy(\.crashes.isEmpty) }

    /// What is said when all is measured, beside the table of each size.
    var conclusion: String {
        var text = ""
        if !memoryPerMember.isEmpty {
            text += "more anonymous memory for each member more in the fleet: "
            text += memoryPerMember.map { "\($0.variant) \($0.bytes.written(0)) B" }.joined(separator: ", ") + "\n"
        }
        for (variant, tuning) in tunings.sorted(by: { $0.key < $1.key }) { text += "\(variant): {\(tuning)}\n" }
        return text + measurements.flatMap(\.crashes).map { $0 + "\n" }.joined()
    }

    func table(of members: Int) -> String {
        let columns = measurements.filter { $0.members == members }
        var lines = [["\(members) members, profile \(profile.rawValue)"] + columns.map(\.variant)]
        func add(_ title: String, _ value: (Measurement) -> String) { lines.append([title] + columns.map(value)) }
        add("UDP payload sent a member a second at rest, B") { $0.sentBytesPerSecond.written(1) }
        add("datagrams sent a member a second at rest") { $0.sentDatagramsPerSecond.written(2) }
        add("kill -9 to the first \"failed\", s") { Self.range($0.firstDeadSeconds) }
        add("kill -9 to the last \"failed\", s") { Self.range($0.lastDeadSeconds) }
        add("kills that not all saw") { "\($0.killsNotSeenByAll)" }
        add("join: first to last who sees it, s") { Self.range($0.joinSpreadSeconds) }
        add("join: process started to the last who sees it, s") { Self.range($0.joinSeconds) }
        add("joins that not all saw") { "\($0.joinsNotSeenByAll)" }
        add("mass start through one seed: all views complete, s") { measurement in
            measurement.startSeconds.map { $0.written(1) }
                ?? "\((measurement.startShare * 100).written(2)) % at \(measurement.startPatienceSeconds)"
        }
        add("CPU of a member at rest, % of a core") { $0.processorPercent.written(3) }
        add("anonymous memory of a member, MiB") { (Double($0.anonymousBytes) / 1_048_576).written(2) }
        add("resident memory of a member, files included, MiB") { (Double($0.residentBytes) / 1_048_576).written(1) }
        add("load average") { $0.loadAverage }
        return Self.aligned(lines)
    }

    /// The shortest, the median and the longest.
    private static func range(_ spread: Spread?) -> String {
        spread.map { "\($0.min.written(2)) / \($0.p50.written(2)) / \($0.max.written(2))" } ?? "-"
    }

    /// The first column left, the others right.
    private static func aligned(_ lines: [[String]]) -> String {
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            line.enumerated().map { column, cell in
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + blanks : blanks + cell
            }.joined(separator: "  ") + "\n"
        }.joined()
    }

    enum CodingKeys: String, CodingKey {
        case measurements, profile, tunings, memoryPerMember
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(measurements, forKey: .measurements)
        try container.encode(profile, forKey: .profile)
        try container.encode(tunings, forKey: .tunings)
        try container.encode(memoryPerMember, forKey: .memoryPerMember)
    }
}
