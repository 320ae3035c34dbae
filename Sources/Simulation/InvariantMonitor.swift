// Holds every core against the invariants after every input.
//
// It asks the cores, never the world's own idea of them, and keeps its own shadows: a view that the core corrupted is
// compared with what the core said before. What costs a table of pairs is left to the full checks.

import Gossip
import Vocabulary

struct InvariantMonitor {
    /// An invariant that does not hold, and how it shows.
    struct Breach {
        let invariant: Invariant
        let detail: String
    }

    private struct Transmission: Hashable {
        let node: Int
        let life: Int
        /// How often the node had forgotten the subject: what is learned anew is told anew.
        let forgotten: UInt16
        let subject: MemberID
        let accuser: MemberID?
        let incarnation: UInt32
        let isDeath: Bool
    }

    private let options: WorldOptions
    private var incarnations: [UInt32]
    private var largestFleets: [Int]
    /// Of each node: how often it was accused to its face, and so may have answered.
    private var charges: [Int]
    /// Of each pair, by observer: 0 for not listed, else a one, the incarnation and the state.
    private var shadows: [UInt64] = []
    /// Of each pair, by observer: how often it forgot the member.
    private var oblivions: [UInt16] = []
    private var transmissions: [Transmission: Int] = [:]
    /// By node.
    private var examinations: [Int]
    /// How a core is woken before its time; tests put in a way that is wrong.
    var wakeEarly: (inout Membership, Instant, inout Effects) -> Void = { $0.wake(at: $1, into: &$2) }

    /// Every how many examinations of a node its whole view is compared and its core is woken for nothing.
    private static let wholeViewEvery = 64

    init(_ options: WorldOptions) {
        self.options = options
        incarnations = [UInt32](repeating: 0, count: options.nodes)
        largestFleets = [Int](repeating: 0, count: options.nodes)
        charges = [Int](repeating: 0, count: options.nodes)
        examinations = largestFleets
        guard options.checks == .full else { return }
        shadows = [UInt64](repeating: 0, count: options.nodes * options.nodes)
        oblivions = [UInt16](repeating: 0, count: shadows.count)
    }

    /// A fresh core begins at this node.
    mutating func forget(_ node: Int) {
        incarnations[node] = 0
        largestFleets[node] = 0
        charges[node] = 0
        guard !shadows.isEmpty else { return }
        for index in node * options.nodes..<(node + 1) * options.nodes { shadows[index] = 0 }
    }
}

extension InvariantMonitor {
    /// What a node is about to be told in a datagram.
    mutating func note(_ messages: [Message], to node: Int) {
        for case .suspect(let accusation) in messages where Int(accusation.node.index) == node { charges[node] += 1 }
    }
}

// MARK: - One core after one input

extension InvariantMonitor {
    /// Reads the core only: see ``Inhabitant/readNextWake()``.
    /// - Parameter touched: whose views the input may have changed; nil for anybody's.
    /// - Returns: the first invariant that does not hold.
    mutating func examine(
        _ node: Int, _ core: inout Membership, hasLeft: Bool, effects: Effects, at now: Instant, touched: [MemberID]?
    ) -> Breach? {
        examinations[node] += 1
        let incarnation = core.incarnation
        if incarnation < incarnations[node] {
            return Breach(invariant: .ownIncarnationFalls, detail: "from \(incarnations[node]) to \(incarnation)")
        }
        incarnations[node] = incarnation
        if !hasLeft {
            let state = core.claim(about: Population.id(of: node))?.state
            if state != .alive {
                return Breach(invariant: .seesItselfGone, detail: state.map { "\($0)" } ?? "not listed")
            }
        }
        guard options.checks == .full else { return nil }
        largestFleets[node] = max(largestFleets[node], core.listed)
        for case .forgotten(let id) in effects.events where Int(id.index) < options.nodes {
            let place = node * options.nodes + Int(id.index)
            shadows[place] = 0
            oblivions[place] &+= 1
        }
        let isRound = examinations[node].isMultiple(of: InvariantMonitor.wholeViewEvery)
        if let breach = isRound || touched == nil
            ? compareAll(node, &core) : compare(node, &core, effects, touched ?? [])
        {
            return breach
        }
        return isRound ? wakeForNothing(core, at: now) : nil
    }

    /// Those whose views a datagram's messages may change.
    static func subjects(of messages: [Message]) -> [MemberID] {
        messages.compactMap { message in
            switch message {
            case .alive(let announcement): announcement.node
            case .suspect(let accusation), .dead(let accusation): accusation.node
            case .ping, .indirectPing, .ack, .nack, .user, .viewChecksum: nil
            }
        }
    }

    private mutating func compare(_ node: Int, _ core: inout Membership, _ effects: Effects, _ touched: [MemberID])
        -> Breach?
    {
        for id in touched {
            if let breach = compare(node, id, core.claim(about: id)) { return breach }
        }
        for event in effects.events {
            guard let id = event.subject else { continue }
            if let breach = compare(node, id, core.claim(about: id)) { return breach }
        }
        return nil
    }

    private mutating func compareAll(_ node: Int, _ core: inout Membership) -> Breach? {
        for member in 0..<options.nodes {
            let id = Population.id(of: member)
            if let breach = compare(node, id, core.claim(about: id)) { return breach }
        }
        return nil
    }

    private mutating func compare(_ node: Int, _ id: MemberID, _ claim: Claim?) -> Breach? {
        guard Int(id.index) < options.nodes else { return nil }
        let place = node * options.nodes + Int(id.index)
        let before = shadows[place]
        guard let claim else {
            shadows[place] = 0
            return nil
        }
        let after = 1 << 48 | UInt64(claim.incarnation) << 8 | UInt64(claim.state.rawValue)
        shadows[place] = after
        guard after < before else { return nil }
        let old = UInt32(truncatingIfNeeded: before >> 8)
        if claim.incarnation < old {
            return Breach(
                invariant: .viewedIncarnationFalls, detail: "of n\(id.index) from \(old) to \(claim.incarnation)")
        }
        return Breach(
            invariant: .viewedStateGoesBack,
            detail: "of n\(id.index) at incarnation \(old) from state \(before & 0xFF) to \(claim.state)")
    }

    /// Wakes a copy before its time.
    private func wakeForNothing(_ core: Membership, at now: Instant) -> Breach? {
        guard core.nextWake > now else { return nil }
        var copy = core
        var effects = Effects()
        wakeEarly(&copy, now, &effects)
        guard !effects.isEmpty || copy.nextWake != core.nextWake else { return nil }
        return Breach(
            invariant: .speaksUnasked,
            detail: "\(effects.datagrams.count) datagrams, \(effects.streams.count) streams, \(effects.events.count)"
                + " events, \(core.nextWake.nanoseconds - now.nanoseconds) ns before its time")
    }
}

// MARK: - What it sends

extension InvariantMonitor {
    /// - Parameter length: of the whole datagram, as encoded.
    mutating func examine(_ datagram: Datagram, length: Int, from node: Int, life: Int, to receiver: Int?) -> Breach? {
        let budget = options.options.packetBudget
        if datagram.messages.isEmpty {
            return Breach(invariant: .datagramEmpty, detail: "to \(datagram.to)")
        }
        if length + options.options.packetOverhead > budget {
            return Breach(
                invariant: .datagramTooLong, detail: "\(length) bytes to \(datagram.to); the budget is \(budget)")
        }
        if let breach = examine(destination: datagram.to, from: node, to: receiver) { return breach }
        guard options.checks == .full else { return nil }
        for message in datagram.messages {
            if let breach = count(message, from: node, life: life, to: receiver) { return breach }
        }
        return nil
    }

    /// Where a datagram or a stream goes.
    func examine(destination: PeerAddress, from node: Int, to receiver: Int?) -> Breach? {
        if receiver == node { return Breach(invariant: .sentToItself, detail: "\(destination)") }
        if receiver == nil { return Breach(invariant: .sentToNobody, detail: "\(destination)") }
        return nil
    }

    private mutating func count(_ message: Message, from node: Int, life: Int, to receiver: Int?) -> Breach? {
        let subject: MemberID
        let accuser: MemberID?
        let incarnation: UInt32
        var isDeath = false
        switch message {
        case .alive(let said): (subject, accuser, incarnation) = (said.node, nil, said.incarnation)
        case .suspect(let said): (subject, accuser, incarnation) = (said.node, said.from, said.incarnation)
        case .dead(let said):
            (subject, accuser, incarnation) = (said.node, said.from, said.incarnation)
            isDeath = true
        case .ping, .indirectPing, .ack, .nack, .user, .viewChecksum: return nil
        }
        // A suspect is told with every ping, so that it may refute at once (Lifeguard §IV-C).
        guard Int(subject.index) < options.nodes, receiver != Int(subject.index) else { return nil }
        let key = Transmission(
            node: node, life: life, forgotten: oblivions[node * options.nodes + Int(subject.index)], subject: subject,
            accuser: accuser, incarnation: incarnation, isDeath: isDeath)
        let sent = transmissions[key, default: 0] + 1
        transmissions[key] = sent
        // Who accuses a member of what is past is answered with its announcement, beside gossip.
        let answers = accuser == nil && Int(subject.index) == node ? charges[node] : 0
        let bound = transmissionBound(node) + answers
        guard sent > bound else { return nil }
        return Breach(
            invariant: .sentTooOften,
            detail:
                "\(key.isDeath ? "death" : key.accuser == nil ? "announcement" : "suspicion") of n\(key.subject.index)"
                + " at incarnation \(key.incarnation) for the \(sent)th time; the bound is \(bound)")
    }

    /// Multiplier × ⌈log₁₀(n + 1)⌉, for the largest n that the core ever had. In integers: no rounding at powers of ten.
    private func transmissionBound(_ node: Int) -> Int {
        var digits = 0
        var power = 1
        while power < largestFleets[node] + 1 {
            power *= 10
            digits += 1
        }
        return options.options.retransmitMultiplier * max(1, digits)
    }
}

extension MembershipEvent {
    /// Whose view changed; nil where it is about nobody's.
    var subject: MemberID? {
        switch self {
        case .joined(let id), .updated(let id), .suspected(let id), .cleared(let id), .died(let id), .left(let id),
            .forgotten(let id), .conflict(let id, _), .datagramsLost(let id), .measured(let id, _, _):
            id
        case .refuted, .stalled, .seedJoined, .seedFailed, .leaveSpread, .user, .userState, .refusedExchange: nil
        }
    }
}
