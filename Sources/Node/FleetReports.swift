// Snapshots of the fleet as the admin port shows them; made there, not on the control thread.

import Config
import FleetLoad
import Gossip
import GossipWire
import Stats
import Upstreams
import Vocabulary

extension FleetSnapshot {
    /// By name.
    /// - Parameter roster: nil: whoever is a member belongs.
    func reports(_ roster: Roster?, at now: Instant) -> [MemberReport] {
        members.map { member in
            var report = MemberReport(member, accusedOf: provenances[member.name], own: name, at: now)
            report.listed = roster?.lists(member.name)
            return report
        }.sorted { $0.name < $1.name }
    }
}

extension MemberReport {
    init(_ member: FleetSnapshot.Member, accusedOf provenance: Provenance?, own: String, at now: Instant) {
        // Tags that cannot be read are shown as none: what matters is that the member is there.
        let tags = SerfTags(meta: member.record.meta) ?? SerfTags()
        self.init(
            name: member.name, address: "\(member.record.address)", state: member.state.word,
            incarnation: member.incarnation,
            tags: Dictionary(tags.tags.map { ($0.name, $0.value) }) { first, _ in first },
            zone: tags[MemberTag.zone], sinceSeconds: max(0, (now - member.since).inSeconds),
            remora: member.record.isRemora, reason: provenance?.summary(own: own))
    }
}

extension FleetMember {
    /// - Parameter own: this node's name.
    init(_ member: FleetSnapshot.Member, accusedOf provenance: Provenance?, own: String) {
        // Tags that cannot be read are none.
        let tags = SerfTags(meta: member.record.meta) ?? SerfTags()
        let isAccused = member.state == .suspect || member.state == .dead
        self.init(
            name: member.name, address: member.record.address.socketAddress, state: State(member.state),
            incarnation: member.incarnation,
            tags: Dictionary(tags.tags.map { ($0.name, $0.value) }) { first, _ in first }, since: member.since,
            accusation: isAccused ? provenance?.summary(own: own) : nil)
    }
}

extension FleetMember.State {
    init(_ state: MemberState) {
        switch state {
        case .alive: self = .alive
        case .suspect: self = .suspect
        case .dead: self = .dead
        case .left: self = .left
        }
    }
}

extension MembershipReport {
    init(_ snapshot: FleetSnapshot, isBelieved: Bool) {
        self.init()
        lastKnownGood = !isBelieved
        for member in snapshot.members {
            switch member.state {
            case .alive: alive += 1
            case .suspect: suspect += 1
            case .dead: dead += 1
            case .left: left += 1
            }
        }
        incarnation = snapshot.incarnation
        joined = snapshot.hasJoined
        healthScore = snapshot.healthScore
        queued = snapshot.queued
        let digits = String(snapshot.viewChecksum, radix: 16)
        viewChecksum = String(repeating: "0", count: 16 - digits.count) + digits
        let counters = snapshot.counters
        receivedDatagramsTotal = counters.receivedDatagrams
        sentDatagramsTotal = counters.sentDatagrams
        receivedBytesTotal = counters.receivedBytes
        sentBytesTotal = counters.sentBytes
        refusedDatagramsTotal = counters.refusedDatagrams
        refusedMessagesTotal = counters.refusedMessages
        readPausesTotal = counters.pausesOfReading
        unsentDatagramsTotal = counters.unsentDatagrams
        acceptedStreamsTotal = counters.acceptedStreams
        openedStreamsTotal = counters.openedStreams
        refusedStreamsTotal = counters.refusedStreams
        failedStreamsTotal = counters.failedStreams
        agreement = AgreementReport(snapshot.agreement)
        telemetry = snapshot.telemetry.map { TelemetryReport($0) } ?? TelemetryReport()
    }
}

extension AgreementReport {
    /// Who is named in the sentence; the others are a number there.
    private static let namedInSentence = 4

    /// - Parameter agreement: nil where telemetry is off.
    init(_ agreement: FleetAgreement?) {
        self.init()
        guard let agreement else {
            sentence = "Views are not compared: membership.telemetry is off, or has just begun."
            return
        }
        (remoras, unheard) = (agreement.remoras, agreement.unheard)
        (sameView, sameConfig) = (agreement.sameView, agreement.sameConfig)
        differing = agreement.differing.map { Differing(name: $0.member, seconds: $0.time.inSeconds) }
        otherConfig = agreement.otherConfig
        guard remoras > 1 else {
            sentence = "No other remora is there to agree with."
            return
        }
        let heard = remoras - unheard
        guard heard > 1 else {
            sentence =
                unheard == 1
                ? "The other remora has not said yet what it sees."
                : "None of the \(unheard) other remoras has said yet what it sees."
            return
        }
        let view =
            otherView == 0
            ? "\(unheard == 0 ? "All \(remoras)" : "\(heard) of \(remoras)") remoras have our view of the fleet"
            : "\(sameView) of \(remoras) remoras have our view of the fleet; "
                + Self.naming(agreement.differing.map { "\($0.member) differs for \($0.time.inWords)" }, of: otherView)
        let config =
            otherConfigs == 0
            ? "\(unheard == 0 ? "all" : "those \(heard)") have our upstreams in their configs"
            : "other upstreams in their configs have \(Self.naming(otherConfig, of: otherConfigs))"
        let silent = unheard == 0 ? "" : "; \(unheard) \(unheard == 1 ? "has" : "have") not said yet"
        sentence = "\(view); \(config)\(silent)."
    }

    private static func naming(_ names: [String], of count: Int) -> String {
        let named = names.prefix(namedInSentence)
        return named.joined(separator: ", ") + (count > named.count ? " and \(count - named.count) more" : "")
    }
}

extension TelemetryReport {
    fileprivate init(_ telemetry: FleetSnapshot.Telemetry) {
        self.init()
        (expected, held) = (telemetry.summary.expected, telemetry.summary.held)
        ageP50Seconds = telemetry.summary.ageP50.inSeconds
        ageP99Seconds = telemetry.summary.ageP99.inSeconds
        oldestSeconds = telemetry.summary.oldest.inSeconds
        sentDatagramsTotal = telemetry.counters.sentDatagrams
        sentBytesTotal = telemetry.counters.sentBytes
        receivedReportsTotal = telemetry.counters.receivedReports
        refusedMessagesTotal = telemetry.counters.refusedMessages
    }
}

extension UpstreamReport {
    /// Adds what the endpoints' own sidecars say of their load.
    mutating func add(_ telemetry: FleetSnapshot.Telemetry?, of service: String?) {
        guard let service, let telemetry, let loads = telemetry.outstanding[service] else { return }
        let times = telemetry.answerTimes[service] ?? [:]
        for index in endpoints.indices {
            endpoints[index].fleetAnswerSeconds = endpoints[index].member.flatMap { times[$0]?.inSeconds }
            // What was answered or told last has been noted already, where picks go by it.
            guard endpoints[index].fleetOutstanding == nil else { continue }
            endpoints[index].fleetOutstanding = endpoints[index].member.flatMap { loads[$0] }
        }
    }
}

extension UpstreamOptions {
    /// Whose endpoints these are.
    var service: String? {
        switch source {
        case .service(let name): name
        case .fixed, .members: nil
        }
    }
}

extension MemberState {
    /// As CONTRACT.md and every page call it.
    var word: String {
        switch self {
        case .alive: "alive"
        case .suspect: "suspect"
        case .dead: "dead"
        case .left: "left"
        }
    }
}
