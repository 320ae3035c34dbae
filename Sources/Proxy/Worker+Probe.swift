// The choice of an endpoint, where endpoints' own sidecars can say how loaded they are.
//
//     accepted ─► pool has two answers ─► placed, and three are asked for the next
//          │
//          └─► too few ─► three are asked, the connection waits (probing) ─► two have answered, or time is up ─► placed
//
// A connection waits once at most, no longer than a mean answer of the upstream takes, a quarter of connect_timeout and
// ``Worker/longestProbeWait``; then it goes by what has come, in the worst case by this process's own counts.

import Balancing
import Reactor
import Upstreams
import Vocabulary

/// Where a connection is to go.
enum Choice {
    case endpoint(ChosenEndpoint)
    /// It waits for answers, and is placed when they are there.
    case later
    /// No endpoint is eligible.
    case none
}

extension Worker {
    static let longestProbeWait = Duration.milliseconds(5)
    /// Endpoints asked with each connection, and answers that one who waits goes on with: who is slow or gone does
    /// not hold it up.
    private static let asked = ProbePool.Shape().probes
    private static let awaited = 2

    /// Chooses an endpoint and counts the connection there.
    mutating func choose(_ index: UInt32) -> Choice {
        let upstream = Int(connections[index].upstream)
        if let prober, upstreams.comparesReports(upstream) { return chooseByReports(index, upstream, prober) }
        let key = connections[index].key
        // Only a key's owner has a bound that others' counts may tighten.
        let since = key == nil ? nil : prober.map { now + (.zero - freshness(of: upstream, $0).limit) }
        guard
            let endpoint = upstreams.place(
                upstream, for: key, excluding: connections[index].tried, since: since, random: &random)
        else { return .none }
        return .endpoint(endpoint)
    }

    /// How old a load may be that is compared.
    private func freshness(of upstream: Int, _ prober: Prober) -> Freshness {
        let desk = desk
        return prober.freshness(of: upstream, at: now) {
            (
                desk.upstreams.read(row: upstream, column: UpstreamColumn.answersTotal.rawValue),
                desk.upstreams.read(row: upstream, column: UpstreamColumn.answerNanosecondsTotal.rawValue)
            )
        }
    }

    private mutating func chooseByReports(_ index: UInt32, _ upstream: Int, _ prober: Prober) -> Choice {
        let freshness = freshness(of: upstream, prober)
        var mayAsk =
            !connections[index].hasProbed && prober.isWorthWaiting(for: upstream)
            && prober.allows(Self.awaited, at: now) == Self.awaited
        while true {
            let placement = upstreams.placeByReports(
                upstream, excluding: connections[index].tried, at: now, freshness: freshness.limit, mayAsk: mayAsk,
                random: &random)
            switch placement {
            case .none: return .none
            case .ask:
                if beginWait(index, upstream, prober, period: freshness.period) { return .later }
                mayAsk = false
            case .placed(let endpoint, let basis):
                note(basis, upstream)
                // Who has waited leaves the answers that it did not use.
                if !connections[index].hasProbed { _ = ask(upstream, prober, waiter: nil) }
                return .endpoint(endpoint)
            }
        }
    }

    private mutating func note(_ basis: LoadBasis, _ upstream: Int) {
        switch basis.source {
        case .unreported:
            count(.localPicksTotal, upstream: upstream)
            count(.unreportedPicksTotal, upstream: upstream)
        case .alone:
            count(.localPicksTotal, upstream: upstream)
            count(.alonePicksTotal, upstream: upstream)
        case .stale: count(.localPicksTotal, upstream: upstream)
        case .fleet:
            count(.fleetPicksTotal, upstream: upstream)
            count(.fleetAgeNanosecondsTotal, Int(basis.age.wholeNanoseconds), upstream: upstream)
        }
    }

    // MARK: Waiting

    /// - Returns: false where there are no two to ask.
    private mutating func beginWait(
        _ index: UInt32, _ upstream: Int, _ prober: Prober, period: Duration
    ) -> Bool {
        connections[index].hasProbed = true
        let waiter = Prober.Waiter(index: index, epoch: halves[.client(index)].epoch)
        guard ask(upstream, prober, waiter: waiter) else { return false }
        connections[index].stage = .probing
        connections[index].answersAwaited = UInt8(Self.awaited)
        count(.probeWaitsTotal, upstream: upstream)
        let patience = min(upstreams.connectTimeout(of: upstream) / 4, period, Self.longestProbeWait)
        timers.schedule(index, at: Tick(notBefore: now + patience))
        return true
    }

    /// A connection's answers have not all come in time.
    mutating func endWait(_ index: UInt32) {
        if Int(connections[index].answersAwaited) == Self.awaited {
            prober?.noteVainWait(for: Int(connections[index].upstream))
        }
        place(index)
    }

    // MARK: Questions and answers

    /// Asks a few endpoints for their load, as far as the budget goes.
    /// - Parameter waiter: who waits for them; then there are two, or none is asked.
    /// - Returns: whether any was asked.
    private mutating func ask(_ upstream: Int, _ prober: Prober, waiter: Prober.Waiter?) -> Bool {
        let allowed = prober.allows(Self.asked, at: now)
        let tried = waiter.map { connections[$0.index].tried } ?? TriedEndpoints()
        let targets = upstreams.drawReporters(allowed, of: upstream, excluding: tried, random: &random)
        guard targets.count >= (waiter == nil ? 1 : Self.awaited) else { return false }
        var question = Prober.Question()
        (question.sent, question.upstream, question.waiter) = (now, UInt32(upstream), waiter)
        (question.service, question.version) = (upstreams.service(of: upstream), upstreams.version)
        for number in 0..<targets.count {
            question.target = targets[number]
            unsafe prober.ask(question, at: upstreams.probeAddress(of: question.target, in: upstream))
        }
        count(.probesSentTotal, targets.count, upstream: upstream)
        return true
    }

    /// Takes in what has come, as much as a turn allows; the poller reports again if more waits.
    mutating func hearAnswers() {
        guard let prober else { return }
        for _ in 0..<Prober.answersPerTurn {
            guard let receipt = prober.receive() else { return }
            switch receipt {
            case .stray: desk.strayAnswers.add(1, ordering: .relaxed)
            case .refused(let question): count(.probesRefusedTotal, upstream: Int(question.upstream))
            case .answer(let question, let load): take(load, inAnswerTo: question, prober)
            }
        }
    }

    private mutating func take(_ load: EndpointLoad, inAnswerTo question: Prober.Question, _ prober: Prober) {
        let upstream = Int(question.upstream)
        prober.noteAnswer(of: upstream, after: now - question.sent)
        let limit = prober.freshness(of: upstream).limit
        // Endpoints are numbered anew in each set, and a cell may be another's in the next but one.
        if question.version == upstreams.version, now - question.sent <= limit {
            count(.probesAnsweredTotal, upstream: upstream)
            upstreams.learn(load, of: question.target, in: upstream, measured: question.sent)
            cells.report(ReportedLoad(load: load, measured: question.sent), of: question.target.cell)
        } else {
            count(.probesLateTotal, upstream: upstream)
        }
        guard let waiter = question.waiter, connections[waiter.index].stage == .probing,
            halves[.client(waiter.index)].epoch == waiter.epoch
        else { return }
        connections[waiter.index].answersAwaited -= 1
        if connections[waiter.index].answersAwaited == 0 { place(waiter.index) }
    }

    private mutating func count(_ column: UpstreamColumn, _ amount: Int = 1, upstream: Int) {
        desk.upstreams.add(UInt64(amount), row: upstream, column: column.rawValue)
    }
}
