// What Serf's messages are made of (serf-layer §3), in the order of declaration in the reference.

enum SerfLeaveKey: UInt8, MessageKey {
    case time, node, prune
    static let names: [StaticString] = ["LTime", "Node", "Prune"]
}

enum SerfJoinKey: UInt8, MessageKey {
    case time, node
    static let names: [StaticString] = ["LTime", "Node"]
}

enum SerfStateKey: UInt8, MessageKey {
    case time, statuses, left, eventTime, events, queryTime
    static let names: [StaticString] = [
        "LTime", "StatusLTimes", "LeftMembers", "EventLTime", "Events", "QueryLTime",
    ]
}

/// Of the events of one time in a push-pull's state.
enum SerfEventsKey: UInt8, MessageKey {
    case time, events
    static let names: [StaticString] = ["LTime", "Events"]
}

/// Of one of them.
enum SerfPastEventKey: UInt8, MessageKey {
    case name, payload
    static let names: [StaticString] = ["Name", "Payload"]
}

enum SerfEventKey: UInt8, MessageKey {
    case time, name, payload, coalesces
    static let names: [StaticString] = ["LTime", "Name", "Payload", "CC"]
}

enum SerfQueryKey: UInt8, MessageKey {
    case time, id, address, port, sourceNode, filters, flags, relayFactor, timeout, name, payload
    static let names: [StaticString] = [
        "LTime", "ID", "Addr", "Port", "SourceNode", "Filters", "Flags", "RelayFactor", "Timeout", "Name", "Payload",
    ]
}

enum SerfResponseKey: UInt8, MessageKey {
    case time, id, from, flags, payload
    static let names: [StaticString] = ["LTime", "ID", "From", "Flags", "Payload"]
}

enum SerfMemberKey: UInt8, MessageKey {
    case name, address, port, tags, status
    case protocolMinimum, protocolMaximum, protocolSpoken, delegateMinimum, delegateMaximum, delegateSpoken
    static let names: [StaticString] = [
        "Name", "Addr", "Port", "Tags", "Status", "ProtocolMin", "ProtocolMax", "ProtocolCur", "DelegateMin",
        "DelegateMax", "DelegateCur",
    ]
}

enum SerfKeyRequestKey: UInt8, MessageKey {
    case key
    static let names: [StaticString] = ["Key"]
}

enum SerfKeyResponseKey: UInt8, MessageKey {
    case result, message, keys, primaryKey
    static let names: [StaticString] = ["Result", "Message", "Keys", "PrimaryKey"]
}

enum SerfRelayKey: UInt8, MessageKey {
    case address, name
    static let names: [StaticString] = ["DestAddr", "DestName"]
}

/// Of a relay's destination.
enum SerfAddressKey: UInt8, MessageKey {
    case ip, port, zone
    static let names: [StaticString] = ["IP", "Port", "Zone"]
}

enum SerfTagFilterKey: UInt8, MessageKey {
    case tag, expression
    static let names: [StaticString] = ["Tag", "Expr"]
}
