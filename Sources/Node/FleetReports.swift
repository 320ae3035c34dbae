// Snapshots of the fleet as the admin port shows them; made there, not on the control thread.

import Config
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
        telemetry = snapshot.telemetry.map { TelemetryReport($0) } ?? TelemetryReport()
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
        guard let loads = service.flatMap({ telemetry?.outstanding[$0] }) else { return }
        for index in endpoints.indices {
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
