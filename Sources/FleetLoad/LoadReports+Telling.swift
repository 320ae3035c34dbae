// What is told next, to whom.
//
// Laps: a far lap takes all far steps once, a near lap all near ones; the member that was told longest ago is the next.
// An age is the wait for a near step and the wait for a far one, so near laps are shorter by as much as their datagrams
// are: with costs a and b of a lap the sum of both times is least at √a : √b, about 1 : 5 for 250 members.
//
// What no lap brought is asked for, the oldest first: a stop that died, a datagram that was lost, two that disagree on
// the order for a moment. A few questions and answers are all that evens out the tail.

import GossipWire
package import Vocabulary

extension LoadReports {
    /// Near laps in one far lap.
    static let nearLaps = 5
    /// Nobody is told more often than this, however small the fleet.
    static let shortestLap = Duration.milliseconds(200)
    /// Between two wakes; what is due between is sent together.
    static let beat = Duration.milliseconds(40)
    /// Every so many tellings of a member it is told all, and not only what changed.
    static let wholeTelling: UInt8 = 8
    /// Of so many datagrams one may be a question; of so many one an answer.
    static let questionTurn: UInt64 = 8
    static let answerTurn: UInt64 = 4

    /// Where the laps are.
    struct Laps: Sendable {
        /// The next step, from 1.
        var near = 1
        var far = 1
        /// The next report for the far step's member: 0 for ours, then those before us.
        var offset = 0
        /// When that member's first datagram was written, where it needs several.
        var telling: Instant?
        var nearBegan = Instant(nanoseconds: .min)
        var farBegan = Instant(nanoseconds: .min)
        /// How long the last far lap took; nil before the end of the first.
        var farTime: Duration?
        /// Near steps that are due, in parts of which a far lap's steps make one.
        var nearDue = 0
    }

    private enum Telling {
        case near
        case far
        case answer(Int)
        case question(Int)
    }

    /// What a telling says.
    private struct Written {
        /// Empty where there is nothing to tell of load.
        var body: [UInt8] = []
        /// Of a far step, the first report that found no room.
        var offset = 0
        var checksums: [UInt8] = []
        /// Whether no checksum found no room; nil where none were to be told.
        var isAll: Bool?
    }

    /// Tells what is due. Called early it does nothing.
    /// - Complexity: O(bytes sent), and O(members) now and then.
    package mutating func wake(at now: Instant, into datagrams: inout [LoadDatagram]) {
        guard now >= nextWake else { return }
        while let telling = nextTelling(at: now) {
            let target = target(of: telling)
            guard let address = peers[target]?.address, let name = peers[target]?.place.name else { return }
            let written = write(telling, to: target, at: now)
            let datagram = LoadDatagram(to: address, member: name, body: written.body, checksums: written.checksums)
            guard !datagram.bodies.isEmpty else {
                finish(telling, target, written, at: now)
                continue
            }
            let length = datagram.length + options.packetOverhead
            let allowed = budget.earliest(for: length, at: now)
            guard allowed <= now else {
                nextWake = max(allowed, now + LoadReports.beat)
                return
            }
            budget.spend(length, at: now)
            counters.sentDatagrams += 1
            counters.sentBytes += UInt64(length)
            datagrams.append(datagram)
            finish(telling, target, written, at: now)
        }
        nextWake = ring.count > 1 ? laps.farBegan + LoadReports.shortestLap : Instant(nanoseconds: .max)
    }

    // MARK: What is next

    /// Nil while the fleet is too small for the budget.
    private func nextTelling(at now: Instant) -> Telling? {
        guard ring.count > 1 else { return nil }
        let turn = counters.sentDatagrams
        if turn % LoadReports.answerTurn == 1, let slot = owed.first, ownReport(at: now) != nil { return .answer(slot) }
        if turn % LoadReports.questionTurn == 3, let slot = mostMissed(at: now) { return .question(slot) }
        if laps.nearDue >= ring.farSteps, isNearOpen(at: now) { return .near }
        let isFarOpen = laps.far > 1 || laps.offset > 0 || now >= laps.farBegan + LoadReports.shortestLap
        return isFarOpen ? .far : nil
    }

    private func isNearOpen(at now: Instant) -> Bool {
        guard ring.nearSteps > 0, ownReport(at: now) != nil || checksums.areKnown else { return false }
        return laps.near > 1 || now >= laps.nearBegan + LoadReports.shortestLap
    }

    /// The member whose report is the oldest, or that was never heard, if that is longer than laps take and it was not
    /// asked lately.
    private func mostMissed(at now: Instant) -> Int? {
        guard let lap = laps.farTime else { return nil }
        let patience = now + (.zero - max(lap * 2, .seconds(1)))
        var oldest = patience
        var missed: Int?
        for slot in peers.indices.dropFirst() where peers[slot]?.services.isEmpty == false {
            // Fields by themselves: a copy of the whole would count references to all of them.
            guard let asked = peers[slot]?.asked, asked < patience, let known = peers[slot]?.known else { continue }
            let measured = peers[slot]?.held?.measured ?? known
            if measured < oldest { (oldest, missed) = (measured, slot) }
        }
        return missed
    }

    private func target(of telling: Telling) -> Int {
        switch telling {
        case .near: ring.slot(at: min(laps.near, ring.nearSteps))
        case .far: ring.slot(at: min(laps.far, ring.farSteps) * ring.stride)
        case .answer(let slot), .question(let slot): slot
        }
    }

    // MARK: Writing

    private func write(_ telling: Telling, to target: Int, at now: Instant) -> Written {
        var written = Written()
        switch telling {
        case .near:
            writeChecksums(of: [LoadReports.own], to: target, at: now, into: &written)
            fallthrough
        case .answer:
            guard let report = ownReport(at: now) else { break }
            LoadMessage.reports([report]).append(to: &written.body)
        case .question(let slot):
            guard let subject = peers[LoadReports.own]?.subject else { break }
            let heard = held(in: slot, at: now)?.version ?? .none
            LoadMessage.question(from: subject, heard: heard).append(to: &written.body)
        case .far: writeFar(to: target, at: now, into: &written)
        }
        return written
    }

    private func writeFar(to target: Int, at now: Instant, into written: inout Written) {
        let isWhole = (peers[target]?.tellings ?? 0) % LoadReports.wholeTelling == 0
        let told = peers[target]?.told ?? Instant(nanoseconds: .min)
        let end = ring.reports(atFarStep: min(laps.far, ring.farSteps))
        if laps.offset == 0 {
            writeChecksums(of: (0..<end).map { ring.slot(at: -$0) }, to: target, at: now, into: &written)
        }
        var room = options.longestBody
        // With its own type byte.
        if !written.checksums.isEmpty { room -= written.checksums.count + 1 + LoadDatagram.binding }
        for offset in min(laps.offset, end)..<end {
            let slot = ring.slot(at: -offset)
            let report = offset == 0 ? ownReport(at: now) : passedOn(slot, since: isWhole ? nil : told, at: now)
            guard let report else { continue }
            if written.body.isEmpty { LoadMessage.appendHead(to: &written.body) }
            guard written.body.count + report.encodedLength <= room else {
                written.offset = offset
                return
            }
            report.append(to: &written.body)
        }
        written.offset = ring.stride
    }

    /// At most half of a datagram, and never so much that the longest report finds no room beside it.
    private func writeChecksums(of slots: [Int], to target: Int, at now: Instant, into written: inout Written) {
        let room = min(
            options.longestBody / 2, options.longestBody - TelemetryOptions.longestReport - 1 - LoadDatagram.binding)
        let (message, isAll) = checksums.message(for: target, of: slots, room: room, at: now)
        message?.append(to: &written.checksums)
        written.isAll = isAll
    }

    /// Another member's report, if it changed since then.
    private func passedOn(_ slot: Int, since told: Instant?, at now: Instant) -> LoadReport? {
        guard let learned = peers[slot]?.held?.learned, learned >= told ?? learned, let subject = peers[slot]?.subject,
            let held = held(in: slot, at: now), let age = ReportAge(held.age(at: now))
        else { return nil }
        return LoadReport(subject: subject, version: held.version, age: age, services: held.services)
    }

    // MARK: What was told

    private mutating func finish(_ telling: Telling, _ target: Int, _ written: Written, at now: Instant) {
        if let isAll = written.isAll { checksums.noteTelling(of: target, isAll: isAll, at: now) }
        switch telling {
        case .near:
            own.isTold = true
            if laps.near == 1 { laps.nearBegan = now }
            laps.nearDue -= ring.farSteps
            laps.near = laps.near >= ring.nearSteps ? 1 : laps.near + 1
        case .answer(let slot):
            own.isTold = true
            counters.sentAnswers += 1
            peers[slot]?.isOwed = false
            owed.removeAll { $0 == slot }
        case .question(let slot):
            counters.sentQuestions += 1
            peers[slot]?.asked = now
        case .far:
            finishFar(target, offset: written.offset, at: now)
        }
    }

    private mutating func finishFar(_ target: Int, offset: Int, at now: Instant) {
        if laps.offset == 0 { own.isTold = true }
        if laps.far == 1, laps.offset == 0 { laps.farBegan = now }
        let began = laps.telling ?? now
        guard offset >= ring.stride else {
            (laps.offset, laps.telling) = (offset, began)
            return
        }
        (laps.offset, laps.telling) = (0, nil)
        peers[target]?.told = began
        peers[target]?.tellings &+= 1
        // No more than a lap of near steps, where there was nothing to tell.
        let lap = LoadReports.nearLaps * ring.nearSteps
        laps.nearDue = min(laps.nearDue + lap, lap * ring.farSteps)
        if laps.far >= ring.farSteps {
            laps.farTime = now - laps.farBegan
            laps.far = 1
        } else {
            laps.far += 1
        }
    }
}
