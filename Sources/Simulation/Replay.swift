// Tells fresh cores what a log says that others were told, and watches whether they do the same.
//
// There is no network here and no random number but the cores' own. What is in a datagram comes from the core that
// emits it, so a change of one core shows at the first line where it matters.

package import Gossip
import Vocabulary

/// Where a replay first differs from the log.
package struct Divergence: Error, Hashable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        /// The core did something else than the recorded one in answer to the same input.
        case effects
        /// What should arrive was never sent.
        case neverSent(UInt64)
        /// What should arrive was sent to somebody else.
        case sentElsewhere(UInt64)
        /// The node has no core at this time.
        case notRunning
    }

    /// The log's line, from 1 on.
    package let line: Int
    package let node: Int
    /// The world's time.
    package let time: Duration
    package let reason: Reason

    package var description: String {
        let meaning =
            switch reason {
            case .effects: "answers otherwise than recorded"
            case .neverSent(let number): "should receive message \(number), which nobody sent"
            case .sentElsewhere(let number): "should receive message \(number), which was sent to another"
            case .notRunning: "is not running"
            }
        return "line \(line): error: the replay differs: at \(time.inSeconds) s n\(node) \(meaning)"
    }
}

/// A world that is led by a log.
package struct Replay {
    private struct Sent<Content> {
        let content: Content
        let from: Int
        let to: PeerAddress
        /// Times that the log says it arrives, less those that were replayed.
        var arrivals: Int
    }

    /// The first invariant that did not hold; the replay goes on. What depends on the network is not looked at: false
    /// suspicions and deaths, streams, bytes.
    package private(set) var violation: Violation?

    private let log: EventLog
    private let population: Population
    private var nodes: [Inhabitant]
    private var effects = Effects()
    var monitor: InvariantMonitor
    /// Entries replayed so far.
    package private(set) var replayed = 0
    /// How often each message arrives; what never does is not kept.
    private var datagramArrivals: [UInt64: Int] = [:]
    private var streamArrivals: [UInt64: Int] = [:]
    private var datagrams: [UInt64: Sent<[Message]>] = [:]
    private var streamMessages: [UInt64: Sent<StreamMessage>] = [:]
    private var datagramsSent: UInt64 = 0
    private var streamMessagesSent: UInt64 = 0
    /// Whose views the input at hand may change; nil for anybody's.
    private var touched: [MemberID]?
    /// Who opened the stream that a node accepted under a number.
    private var openers: [StreamEnd: Int] = [:]

    private struct StreamEnd: Hashable {
        let node: Int
        let number: UInt32
    }

    package init(of log: EventLog) {
        self.log = log
        let population = Population(log.options)
        self.population = population
        monitor = InvariantMonitor(log.options)
        nodes = (0..<log.options.nodes).map { Inhabitant(core: population.core(of: $0, life: 0)) }
        for entry in log.entries {
            switch entry.kind {
            case .datagram: datagramArrivals[entry.argument, default: 0] += 1
            case .request, .answer: streamArrivals[entry.argument, default: 0] += 1
            case .boot, .wake, .fail, .join, .contact, .leave, .update, .crash, .fault: break
            }
        }
    }

    /// Replays to the end of the log.
    /// - Throws: the first difference; ``replayed`` entries before it were alike.
    package mutating func run() throws(Divergence) {
        while replayed < log.entries.count { try step() }
    }

    /// The core of a node, as it is at this point of the replay.
    package func core(of node: Int) -> Membership { nodes[node].core }

    private mutating func step() throws(Divergence) {
        let entry = log.entries[replayed]
        if entry.kind != .fault, entry.kind != .crash {
            try tell(entry)
            try verify(entry)
            if log.options.checks != .off { examine(entry) }
            keepWhatArrives(of: entry)
            effects.removeAll()
        } else if entry.kind == .crash {
            nodes[Int(entry.node)].isRunning = false
        }
        replayed += 1
    }

    /// Hands the entry's input to its core.
    private mutating func tell(_ entry: EventLog.Entry) throws(Divergence) {
        let node = Int(entry.node)
        let now = Instant(nanoseconds: entry.local)
        touched = entry.kind == .wake ? [] : nil
        guard nodes[node].isRunning || entry.kind == .boot else { throw divergence(.notRunning) }
        switch entry.kind {
        case .boot:
            monitor.forget(node)
            nodes[node].boot(
                population.core(of: node, life: nodes[node].life + 1),
                knowing: entry.argument == 1 ? population.claims : [], at: now, into: &effects)
        case .wake: nodes[node].core.wake(at: now, into: &effects)
        case .datagram:
            let sent = try take(entry.argument, from: \.datagrams, to: node)
            let sender = Population.address(of: sent.from)
            touched = InvariantMonitor.subjects(of: sent.content)
            monitor.note(sent.content, to: node)
            for message in sent.content { nodes[node].core.receive(message, from: sender, at: now, into: &effects) }
        case .request:
            let sent = try take(entry.argument, from: \.streamMessages, to: node)
            openers[StreamEnd(node: node, number: entry.stream)] = sent.from
            nodes[node].core.receive(
                sent.content, on: StreamID(side: .accepted, number: entry.stream),
                from: Population.streamAddress(of: sent.from), at: now, into: &effects)
        case .answer:
            let sent = try take(entry.argument, from: \.streamMessages, to: node)
            nodes[node].core.receive(
                sent.content, on: StreamID(side: .opened, number: entry.stream),
                from: Population.address(of: sent.from), at: now, into: &effects)
        case .fail: nodes[node].core.fail(StreamID(side: .opened, number: entry.stream), at: now, into: &effects)
        case .join: nodes[node].core.join(population.seeds(of: node), at: now, into: &effects)
        case .contact:
            nodes[node].core.join([Population.address(of: Int(entry.argument))], at: now, into: &effects)
        case .leave:
            nodes[node].hasLeft = true
            nodes[node].core.leave(at: now, into: &effects)
        case .update:
            nodes[node].revision += 1
            let record = population.record(of: node, revision: nodes[node].revision)
            nodes[node].core.update(record, at: now, into: &effects)
        case .crash, .fault: break
        }
    }

    private mutating func verify(_ entry: EventLog.Entry) throws(Divergence) {
        let node = Int(entry.node)
        nodes[node].note(effects)
        guard nodes[node].digest.short == entry.digest else { throw divergence(.effects) }
    }

    /// Looks for what the monitor of the world looked for.
    private mutating func examine(_ entry: EventLog.Entry) {
        let node = Int(entry.node)
        let now = Instant(nanoseconds: entry.local)
        var breach = monitor.examine(
            node, &nodes[node].core, hasLeft: nodes[node].hasLeft, effects: effects, at: now, touched: touched)
        for datagram in effects.datagrams where breach == nil {
            breach = monitor.examine(
                datagram, length: TrafficTable.length(of: datagram.messages, in: population.directory), from: node,
                life: nodes[node].life, to: population.node(at: datagram.to))
        }
        if entry.kind == .wake, nodes[node].core.nextWake <= now, breach == nil {
            breach = InvariantMonitor.Breach(invariant: .stillDue, detail: "after a wake")
        }
        guard let breach, violation == nil else { return }
        violation = Violation(
            breach, node: node, time: entry.world, line: log.line(ofEntry: replayed), of: log.options)
    }

    private mutating func keepWhatArrives(of entry: EventLog.Entry) {
        let node = Int(entry.node)
        for datagram in effects.datagrams {
            if let arrivals = datagramArrivals.removeValue(forKey: datagramsSent) {
                datagrams[datagramsSent] = Sent(
                    content: datagram.messages, from: node, to: datagram.to, arrivals: arrivals)
            }
            datagramsSent += 1
        }
        for effect in effects.streams {
            switch effect {
            case .open(_, let address, let request, _, _): keep(request, from: node, to: address)
            case .answer(let stream, let answer):
                let opener = openers.removeValue(forKey: StreamEnd(node: node, number: stream.number))
                keep(answer, from: node, to: Population.address(of: opener ?? node))
            case .close(let stream):
                if stream.side == .accepted { openers[StreamEnd(node: node, number: stream.number)] = nil }
            }
        }
    }

    private mutating func keep(_ message: StreamMessage, from node: Int, to address: PeerAddress) {
        if let arrivals = streamArrivals.removeValue(forKey: streamMessagesSent) {
            streamMessages[streamMessagesSent] = Sent(content: message, from: node, to: address, arrivals: arrivals)
        }
        streamMessagesSent += 1
    }

    private mutating func take<Content>(
        _ number: UInt64, from table: WritableKeyPath<Replay, [UInt64: Sent<Content>]>, to node: Int
    ) throws(Divergence) -> Sent<Content> {
        guard var sent = self[keyPath: table][number] else { throw divergence(.neverSent(number)) }
        guard sent.to == Population.address(of: node) else { throw divergence(.sentElsewhere(number)) }
        sent.arrivals -= 1
        self[keyPath: table][number] = sent.arrivals > 0 ? sent : nil
        return sent
    }

    private func divergence(_ reason: Divergence.Reason) -> Divergence {
        let entry = log.entries[replayed]
        return Divergence(
            line: log.line(ofEntry: replayed), node: Int(entry.node), time: .nanoseconds(entry.world), reason: reason)
    }
}
