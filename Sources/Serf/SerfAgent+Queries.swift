// Questions to the fleet (serf-layer §7): taken once, told on whether they are for us or not, and answered directly.

import Gossip
package import GossipWire
package import Vocabulary

extension SerfAgent {
    /// - Returns: whether it is news and wants to be told on.
    mutating func takeQuery(
        _ query: SerfQuery, from sender: PeerAddress, at now: Instant, into effects: inout AgentEffects
    ) -> Bool {
        guard queryClock.believes(query.time) else { return ignore(.endOfTime, from: sender, into: &effects) }
        queryClock.witness(query.time)
        switch queries.take(query.id, at: query.time, clock: queryClock.time) {
        case .new: break
        case .seen: return false
        case .tooOld: return ignore(.tooOld, from: sender, into: &effects)
        case .tooMany: return ignore(.tooMany, from: sender, into: &effects)
        }
        if isForUs(query, from: sender, into: &effects) { handle(query, at: now, into: &effects) }
        return !query.flags.contains(.staysHere)
    }

    private mutating func handle(_ query: SerfQuery, at now: Instant, into effects: inout AgentEffects) {
        let ticket = QueryTicket(
            time: query.time, id: query.id, source: query.source, sourceNode: query.sourceNode,
            relayFactor: query.relayFactor, deadline: now + query.timeout)
        if query.flags.contains(.wantsAck) { respond(to: ticket, isAck: true, payload: [], into: &effects) }
        guard query.name.hasPrefix(SerfAgent.internalPrefix) else {
            return effects.events.append(.query(name: query.name, payload: query.payload, ticket))
        }
        switch query.name.dropFirst(SerfAgent.internalPrefix.count) {
        case "conflict": answerConflict(about: query.payload, ticket, into: &effects)
        case "list-keys": effects.events.append(.keyring(.list, ticket))
        case "install-key": askKeyring(KeyringCommand.install, query.payload, ticket, into: &effects)
        case "use-key": askKeyring(KeyringCommand.use, query.payload, ticket, into: &effects)
        case "remove-key": askKeyring(KeyringCommand.remove, query.payload, ticket, into: &effects)
        // `ping` asks for the ack alone; what Serf invents later is not known here, and not our user's business.
        default: break
        }
    }

    /// Names that are Serf's own.
    private static let internalPrefix = "_serf_"

    // MARK: Whom it is for

    /// Whether all of its filters match us. One that is not understood matches nobody.
    private func isForUs(_ query: SerfQuery, from sender: PeerAddress, into effects: inout AgentEffects) -> Bool {
        guard query.filters.count <= AgentOptions.mostFilters else {
            return ignore(.filterNotUnderstood, from: sender, into: &effects)
        }
        for bytes in query.filters {
            guard let filter = try? SerfFilter(reading: bytes) else {
                return ignore(.filterNotUnderstood, from: sender, into: &effects)
            }
            switch filter {
            case .nodes(let names):
                guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else { return false }
            case .tag(let tag, let expression):
                guard let expression = try? TagExpression(expression) else {
                    return ignore(.filterNotUnderstood, from: sender, into: &effects)
                }
                // A tag that we do not bear is empty, as it is to agents.
                guard expression.matches(in: tags[tag] ?? "") else { return false }
            }
        }
        return true
    }

    /// What we bear.
    private var tags: SerfTags { list[id].flatMap { SerfTags(meta: $0.record.meta) } ?? SerfTags() }

    // MARK: Serf's own

    /// Who else claims a name asks everybody whom they know by it. The one whose name it is has no vote.
    private mutating func answerConflict(
        about payload: [UInt8], _ ticket: QueryTicket, into effects: inout AgentEffects
    ) {
        guard let sought = String(validating: payload, as: UTF8.self), !payload.elementsEqual(name.utf8) else { return }
        var known: SerfMember?
        if let member = list.find(sought), let row = list[member] {
            known = SerfMember(
                name: sought, address: row.record.address, tags: SerfTags(meta: row.record.meta) ?? SerfTags(),
                status: row.standing.status.onTheWire, versions: row.record.versions)
        }
        var answer: [UInt8] = []
        SerfMessage.conflict(known).append(to: &answer)
        respond(to: ticket, isAck: false, payload: answer, into: &effects)
    }

    private mutating func askKeyring(
        _ command: ([UInt8]) -> KeyringCommand, _ payload: [UInt8], _ ticket: QueryTicket,
        into effects: inout AgentEffects
    ) {
        if case .keyRequest(let key)? = try? SerfMessage(reading: payload.span) {
            effects.events.append(.keyring(command(key), ticket))
        } else {
            let refusal = SerfKeyResponse(succeeded: false, message: "the request bears no key")
            respond(to: ticket, isAck: false, payload: SerfAgent.bytes(of: refusal), into: &effects)
        }
    }

    private static func bytes(of response: SerfKeyResponse) -> [UInt8] {
        var bytes: [UInt8] = []
        SerfMessage.keyResponse(response).append(to: &bytes)
        return bytes
    }

    // MARK: Answers

    /// Answers a query, once.
    /// - Throws: `tooLate`; `answerTooLong`.
    package mutating func answer(
        _ ticket: QueryTicket, with payload: [UInt8], at now: Instant, into effects: inout AgentEffects
    ) throws(AgentRefusal) {
        guard now < ticket.deadline else { throw .tooLate }
        let length = response(to: ticket, isAck: false, payload: payload).count
        guard length <= options.longestAnswer else { throw .answerTooLong(length) }
        respond(to: ticket, isAck: false, payload: payload, into: &effects)
    }

    /// Answers a question about our keys, once, after the keyring was changed.
    /// - Throws: `tooLate`; `answerTooLong`.
    package mutating func answer(
        _ ticket: QueryTicket, keys: SerfKeyResponse, at now: Instant, into effects: inout AgentEffects
    ) throws(AgentRefusal) {
        try answer(ticket, with: SerfAgent.bytes(of: keys), at: now, into: &effects)
    }

    private func response(to ticket: QueryTicket, isAck: Bool, payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        SerfMessage.response(
            SerfResponse(time: ticket.time, id: ticket.id, from: name, isAck: isAck, payload: payload)
        ).append(to: &bytes)
        return bytes
    }

    /// Straight to whoever asked, and through as many others as were asked for.
    private mutating func respond(
        to ticket: QueryTicket, isAck: Bool, payload: [UInt8], into effects: inout AgentEffects
    ) {
        let bytes = response(to: ticket, isAck: isAck, payload: payload)
        send(bytes, to: ticket.source, into: &effects)
        let wanted = Int(ticket.relayFactor)
        guard wanted > 0, list.count >= wanted + 1 else { return }
        var relayed: [UInt8] = []
        SerfMessage.relay(
            SerfRelay(destination: ticket.source, destinationName: ticket.sourceNode, message: bytes)
        ).append(to: &relayed)
        for relay in chooseRelays(min(wanted, AgentOptions.mostRelays)) {
            send(relayed, to: relay, into: &effects)
        }
    }

    /// Different members that are alive and know what a relay is, each with equal chance; all of them if they are few.
    /// - Complexity: O(members).
    private mutating func chooseRelays(_ count: Int) -> [PeerAddress] {
        var candidates = list.order.compactMap { member -> PeerAddress? in
            guard member != id, let row = list[member], row.standing.status == .alive,
                row.record.versions.protocolMaximum >= 5
            else { return nil }
            return row.record.address
        }
        var chosen: [PeerAddress] = []
        while chosen.count < count, !candidates.isEmpty {
            chosen.append(candidates.remove(at: Int(random.below(UInt32(candidates.count)))))
        }
        return chosen
    }

    // MARK: Relaying

    /// Passes an answer on to who asked, byte for byte.
    ///
    /// Agents pass on anything to anywhere. Nothing but answers to members is ever asked of them, though, and whoever
    /// asked for more would use us to hide behind.
    func pass(on relay: SerfRelay, from sender: PeerAddress, into effects: inout AgentEffects) {
        do throws(WireFault) {
            guard case .response = try SerfMessage(reading: relay.message.span), isMember(relay.destination, as: relay)
            else { return effects.events.append(.ignored(from: sender, .relayRefused)) }
            send(relay.message, to: relay.destination, into: &effects)
        } catch {
            effects.events.append(.refused(from: sender, error))
        }
    }

    /// Whether a member that is there has this address; old agents do not say which.
    private func isMember(_ address: PeerAddress, as relay: SerfRelay) -> Bool {
        func isThere(_ member: MemberID) -> Bool {
            guard let row = list[member] else { return false }
            return row.departed == nil && row.record.address == address
        }
        if !relay.destinationName.isEmpty { return list.find(relay.destinationName).map(isThere) ?? false }
        return list.order.contains(where: isThere)
    }
}

extension Standing.Status {
    fileprivate var onTheWire: SerfMember.Status {
        switch self {
        case .alive: .alive
        case .leaving: .leaving
        case .left: .left
        case .failed: .failed
        }
    }
}
