// Whether a member answers (SWIM §4, memberlist-behaviour §3).
//
// One probe at a time: a direct ping; when it stays unanswered, pings through others and a ping over a stream, side by
// side; at the end of the interval a verdict. The interval, not the first time-out, grows with our own ill health, so
// that a sick prober gives the others' answers more time (Lifeguard §IV-A).

import Vocabulary

/// The probe in progress, and whose turn is next.
struct Prober: Sendable {
    struct Probe: Sendable {
        let target: MemberID
        /// The target's when the probe began: an accusation never reaches beyond what it is based on.
        let incarnation: UInt32
        let sequence: UInt32
        let began: Instant
        /// When the direct ping has failed.
        let timeout: Instant
        /// When the probe is judged.
        let end: Instant
        /// Nil while only the direct ping is under way.
        var help: Help?

        var nextStep: Instant { help == nil ? timeout : end }
    }

    /// What was asked of others after the direct ping failed.
    struct Help: Sendable {
        var asked = 0
        var nacksExpected = 0
        var nacksReceived = 0
        var stream: StreamID?
        var isStreamAnswered = false
    }

    var probe: Probe?
    /// When the next probe begins; what falls into a running probe is lost, not made up for.
    var nextTick = Instant.distantFuture
    /// The place in the table's order.
    var position = 0
    private var lastSequence: UInt32 = 0

    var nextWake: Instant { min(nextTick, probe?.nextStep ?? .distantFuture) }

    /// A number that no unanswered ping of ours bears.
    mutating func makeSequence() -> UInt32 {
        lastSequence &+= 1
        return lastSequence
    }

    /// "The target did not answer me": shows that the helper is there, and so that we are.
    /// - Returns: whether it was waited for.
    mutating func takeNack(_ sequence: UInt32) -> Bool {
        guard let help = probe?.help, probe?.sequence == sequence, help.nacksReceived < help.nacksExpected else {
            return false
        }
        probe?.help?.nacksReceived += 1
        return true
    }
}

extension Membership {
    /// What the interval of a probe is at our present health.
    private var scaledProbeInterval: Int64 { pace.probeInterval * Int64(health.score + 1) }

    mutating func runProbe(at now: Instant, into effects: inout Effects) {
        if let probe = prober.probe, probe.nextStep <= now {
            if probe.help == nil {
                askForHelp(with: probe, at: now, into: &effects)
            } else {
                judge(probe, at: now, into: &effects)
            }
        }
        guard prober.nextTick <= now else { return }
        // From now on, not from when it should have been: a probe that begins a little late ends as late, and would lose
        // the next tick.
        prober.nextTick = now.advanced(by: pace.probeInterval)
        if prober.probe == nil, let target = nextTarget(at: now, into: &effects) {
            beginProbe(of: target, at: now, into: &effects)
        }
    }

    // MARK: The prober

    /// The next member in turn that is there to be probed; nil if there is none.
    ///
    /// Each pass goes through all members once, in an order shuffled for the pass, so a member probes another at least
    /// once in two passes (SWIM §4.3).
    private mutating func nextTarget(at now: Instant, into effects: inout Effects) -> MemberID? {
        var looked = 0
        while looked < table.listed {
            if prober.position >= table.listed {
                forgetTheLongDead(at: now, into: &effects)
                table.shuffle(random: &random)
                prober.position = 0
            }
            let candidate = table.order[prober.position]
            prober.position += 1
            looked += 1
            if candidate != id, table.state(of: candidate).isPresent { return candidate }
        }
        return nil
    }

    private mutating func beginProbe(of target: MemberID, at now: Instant, into effects: inout Effects) {
        let row = table.row(of: target)
        guard let record = row.record else { return }
        let sequence = prober.makeSequence()
        prober.probe = Prober.Probe(
            target: target, incarnation: row.incarnation, sequence: sequence, began: now,
            timeout: now.advanced(by: min(pace.probeTimeout, scaledProbeInterval)),
            end: now.advanced(by: scaledProbeInterval))
        let ping = Message.ping(Ping(sequence: sequence, node: target))
        if row.state == .suspect, options.tellsSuspects {
            // Lifeguard §IV-C: nobody has more interest in the suspicion than the suspect.
            let charge = Message.suspect(Accusation(node: target, incarnation: row.incarnation, from: id))
            effects.datagrams.append(Datagram(to: record.address, recipient: target, messages: [ping, charge]))
        } else {
            send(ping, to: record.address, recipient: nil, comparesViews: record.isRemora, into: &effects)
        }
    }

    /// The direct ping was not answered in time: others may reach the target, or a stream may.
    mutating func askForHelp(with probe: Prober.Probe, at now: Instant, into effects: inout Effects) {
        var help = Prober.Help()
        guard let record = table[probe.target]?.record else { return prober.probe = nil }
        let own = id
        var helpers: [MemberID] = []
        table.choose(options.indirectChecks, random: &random, into: &helpers) { candidate, row in
            row.state == .alive && candidate != own && candidate != probe.target
        }
        for helper in helpers {
            guard let helperRecord = table.row(of: helper).record else { continue }
            let wantsNack = helperRecord.versions.understandsNack
            help.asked += 1
            help.nacksExpected += wantsNack ? 1 : 0
            let request = IndirectPing(
                sequence: probe.sequence, target: record.address, node: probe.target, wantsNack: wantsNack)
            send(.indirectPing(request), to: helperRecord.address, recipient: nil, into: &effects)
        }
        // With a time-out as long as the interval there is no time left for a stream.
        if options.usesStreamPing, record.versions.understandsStreamPing, probe.end > now {
            let stream = exchange.open(.probe)
            help.stream = stream
            let request = StreamMessage.ping(Ping(sequence: probe.sequence, node: probe.target))
            effects.streams.append(
                .open(stream, to: record.address, request: request, isAnswered: true, deadline: probe.end))
        }
        prober.probe?.help = help
    }

    /// Nobody reached the target before the end.
    private mutating func judge(_ probe: Prober.Probe, at now: Instant, into effects: inout Effects) {
        guard let help = probe.help else { return }
        if help.isStreamAnswered {
            effects.events.append(.datagramsLost(probe.target))
            return endProbe(into: &effects)
        }
        // Whoever owes us a nack and is silent may be healthy while we are not.
        health.change(by: help.nacksExpected > 0 ? help.nacksExpected - help.nacksReceived : 1)
        prober.probe = nil
        closeStream(of: help, into: &effects)
        suspect(
            Accusation(node: probe.target, incarnation: probe.incarnation, from: id),
            evidence: .probe(
                indirectAsked: help.asked, nacksReceived: help.nacksReceived, streamTried: help.stream != nil),
            at: now, into: &effects)
    }

    /// The target answered, in one way or another.
    private mutating func endProbe(into effects: inout Effects) {
        health.change(by: -1)
        abandonProbe(into: &effects)
    }

    /// Ends the probe without a verdict.
    mutating func abandonProbe(into effects: inout Effects) {
        if let help = prober.probe?.help { closeStream(of: help, into: &effects) }
        prober.probe = nil
    }

    private mutating func closeStream(of help: Prober.Help, into effects: inout Effects) {
        guard let stream = help.stream, exchange.close(stream) != nil else { return }
        effects.streams.append(.close(stream))
    }

    mutating func take(_ ack: Ack, from sender: PeerAddress, at now: Instant, into effects: inout Effects) {
        if let probe = prober.probe, probe.sequence == ack.sequence {
            lastContact = now
            if probe.help == nil {
                effects.events.append(.measured(probe.target, roundTrip: now - probe.began, payload: ack.payload))
            }
            endProbe(into: &effects)
        } else if let relay = relays.take(ack.sequence) {
            send(
                .ack(Ack(sequence: relay.sequence)), to: relay.requester, recipient: nil, into: &effects)
        }
    }

    /// The stream ping was answered; the probe waits on for a datagram, to tell the two ways apart.
    mutating func takeStreamAck(_ ack: Ack, on stream: StreamID, at now: Instant) {
        guard let probe = prober.probe, probe.help?.stream == stream, probe.sequence == ack.sequence else { return }
        lastContact = now
        prober.probe?.help?.isStreamAnswered = true
    }

    // MARK: The probed

    /// Answers a ping for us; one that means somebody else gets no answer, so that its sender notices.
    mutating func answer(_ ping: Ping, from sender: PeerAddress, at now: Instant, into effects: inout Effects) {
        guard ping.node == nil || ping.node == id else { return }
        send(
            .ack(Ack(sequence: ping.sequence, payload: ackPayload)), to: ping.source?.address ?? sender,
            recipient: nil, into: &effects)
    }
}

extension Instant {
    /// The next moment of a ticker that is after `now`, without the ticks that were missed.
    func next(every interval: Int64, after now: Instant) -> Instant {
        guard interval > 0 else { return now }
        let missed = max(0, now.elapsed(since: self)) / interval
        return advanced(by: (missed + 1) * interval)
    }
}
