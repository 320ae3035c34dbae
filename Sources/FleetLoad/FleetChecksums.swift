// Does everyone agree? What every remora of the fleet says of its view and of its config, beside our own.
//
//     our checksums ─► set ──┐                    ┌─► message(for:of:): rides along with a telling of load
//     user message ─► take ──┼─► one for a slot ──┤
//                            │                    └─► agreement(at:): who differs, and for how long
//
// They go the ways that loads go (LoadRing), one stop at most, and by their budget. In a fleet at rest they do not
// change, so what is told is a change, and all of them at every eighth telling, for what was lost. Not taken: a field of
// load reports, which older remoras would refuse, and which only members with services send.
//
// Views differ while news spread; that is no disagreement. So we tell our own only when it has stayed for a second: a
// fleet that changes all the time is not told all the time, and two words of one member are further apart than messages
// are under way, so that the later one is known by its age alone.
//
// How long two views differ counts from the last change of either. What we hold of a member is always a little older
// than what we are, so in a fleet that changes all the time (250 members restarted one by one) the two need never be
// equal, though each follows the other within seconds; what ages is a difference that neither side does anything about.
// Not taken: a word beside what we were when it was said. Members see changes in other orders, so that of 249 in such
// a fleet some would be found to differ for a minute all the same.

import GossipWire
import Vocabulary

/// How far the remoras of a fleet are of one mind.
package struct FleetAgreement: Hashable, Sendable {
    package struct Differing: Hashable, Sendable {
        package let member: String
        /// How long its view and ours have stayed two, neither changing, as far as we were told.
        package let time: Duration

        package init(member: String, time: Duration) {
            self.member = member
            self.time = time
        }
    }

    /// Those named are at most so many.
    package static let named = 16

    /// Remoras that are present, this node among them.
    package var remoras = 1
    /// Of those, that have said nothing of late: they have just come, or are of a version that does not.
    package var unheard = 0
    /// This node among them.
    package var sameView = 1
    package var sameConfig = 1
    /// With another view, the longest first, at most ``named``.
    package var differing: [Differing] = []
    /// With another config, by their names, at most ``named``.
    package var otherConfig: [String] = []

    package init() {}
}

/// By the slots of ``LoadReports``. Bounded: one for each remora.
struct FleetChecksums: Sendable {
    /// How long our own have to be the same before they are told.
    static let quiet = Duration.seconds(1)

    private struct Held: Sendable {
        var checksums: Checksums
        /// When its member said so, as far as that can be known.
        var said: Instant
        /// When these became what is known of it.
        var learned: Instant
    }

    private struct Peer: Sendable {
        let subject: LoadSubject
        var held: Held?
        /// Where its view is another than ours, when one of them last changed; nil while it is not, or not known.
        var differs: Instant?
        /// When it was last told all that had changed, and how often it was told.
        var told = Instant(nanoseconds: .min)
        var tellings: UInt8
    }

    /// Whom a subject means.
    private enum Meaning {
        case slot(Int)
        /// Several names have this digest: nothing is known of them.
        case several
    }

    private var peers: [Peer?] = []
    private var meanings: [LoadSubject: Meaning]
    private let ownSubject: LoadSubject
    private var own: Checksums?
    /// From when on ours may be told.
    private var settles = Instant(nanoseconds: .min)

    init(of name: String) {
        ownSubject = LoadSubject(member: name, services: [])
        meanings = [ownSubject: .slot(LoadReports.own)]
    }

    /// Whether there is anything of ours to tell.
    var areKnown: Bool { own != nil }

    // MARK: Who is there

    /// - Parameter slot: of another member than this node.
    mutating func add(_ slot: Int, named name: String) {
        while peers.count <= slot { peers.append(nil) }
        let subject = LoadSubject(member: name, services: [])
        // Not all of them get the whole in one lap, which would take longer than others.
        peers[slot] = Peer(subject: subject, tellings: UInt8(truncatingIfNeeded: slot))
        meanings[subject] = meanings[subject] == nil ? .slot(slot) : .several
    }

    mutating func remove(_ slot: Int) {
        guard peers.indices.contains(slot), let subject = peers[slot]?.subject else { return }
        peers[slot] = nil
        let rest =
            peers.indices.filter { peers[$0]?.subject == subject }
            + (subject == ownSubject ? [LoadReports.own] : [])
        switch rest.count {
        case 0: meanings[subject] = nil
        case 1: meanings[subject] = .slot(rest[0])
        default: meanings[subject] = .several
        }
    }

    // MARK: Ours

    /// - Complexity: O(members) where they have changed.
    mutating func set(_ checksums: Checksums, at now: Instant) {
        guard checksums != own else { return }
        let isOtherView = checksums.view != own?.view
        own = checksums
        settles = now + FleetChecksums.quiet
        guard isOtherView else { return }
        for slot in peers.indices { compare(slot, at: now) }
    }

    /// To be called where our view or that member's has changed.
    private mutating func compare(_ slot: Int, at now: Instant) {
        guard let own, let held = peers[slot]?.held, held.checksums.view != own.view else {
            peers[slot]?.differs = nil
            return
        }
        peers[slot]?.differs = now
    }

    // MARK: What others tell

    mutating func take(_ told: ToldChecksums, at now: Instant) {
        guard case .slot(let slot) = meanings[told.member], slot != LoadReports.own else { return }
        let said = now + (.zero - told.age.duration)
        if let held = peers[slot]?.held {
            guard said > held.said else { return }
            guard held.checksums != told.checksums else {
                peers[slot]?.held?.said = said
                return
            }
        }
        let isOtherView = told.checksums.view != peers[slot]?.held?.checksums.view
        peers[slot]?.held = Held(checksums: told.checksums, said: said, learned: now)
        if isOtherView { compare(slot, at: now) }
    }

    // MARK: What is told

    /// What a member is to be told of these, ours at slot 0.
    /// - Parameter room: bytes.
    /// - Returns: nil where there is nothing new; and whether that is all, for ``noteTelling(of:isAll:at:)``.
    func message(for target: Int, of slots: [Int], room: Int, at now: Instant) -> (ChecksumMessage?, isAll: Bool) {
        guard peers.indices.contains(target), let peer = peers[target], !slots.isEmpty else { return (nil, true) }
        let isWhole = peer.tellings % LoadReports.wholeTelling == 0
        var (told, groups): ([ToldChecksums], Set<Checksums>) = ([], [])
        var length = ChecksumMessage.headLength
        // What finds no room is the first another time.
        let first = Int(peer.tellings) % slots.count
        for slot in slots[first...] + slots[..<first] {
            guard let one = word(of: slot, since: isWhole ? nil : peer.told, at: now) else { continue }
            let isNew = !groups.contains(one.checksums)
            length += ChecksumMessage.memberLength + (isNew ? ChecksumMessage.groupLength : 0)
            guard length <= room else { return (told.isEmpty ? nil : ChecksumMessage(told), false) }
            told.append(one)
            if isNew { groups.insert(one.checksums) }
        }
        return (told.isEmpty ? nil : ChecksumMessage(told), true)
    }

    /// Nil where nothing is known, or nothing else than at that time.
    private func word(of slot: Int, since told: Instant?, at now: Instant) -> ToldChecksums? {
        if slot == LoadReports.own {
            guard let own, let age = ReportAge(.zero), now >= settles, told.map({ $0 < settles }) ?? true else {
                return nil
            }
            return ToldChecksums(member: ownSubject, age: age, checksums: own)
        }
        guard peers.indices.contains(slot), let peer = peers[slot], let held = peer.held,
            told.map({ held.learned >= $0 }) ?? true, let age = ReportAge(now - held.said)
        else { return nil }
        return ToldChecksums(member: peer.subject, age: age, checksums: held.checksums)
    }

    mutating func noteTelling(of target: Int, isAll: Bool, at now: Instant) {
        guard peers.indices.contains(target) else { return }
        if isAll { peers[target]?.told = now }
        peers[target]?.tellings &+= 1
    }

    // MARK: What comes of it

    /// Nil before ours are known.
    /// - Parameter name: of a slot.
    func agreement(at now: Instant, name: (Int) -> String?) -> FleetAgreement? {
        guard let own else { return nil }
        var agreement = FleetAgreement()
        var differing: [(slot: Int, since: Instant)] = []
        var otherConfig: [String] = []
        for (slot, peer) in peers.enumerated() {
            guard let peer else { continue }
            agreement.remoras += 1
            guard let held = peer.held, now - held.said <= ReportAge.oldest else {
                agreement.unheard += 1
                continue
            }
            if let since = peer.differs { differing.append((slot, since)) } else { agreement.sameView += 1 }
            if held.checksums.config == own.config {
                agreement.sameConfig += 1
            } else if let name = name(slot) {
                otherConfig.append(name)
            }
        }
        agreement.differing = differing.sorted { ($0.since, $0.slot) < ($1.since, $1.slot) }
            .prefix(FleetAgreement.named).compactMap { one in
                name(one.slot).map { .init(member: $0, time: max(.zero, now - one.since)) }
            }
        agreement.otherConfig = Array(otherConfig.sorted().prefix(FleetAgreement.named))
        return agreement
    }
}
