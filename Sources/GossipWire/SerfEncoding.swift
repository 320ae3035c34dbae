// Serf's messages to bytes (serf-layer §3), as an agent writes them; its maps of names, which it writes in random order,
// in the order that they have here.

import Gossip

extension SerfMessage {
    /// Appends the message, from its type byte on.
    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .leave(let leave):
            bytes.append(Kind.leave.rawValue)
            bytes.append(map: 3)
            bytes.append(key: "LTime", leave.time)
            bytes.append(key: "Node", leave.node)
            bytes.append(key: "Prune")
            bytes.append(boolean: leave.isPrune)
        case .join(let join):
            bytes.append(Kind.join.rawValue)
            bytes.append(map: 2)
            bytes.append(key: "LTime", join.time)
            bytes.append(key: "Node", join.node)
        case .state(let state):
            bytes.append(Kind.state.rawValue)
            state.append(to: &bytes)
        case .event(let event):
            bytes.append(Kind.event.rawValue)
            bytes.append(map: 4)
            bytes.append(key: "CC")
            bytes.append(boolean: event.coalesces)
            bytes.append(key: "LTime", event.time)
            bytes.append(key: "Name", event.name)
            bytes.append(key: "Payload", event.payload)
        case .query(let query):
            bytes.append(Kind.query.rawValue)
            query.append(to: &bytes)
        case .response(let response):
            bytes.append(Kind.response.rawValue)
            bytes.append(map: 5)
            bytes.append(key: "Flags")
            bytes.append(response.isAck ? 1 : 0)
            bytes.append(key: "From", response.from)
            bytes.append(key: "ID")
            bytes.append(unsigned: response.id)
            bytes.append(key: "LTime", response.time)
            bytes.append(key: "Payload", response.payload)
        case .conflict(let member):
            bytes.append(Kind.conflict.rawValue)
            if let member { member.append(to: &bytes) } else { bytes.appendNil() }
        case .keyRequest(let key):
            bytes.append(Kind.keyRequest.rawValue)
            bytes.append(map: 1)
            bytes.append(key: "Key", key)
        case .keyResponse(let response):
            bytes.append(Kind.keyResponse.rawValue)
            response.append(to: &bytes)
        case .relay(let relay):
            bytes.append(Kind.relay.rawValue)
            relay.append(to: &bytes)
        }
    }
}

extension SerfState {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(map: 6)
        bytes.append(key: "EventLTime", eventTime)
        bytes.append(key: "Events")
        if events.isEmpty { bytes.appendNil() } else { bytes.append(array: events.count) }
        for group in events {
            bytes.append(map: 2)
            bytes.append(key: "Events")
            bytes.append(array: group.events.count)
            for event in group.events {
                bytes.append(map: 2)
                bytes.append(key: "Name", event.name)
                bytes.append(key: "Payload", event.payload)
            }
            bytes.append(key: "LTime", group.time)
        }
        bytes.append(key: "LTime", time)
        bytes.append(key: "LeftMembers")
        bytes.append(array: left.count)
        for name in left { bytes.append(text: name) }
        bytes.append(key: "QueryLTime", queryTime)
        bytes.append(key: "StatusLTimes")
        bytes.append(map: statuses.count)
        for status in statuses {
            bytes.append(text: status.node)
            bytes.append(unsigned: status.time.value)
        }
    }
}

extension SerfQuery {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(map: 11)
        bytes.append(key: "Addr")
        bytes.append(rawOf: source)
        bytes.append(key: "Filters")
        if filters.isEmpty { bytes.appendNil() } else { bytes.append(array: filters.count) }
        for filter in filters { bytes.append(raw: filter) }
        bytes.append(key: "Flags")
        bytes.append(unsigned: flags.rawValue)
        bytes.append(key: "ID")
        bytes.append(unsigned: id)
        bytes.append(key: "LTime", time)
        bytes.append(key: "Name", name)
        bytes.append(key: "Payload", payload)
        bytes.append(key: "Port")
        bytes.append(unsigned: source.port)
        bytes.append(key: "RelayFactor")
        bytes.append(unsigned: relayFactor)
        bytes.append(key: "SourceNode", sourceNode)
        bytes.append(key: "Timeout")
        bytes.append(signed: timeout.wholeNanoseconds)
    }
}

extension SerfMember {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(map: 11)
        bytes.append(key: "Addr")
        bytes.append(rawOf: address)
        bytes.append(key: "DelegateCur")
        bytes.append(unsigned: versions.delegateSpoken)
        bytes.append(key: "DelegateMax")
        bytes.append(unsigned: versions.delegateMaximum)
        bytes.append(key: "DelegateMin")
        bytes.append(unsigned: versions.delegateMinimum)
        bytes.append(key: "Name", name)
        bytes.append(key: "Port")
        bytes.append(unsigned: address.port)
        bytes.append(key: "ProtocolCur")
        bytes.append(unsigned: versions.protocolSpoken)
        bytes.append(key: "ProtocolMax")
        bytes.append(unsigned: versions.protocolMaximum)
        bytes.append(key: "ProtocolMin")
        bytes.append(unsigned: versions.protocolMinimum)
        bytes.append(key: "Status")
        bytes.append(unsigned: status.rawValue)
        bytes.append(key: "Tags")
        tags.append(to: &bytes)
    }
}

extension SerfKeyResponse {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(map: 4)
        bytes.append(key: "Keys")
        if keys.isEmpty { bytes.appendNil() } else { bytes.append(array: keys.count) }
        for key in keys { bytes.append(text: key) }
        bytes.append(key: "Message", message)
        bytes.append(key: "PrimaryKey", primaryKey)
        bytes.append(key: "Result")
        bytes.append(boolean: succeeded)
    }
}

extension SerfRelay {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(map: 2)
        bytes.append(key: "DestAddr")
        bytes.append(map: 3)
        bytes.append(key: "IP")
        bytes.append(rawOf: destination)
        bytes.append(key: "Port")
        bytes.append(unsigned: destination.port)
        bytes.append(key: "Zone", "")
        bytes.append(key: "DestName", destinationName)
        bytes.append(contentsOf: message)
    }
}

extension SerfFilter {
    /// Appends the filter's byte string, from its type byte on.
    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .nodes(let names):
            bytes.append(0)
            bytes.append(array: names.count)
            for name in names { bytes.append(text: name) }
        case .tag(let tag, let expression):
            bytes.append(1)
            bytes.append(map: 2)
            bytes.append(key: "Expr", expression)
            bytes.append(key: "Tag", tag)
        }
    }
}

// MARK: - Kinds of fields

extension [UInt8] {
    fileprivate mutating func append(key: StaticString, _ time: LamportTime) {
        append(key: key)
        append(unsigned: time.value)
    }

    fileprivate mutating func append(key: StaticString, _ text: String) {
        append(key: key)
        append(text: text)
    }

    /// A payload, which is nil where it is empty.
    fileprivate mutating func append(key: StaticString, _ payload: [UInt8]) {
        append(key: key)
        append(rawOrNil: payload)
    }
}

extension Duration {
    /// As the reference counts, of what fits; a timeout beyond three centuries is as good as three centuries.
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, exceeds) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflows || exceeds ? (seconds < 0 ? .min : .max) : sum
    }
}
