// What a running remora shows of its fleet; named and encoded as in `Report.swift`.

/// One of `GET /members`.
package struct MemberReport: Codable, Hashable, Sendable {
    package var name: String
    package var address: String
    /// `alive`, `suspect`, `dead` or `left`.
    package var state: String
    package var incarnation: UInt32
    package var tags: [String: String]
    package var zone: String?
    /// How long it has been in this state, as seen from here.
    package var sinceSeconds: Double
    package var remora: Bool
    /// Whether the roster lists it; nil where there is none, and everybody belongs.
    package var listed: Bool?
    /// Who accused it, on what evidence, and what came of that, as a sentence; nil where nobody did of late.
    package var reason: String?

    package init(
        name: String, address: String, state: String, incarnation: UInt32, tags: [String: String], zone: String?,
        sinceSeconds: Double, remora: Bool, listed: Bool? = nil, reason: String? = nil
    ) {
        self.name = name
        self.address = address
        self.state = state
        self.incarnation = incarnation
        self.tags = tags
        self.zone = zone
        self.sinceSeconds = sinceSeconds
        self.remora = remora
        self.listed = listed
        self.reason = reason
    }

    /// Writes `zone`, `listed` and `reason` as null where there is none, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(address, forKey: .address)
        try container.encode(state, forKey: .state)
        try container.encode(incarnation, forKey: .incarnation)
        try container.encode(tags, forKey: .tags)
        try container.encode(zone, forKey: .zone)
        try container.encode(sinceSeconds, forKey: .sinceSeconds)
        try container.encode(remora, forKey: .remora)
        try container.encode(listed, forKey: .listed)
        try container.encode(reason, forKey: .reason)
    }
}

/// `GET /members`.
package struct MembersReport: Codable, Hashable, Sendable {
    package var members: [MemberReport]

    package init(members: [MemberReport]) { self.members = members }
}

/// The fleet's part of `GET /stats`.
package struct MembershipReport: Codable, Hashable, Sendable {
    package var incarnation: UInt32 = 0
    /// Whether a seed has answered since the start, or another member is there, or there is no seed to ask.
    package var joined = false
    /// Members by state, this node among them.
    package var alive = 0
    package var suspect = 0
    package var dead = 0
    package var left = 0
    /// Whether the view of the fleet is not believed: most of it vanished at once.
    package var lastKnownGood = false
    /// Lifeguard's local health: 0 is well.
    package var healthScore = 0
    /// Messages that wait to be told.
    package var queued = 0
    /// 16 hexadecimal digits, equal where the same members are present at the same incarnations.
    package var viewChecksum = ""
    package var receivedDatagramsTotal: UInt64 = 0
    package var sentDatagramsTotal: UInt64 = 0
    /// Of datagrams, without the heads of UDP and IP.
    package var receivedBytesTotal: UInt64 = 0
    package var sentBytesTotal: UInt64 = 0
    /// Datagrams without a message that could be read: damaged, or of another key or label.
    package var refusedDatagramsTotal: UInt64 = 0
    package var refusedMessagesTotal: UInt64 = 0
    /// How often datagrams came faster than they are read; the kernel drops what it cannot hold.
    package var readPausesTotal: UInt64 = 0
    /// Datagrams that the kernel did not take.
    package var unsentDatagramsTotal: UInt64 = 0
    package var acceptedStreamsTotal: UInt64 = 0
    package var openedStreamsTotal: UInt64 = 0
    package var refusedStreamsTotal: UInt64 = 0
    package var failedStreamsTotal: UInt64 = 0
    package var agreement = AgreementReport()
    /// All zero where telemetry is off.
    package var telemetry = TelemetryReport()
    package var probes = AnsweredProbesReport()

    package init() {}

    /// Reads what an older remora says too, which knows nothing of agreement.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        incarnation = try container.decode(UInt32.self, forKey: .incarnation)
        joined = try container.decode(Bool.self, forKey: .joined)
        alive = try container.decode(Int.self, forKey: .alive)
        suspect = try container.decode(Int.self, forKey: .suspect)
        dead = try container.decode(Int.self, forKey: .dead)
        left = try container.decode(Int.self, forKey: .left)
        lastKnownGood = try container.decode(Bool.self, forKey: .lastKnownGood)
        healthScore = try container.decode(Int.self, forKey: .healthScore)
        queued = try container.decode(Int.self, forKey: .queued)
        viewChecksum = try container.decode(String.self, forKey: .viewChecksum)
        receivedDatagramsTotal = try container.decode(UInt64.self, forKey: .receivedDatagramsTotal)
        sentDatagramsTotal = try container.decode(UInt64.self, forKey: .sentDatagramsTotal)
        receivedBytesTotal = try container.decode(UInt64.self, forKey: .receivedBytesTotal)
        sentBytesTotal = try container.decode(UInt64.self, forKey: .sentBytesTotal)
        refusedDatagramsTotal = try container.decode(UInt64.self, forKey: .refusedDatagramsTotal)
        refusedMessagesTotal = try container.decode(UInt64.self, forKey: .refusedMessagesTotal)
        readPausesTotal = try container.decode(UInt64.self, forKey: .readPausesTotal)
        unsentDatagramsTotal = try container.decode(UInt64.self, forKey: .unsentDatagramsTotal)
        acceptedStreamsTotal = try container.decode(UInt64.self, forKey: .acceptedStreamsTotal)
        openedStreamsTotal = try container.decode(UInt64.self, forKey: .openedStreamsTotal)
        refusedStreamsTotal = try container.decode(UInt64.self, forKey: .refusedStreamsTotal)
        failedStreamsTotal = try container.decode(UInt64.self, forKey: .failedStreamsTotal)
        agreement = try container.decodeIfPresent(AgreementReport.self, forKey: .agreement) ?? .untold
        telemetry = try container.decode(TelemetryReport.self, forKey: .telemetry)
        probes = try container.decode(AnsweredProbesReport.self, forKey: .probes)
    }
}

/// How far the fleet's remoras see the same members as this one, and have the same upstreams in their configs. All zero
/// where telemetry is off, with which they tell each other.
package struct AgreementReport: Codable, Hashable, Sendable {
    package struct Differing: Codable, Hashable, Sendable {
        package var name: String
        /// How long its view has been another than this node's, neither of them changing.
        package var seconds: Double

        package init(name: String, seconds: Double) {
            self.name = name
            self.seconds = seconds
        }
    }

    /// That are present, this node among them.
    package var remoras = 0
    /// Of those, that have not said; older ones do not.
    package var unheard = 0
    package var sameView = 0
    package var sameConfig = 0
    /// With another view, the longest first, 16 at most.
    package var differing: [Differing] = []
    /// With other upstreams in their configs, by name, 16 at most.
    package var otherConfig: [String] = []
    /// A sentence.
    package var sentence = ""

    package init() {}

    /// In place of what an older remora does not say.
    static let untold: AgreementReport = {
        var report = AgreementReport()
        report.sentence = "Views are not compared: this remora is older than that."
        return report
    }()

    package var otherView: Int { remoras - unheard - sameView }
    package var otherConfigs: Int { remoras - unheard - sameConfig }
}

/// Load probes that came here; those that went from here are counted by upstream.
package struct AnsweredProbesReport: Codable, Hashable, Sendable {
    /// Where they are answered; empty where no service here is reached through a listener of this process.
    package var address = ""
    package var answeredTotal: UInt64 = 0
    /// Of strangers, about services that are not here, or no questions at all; nothing was answered.
    package var refusedTotal: UInt64 = 0
    /// Answers to questions from here that nobody waits for, or that nobody asked.
    package var strayAnswersTotal: UInt64 = 0

    package init() {}
}

/// Where the roster comes from and whether it may be out of date.
package struct RosterReport: Codable, Hashable, Sendable {
    /// `etcd`, or a file's path.
    package var source: String
    /// Members that it lists.
    package var listed: Int
    package var isStale: Bool
    /// A sentence.
    package var standing: String

    package init(source: String, listed: Int, isStale: Bool, standing: String) {
        self.source = source
        self.listed = listed
        self.isStale = isStale
        self.standing = standing
    }
}

/// What is known of the load of others, and what it costs.
package struct TelemetryReport: Codable, Hashable, Sendable {
    /// Remoras with services, this node apart, and how many of them have said how busy they are.
    package var expected = 0
    package var held = 0
    /// Of the reports that are held, since they were measured.
    package var ageP50Seconds = 0.0
    package var ageP99Seconds = 0.0
    package var oldestSeconds = 0.0
    package var sentDatagramsTotal: UInt64 = 0
    /// Part of the membership's, label and seal at their longest included.
    package var sentBytesTotal: UInt64 = 0
    package var receivedReportsTotal: UInt64 = 0
    package var refusedMessagesTotal: UInt64 = 0

    package init() {}
}
