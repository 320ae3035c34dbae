// Pinging for somebody who got no answer (SWIM §4.1), and telling it when there was none (Lifeguard §IV-A).

import Vocabulary

/// Pings that we sent for others.
struct Relays: Sendable {
    struct Relay: Sendable {
        /// The number of our ping.
        let own: UInt32
        /// The number under which the requester waits.
        let sequence: UInt32
        let requester: PeerAddress
        /// When to say that there was no answer; nil if that is not wanted, or is said.
        var nackAt: Instant?
        /// After this an answer is of no use to the requester.
        let end: Instant
    }

    /// In the order of arrival, which is that of their ends too.
    private var waiting: [Relay] = []

    /// More at once are not helped: in a fleet that needs it something else is wrong, and each costs a datagram of ours.
    static let limit = 512

    var isFull: Bool { waiting.count >= Relays.limit }

    var nextWake: Instant {
        var next = Instant.distantFuture
        for relay in waiting { next = min(next, relay.nackAt ?? relay.end) }
        return next
    }

    mutating func add(_ relay: Relay) { waiting.append(relay) }

    /// Ends the relay whose ping bore this number.
    mutating func take(_ own: UInt32) -> Relay? {
        guard let index = waiting.firstIndex(where: { $0.own == own }) else { return nil }
        return waiting.remove(at: index)
    }

    /// Ends what is too old to help; returns those who want to hear that there was no answer.
    mutating func takeNacks(at now: Instant) -> [Relay] {
        var due: [Relay] = []
        for index in waiting.indices {
            guard let nackAt = waiting[index].nackAt, nackAt <= now else { continue }
            due.append(waiting[index])
            waiting[index].nackAt = nil
        }
        waiting.removeAll { $0.end <= now }
        return due
    }

    mutating func removeAll() { waiting.removeAll(keepingCapacity: true) }
}

extension Membership {
    /// Pings a target for somebody else.
    mutating func relay(
        _ request: IndirectPing, from sender: PeerAddress, at now: Instant, into effects: inout Effects
    ) {
        guard !relays.isFull, directory.isName(request.node) else { return }
        let sequence = prober.makeSequence()
        relays.add(
            Relays.Relay(
                own: sequence, sequence: request.sequence, requester: request.source?.address ?? sender,
                nackAt: request.wantsNack ? now.advanced(by: pace.nackAfter) : nil,
                end: now.advanced(by: pace.probeTimeout)))
        var target = request.target
        // A requester that knows no port means the one that everybody is bound to (memberlist-wire §5).
        if target.port == 0, let own = table.row(of: id).record { target.port = own.address.port }
        send(.ping(Ping(sequence: sequence, node: request.node)), to: target, recipient: nil, into: &effects)
    }

    mutating func runRelays(at now: Instant, into effects: inout Effects) {
        guard relays.nextWake <= now else { return }
        for relay in relays.takeNacks(at: now) {
            send(.nack(sequence: relay.sequence), to: relay.requester, recipient: nil, into: &effects)
        }
    }
}
