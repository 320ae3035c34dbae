// The load of every service in the fleet, as its members tell each other, and what this node tells.
//
//     FleetMember ─► update ─┐                                  ┌─► LoadDatagram: to a remora, as a user message
//     ServiceLoad ─► report ─┼─► who tells whom (LoadRing) ─────┤
//     user message ► receive ┘   within SendingBudget           └─► load(of:on:at:): the load and its age
//
// State-based: a report is a member's whole load with a version, and the later version stays (HeldReport). Nothing is
// acknowledged and nothing is repeated for its own sake; what is lost is made up for by the next report.
//
//     LoadReports         who is there, what is held, what is asked
//     +Telling            what is told next, to whom
//     FleetChecksums      rides along: whether all see the same fleet
//
// What is told is a delta: of the reports that a member passes on, those that changed since it last told this target.
// Each stands for itself, so none needs another to be understood. Not taken: numbers as differences from an earlier
// version, which say nothing to whoever lost that one.
//
// Members' tags name their services, and a member's own incarnation comes from gossip; nothing else of gossip is known.

package import GossipWire
package import Upstreams
package import Vocabulary

package struct TelemetryOptions: Hashable, Sendable {
    /// UDP payload, with all layers.
    package let bytesPerSecond: ByteCount
    /// What label and seal take of each datagram, at most.
    package let packetOverhead: Int
    /// The longest datagram, layers included.
    package let packetBudget: Int

    /// Below this not even one report of ``LoadReport/mostServices`` services is sure to fit.
    package static let least = ByteCount.kibibytes(1)
    package static let standard = ByteCount.kibibytes(2)

    /// - Precondition: `bytesPerSecond` is at least ``least``, and layers leave the room for a report.
    package init(bytesPerSecond: ByteCount = standard, packetOverhead: Int = 0, packetBudget: Int = 1400) {
        precondition(bytesPerSecond >= TelemetryOptions.least, "a budget below its limit")
        self.bytesPerSecond = bytesPerSecond
        self.packetOverhead = packetOverhead
        self.packetBudget = packetBudget
        precondition(longestBody >= TelemetryOptions.longestReport, "no room for a report beside the layers")
    }

    /// A message of one report of the longest kind: head, subject, version, age, count, services.
    static let longestReport = LoadMessage.headLength + 4 + 5 + 8 + 3 + 1 + LoadReport.mostServices * 7

    /// Bytes of a user message, without its type byte.
    var longestBody: Int { min(packetBudget, bytesPerSecond.bytes) - packetOverhead - 1 }
}

/// User messages for one remora, to be sent directly to it and to nobody else.
package struct LoadDatagram: Hashable, Sendable {
    package let to: SocketAddress
    package let member: String
    /// Of a user message about load, without its type byte; empty for none.
    package let body: [UInt8]
    /// Of one with members' checksums, likewise; one of the two is there.
    package let checksums: [UInt8]

    package var bodies: [[UInt8]] { [body, checksums].filter { !$0.isEmpty } }

    /// Of the datagram, its layers apart: type bytes, and what binds two messages together.
    package var length: Int { bodies.reduce(bodies.count > 1 ? LoadDatagram.binding : 0) { $0 + $1.count + 1 } }

    /// The head of a compound and two lengths (memberlist-wire §3).
    static let binding = 6
}

/// Only grows.
package struct LoadCounters: Hashable, Sendable {
    package var sentDatagrams: UInt64 = 0
    /// UDP payload, with what the layers take at most.
    package var sentBytes: UInt64 = 0
    package var sentQuestions: UInt64 = 0
    package var sentAnswers: UInt64 = 0
    package var receivedReports: UInt64 = 0
    /// Of those, reports that were later than what was held.
    package var news: UInt64 = 0
    /// Of those, reports about nobody known here, or about two.
    package var unknownReports: UInt64 = 0
    package var refusedMessages: UInt64 = 0
}

/// One node's part of the fleet's telemetry. Bounded: one report for each remora that it was told of.
package struct LoadReports: Sendable {
    /// A remora of the fleet, and what is known of its load.
    struct Peer: Sendable {
        let place: RingPlace
        var address: SocketAddress
        /// Names, sorted by their bytes.
        var services: [String]
        var subject: LoadSubject
        /// When it came.
        let known: Instant
        var held: HeldReport?
        /// When it was last told all that had changed, and how often it was told.
        var told = Instant(nanoseconds: .min)
        var tellings: UInt8 = 0
        /// When it was last asked for its report.
        var asked = Instant(nanoseconds: .min)
        /// It asked for ours.
        var isOwed = false
    }

    /// This node's own load.
    struct Own: Sendable {
        var incarnation: UInt32 = 0
        var number: UInt64
        /// Whether anybody was told this number.
        var isTold = false
        var loads: [String: ServiceLoad] = [:]
        /// Nil before the first ``LoadReports/report(_:at:)``.
        var measured: Instant?
    }

    /// Whom a subject means.
    private enum Meaning {
        case slot(Int)
        /// Several members have this digest: nobody knows whom.
        case several(Int)
    }

    /// This node's slot.
    static let own = 0
    /// A thousand years of measurements, 25 a second. No life has counted further, and whoever claims it would leave its
    /// member no number to go on with.
    static let mostMeasurements: UInt64 = 1 << 40

    package let options: TelemetryOptions
    /// Found by their slots; nil for one that is free.
    var peers: [Peer?]
    private var free: [Int] = []
    private var slots: [String: Int]
    private var subjects: [LoadSubject: Meaning] = [:]
    var ring: LoadRing
    var own: Own
    /// Slots that are owed an answer, the first to ask first.
    var owed: [Int] = []
    var checksums: FleetChecksums
    var budget: SendingBudget
    var laps = Laps()
    /// When ``wake(at:into:)`` wants to be called.
    package internal(set) var nextWake = Instant(nanoseconds: .min)
    package internal(set) var counters = LoadCounters()

    /// - Parameter firstNumber: of this node's measurements; only tests begin with another.
    package init(of name: String, options: TelemetryOptions, firstNumber: UInt64 = 1) {
        self.options = options
        own = Own(number: firstNumber)
        checksums = FleetChecksums(of: name)
        let subject = LoadSubject(member: name, services: [])
        peers = [
            Peer(
                place: RingPlace(of: name), address: .ipv4(.loopback, port: 0), services: [], subject: subject,
                known: Instant(nanoseconds: 0))
        ]
        slots = [name: LoadReports.own]
        subjects = [subject: .slot(LoadReports.own)]
        ring = LoadRing(of: LoadReports.own)
        budget = SendingBudget(bytesPerSecond: options.bytesPerSecond.bytes)
    }

    // MARK: Who is there

    /// Takes in what gossip says of a member, this node included: it joined, bears other tags, has another
    /// incarnation or address, is suspect. One that is dead, has left, or is no remora is forgotten with its report.
    /// - Complexity: O(members) for one that comes or goes, else O(its tags).
    package mutating func update(_ member: FleetMember, at now: Instant) {
        let isPresent: Bool =
            switch member.state {
            case .alive, .suspect: true
            case .dead, .left: false
            }
        let slot = slots[member.name]
        let isOwn = slot == LoadReports.own
        guard isOwn || isPresent && member.tags[LoadReports.remoraTag] != nil else { return remove(member.name) }
        let services = LoadReports.services(in: member.tags)
        guard let slot else { return add(member, services: services, at: now) }
        if isOwn { own.incarnation = member.incarnation }
        peers[slot]?.address = member.address
        guard peers[slot]?.services != services, let subject = peers[slot]?.subject else { return }
        withdraw(subject, of: slot)
        let renamed = LoadSubject(member: member.name, services: services)
        peers[slot]?.services = services
        peers[slot]?.subject = renamed
        // Its numbers were about other services.
        peers[slot]?.held = nil
        claim(renamed, for: slot)
        if isOwn { renew() }
    }

    /// Forgets a member that gossip forgot, and its report. This node stays.
    package mutating func remove(_ name: String) {
        guard let slot = slots[name], slot != LoadReports.own, let peer = peers[slot] else { return }
        withdraw(peer.subject, of: slot)
        ring.remove(slot)
        checksums.remove(slot)
        owed.removeAll { $0 == slot }
        slots[name] = nil
        peers[slot] = nil
        free.append(slot)
    }

    private mutating func add(_ member: FleetMember, services: [String], at now: Instant) {
        let peer = Peer(
            place: RingPlace(of: member.name), address: member.address, services: services,
            subject: LoadSubject(member: member.name, services: services), known: now)
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            peers[slot] = peer
        } else {
            slot = peers.count
            peers.append(peer)
        }
        slots[member.name] = slot
        claim(peer.subject, for: slot)
        checksums.add(slot, named: member.name)
        let peers = peers
        ring.insert(slot) { other in peers[other].map { peer.place < $0.place } ?? false }
        nextWake = min(nextWake, now)
    }

    private mutating func claim(_ subject: LoadSubject, for slot: Int) {
        switch subjects[subject] {
        case nil: subjects[subject] = .slot(slot)
        case .slot: subjects[subject] = .several(2)
        case .several(let count): subjects[subject] = .several(count + 1)
        }
    }

    private mutating func withdraw(_ subject: LoadSubject, of slot: Int) {
        switch subjects[subject] {
        case nil, .slot: subjects[subject] = nil
        case .several(let count) where count > 2: subjects[subject] = .several(count - 1)
        case .several:
            let left = peers.indices.first { $0 != slot && peers[$0]?.subject == subject }
            subjects[subject] = left.map { .slot($0) }
        }
    }

    /// That a member is a remora.
    private static let remoraTag = "remora"
    /// The services of a member whose load its remora knows, since their callers come through it (`load=1`), at most
    /// ``LoadReport/mostServices``, sorted by their bytes. Traffic past the sidecar must not look like idleness.
    static func services(in tags: [String: String]) -> [String] {
        let names = tags.compactMap { key, value in
            ServiceTag.service(ofKey: key).flatMap { service in
                (try? ServiceTag(parsing: value))?.reportsLoad == true ? service : nil
            }
        }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Array(sorted.prefix(LoadReport.mostServices))
    }

    // MARK: Our own load

    /// Takes this node's load at this moment, by the names of its services; those that its tags do not name are not
    /// told, those that are missing are idle. To be called before each ``wake(at:into:)``: what is told is this.
    package mutating func report(_ loads: [String: ServiceLoad], at now: Instant) {
        own.loads = loads
        own.measured = now
        renew()
    }

    /// What was told by a number stays what it was.
    private mutating func renew() {
        guard own.isTold else { return }
        own.number = min(own.number + 1, LoadVersion.last)
        own.isTold = false
    }

    /// Nil where there is nothing to tell: no service, no measurement.
    func ownReport(at now: Instant) -> LoadReport? {
        guard let peer = peers[LoadReports.own], !peer.services.isEmpty, let measured = own.measured,
            let age = ReportAge(now - measured)
        else { return nil }
        return LoadReport(
            subject: peer.subject, version: LoadVersion(incarnation: own.incarnation, number: own.number), age: age,
            services: peer.services.map { own.loads[$0] ?? .idle })
    }

    /// Takes how this node sees the fleet at this moment, to be told and compared; without it neither happens.
    package mutating func see(_ checksums: Checksums, at now: Instant) { self.checksums.set(checksums, at: now) }

    // MARK: What others tell

    /// Whether a user message's body is for here.
    package static func takes(_ body: Span<UInt8>) -> Bool { LoadMessage.isOne(body) || ChecksumMessage.isOne(body) }

    /// Takes the body of a user message, without its type byte; ``takes(_:)`` says which are for here.
    package mutating func receive(_ body: Span<UInt8>, at now: Instant) {
        let message: LoadMessage
        do throws(WireFault) {
            if ChecksumMessage.isOne(body) {
                for told in try ChecksumMessage(reading: body).told { checksums.take(told, at: now) }
                return
            }
            message = try LoadMessage(reading: body)
        } catch {
            counters.refusedMessages += 1
            return
        }
        switch message {
        case .reports(let reports):
            for report in reports { take(report, at: now) }
        case .question(let subject, let heard):
            // Only who is known is answered, at the address that gossip has, whoever asked.
            guard case .slot(let slot) = subjects[subject], slot != LoadReports.own, peers[slot] != nil else {
                return
            }
            outdo(heard)
            guard peers[slot]?.isOwed == false else { return }
            peers[slot]?.isOwed = true
            owed.append(slot)
        }
    }

    private mutating func take(_ report: LoadReport, at now: Instant) {
        counters.receivedReports += 1
        guard case .slot(let slot) = subjects[report.subject], !report.services.isEmpty,
            peers[slot]?.services.count == report.services.count
        else {
            counters.unknownReports += 1
            return
        }
        guard report.version.number < LoadReports.mostMeasurements else { return counters.refusedMessages += 1 }
        guard slot != LoadReports.own else { return outdo(report.version) }
        let heard = HeldReport(report, at: now)
        if peers[slot]?.held?.isForgotten(at: now) ?? true {
            peers[slot]?.held = heard
            counters.news += 1
        } else if peers[slot]?.held?.join(heard) == true {
            counters.news += 1
        }
    }

    /// Others hold a report of this name that is later than ours: of the process before this one, which gossip took
    /// for the same. Ours have to be later still, as SWIM's refutations are.
    private mutating func outdo(_ heard: LoadVersion) {
        guard heard.number < LoadReports.mostMeasurements, heard.incarnation == own.incarnation,
            heard.number > own.number
        else { return }
        own.number = min(heard.number + 1, LoadVersion.last)
        own.isTold = false
    }

    /// The report of a slot, unless it is too old to be anybody's load.
    func held(in slot: Int, at now: Instant) -> HeldReport? {
        guard let held = peers[slot]?.held, !held.isForgotten(at: now) else { return nil }
        return held
    }
}

// MARK: - Queries

extension LoadReports {
    /// A member's load as it is known here.
    package struct Known: Hashable, Sendable {
        package let load: ServiceLoad
        /// Since it was measured on its member; never less than the truth but by the time under way.
        package let age: Duration
    }

    /// How much is known, and how old.
    package struct Summary: Hashable, Sendable {
        /// Members whose load could be known: remoras with services, this node apart.
        package var expected = 0
        package var held = 0
        /// Of what is held; zero while nothing is.
        package var ageP50 = Duration.zero
        package var ageP99 = Duration.zero
        package var oldest = Duration.zero
    }

    /// The load of a service on a member; nil while nothing is known of it. This node's own is as last reported.
    package func load(of service: String, on member: String, at now: Instant) -> Known? {
        guard let slot = slots[member], let index = peers[slot]?.services.firstIndex(of: service) else { return nil }
        if slot == LoadReports.own {
            return ownReport(at: now).map { Known(load: $0.services[index], age: now - (own.measured ?? now)) }
        }
        return held(in: slot, at: now).map { Known(load: $0.services[index], age: $0.age(at: now)) }
    }

    /// Which report of a member is held; nil for none.
    package func version(of member: String, at now: Instant) -> LoadVersion? {
        guard let slot = slots[member] else { return nil }
        if slot == LoadReports.own { return LoadVersion(incarnation: own.incarnation, number: own.number) }
        return held(in: slot, at: now)?.version
    }

    /// Calls with every service of every other member whose load is known, in an order without a meaning.
    package func forEachLoad(at now: Instant, _ body: (_ member: String, _ service: String, Known) -> Void) {
        for (slot, peer) in peers.enumerated() {
            guard let peer, let held = held(in: slot, at: now) else { continue }
            let age = held.age(at: now)
            for (service, load) in zip(peer.services, held.services) {
                body(peer.place.name, service, Known(load: load, age: age))
            }
        }
    }

    /// How far the fleet's remoras are of one mind; nil before ``see(_:at:)``.
    /// - Complexity: O(members), more where many differ.
    package func agreement(at now: Instant) -> FleetAgreement? {
        checksums.agreement(at: now) { peers[$0]?.place.name }
    }

    /// - Complexity: O(members log members).
    package func summary(at now: Instant) -> Summary {
        var summary = Summary()
        var ages: [Duration] = []
        for slot in peers.indices.dropFirst() where peers[slot]?.services.isEmpty == false {
            summary.expected += 1
            if let held = held(in: slot, at: now) { ages.append(held.age(at: now)) }
        }
        ages.sort()
        summary.held = ages.count
        if let oldest = ages.last {
            summary.oldest = oldest
            // The nearest rank: the least age that so many do not exceed.
            summary.ageP50 = ages[(ages.count + 1) / 2 - 1]
            summary.ageP99 = ages[(ages.count * 99 + 99) / 100 - 1]
        }
        return summary
    }
}
