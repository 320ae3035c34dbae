// Operators' events, for everybody, once (serf-layer §6).

import Gossip
import GossipWire
package import Vocabulary

extension SerfAgent {
    /// - Parameter sender: nil where it came with a push-pull, whose old events are no news to anybody.
    /// - Returns: whether it is news, to be told on.
    mutating func takeEvent(
        _ event: SerfEvent, from sender: PeerAddress?, into effects: inout AgentEffects
    ) -> Bool {
        guard eventClock.believes(event.time) else { return ignore(.endOfTime, from: sender, into: &effects) }
        let content = HeardEvent(SerfState.Event(name: event.name, payload: event.payload))
        guard content.weight <= AgentOptions.longestEventTaken else {
            return ignore(.tooLong, from: sender, into: &effects)
        }
        eventClock.witness(event.time)
        switch events.take(content, at: event.time, clock: eventClock.time) {
        case .new:
            effects.events.append(.event(event))
            return true
        case .seen: return false
        case .tooOld: return sender == nil ? false : ignore(.tooOld, from: sender, into: &effects)
        case .tooMany: return ignore(.tooMany, from: sender, into: &effects)
        }
    }

    /// Tells the fleet an event of ours; our own user hears it too.
    /// - Parameter coalesces: whether receivers may merge it with others of its name.
    /// - Throws: `eventTooLong`; `leaving`.
    package mutating func emit(
        event name: String, payload: [UInt8] = [], coalesces: Bool = true, at now: Instant,
        into effects: inout AgentEffects
    ) throws(AgentRefusal) {
        guard leaving == nil else { throw .leaving }
        let weight = name.utf8.count + payload.count
        guard weight <= options.longestEvent else { throw .eventTooLong(weight) }
        let event = SerfEvent(time: eventClock.stamp(), name: name, payload: payload, coalesces: coalesces)
        _ = takeEvent(event, from: nil, into: &effects)
        tell(.event(event), in: .events, at: now)
    }

    func ignore(_ reason: IgnoredReason, from sender: PeerAddress?, into effects: inout AgentEffects) -> Bool {
        effects.events.append(.ignored(from: sender, reason))
        return false
    }
}

/// What tells two events of one time apart: the bytes of their names and payloads.
struct HeardEvent: Equatable, Sendable {
    let event: SerfState.Event

    init(_ event: SerfState.Event) { self.event = event }

    static func == (a: HeardEvent, b: HeardEvent) -> Bool {
        a.event.payload == b.event.payload && a.event.name.utf8.elementsEqual(b.event.name.utf8)
    }

    /// In bytes.
    var weight: Int { event.name.utf8.count + event.payload.count }
}
