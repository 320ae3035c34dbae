// What the bodies of memberlist's messages are made of (memberlist-wire §5), and the types that tell them apart (§3).
// Cases are in the order of declaration in the reference, for messages that come as arrays.

/// The first byte of a message.
package enum MessageType: UInt8, Sendable {
    case ping = 0
    case indirectPing = 1
    case ack = 2
    case suspect = 3
    case alive = 4
    case dead = 5
    case pushPull = 6
    case compound = 7
    case user = 8
    case compress = 9
    case encrypt = 10
    case nack = 11
    case checksum = 12
    case error = 13
    case label = 244
}

enum PingKey: UInt8, MessageKey {
    case sequence, node, sourceAddress, sourcePort, sourceNode
    static let names: [StaticString] = ["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"]
}

enum IndirectPingKey: UInt8, MessageKey {
    case sequence, target, port, node, nack, sourceAddress, sourcePort, sourceNode
    static let names: [StaticString] = [
        "SeqNo", "Target", "Port", "Node", "Nack", "SourceAddr", "SourcePort", "SourceNode",
    ]
}

enum AckKey: UInt8, MessageKey {
    case sequence, payload
    static let names: [StaticString] = ["SeqNo", "Payload"]
}

enum NackKey: UInt8, MessageKey {
    case sequence
    static let names: [StaticString] = ["SeqNo"]
}

/// Of suspect and dead.
enum AccusationKey: UInt8, MessageKey {
    case incarnation, node, from
    static let names: [StaticString] = ["Incarnation", "Node", "From"]
}

enum AliveKey: UInt8, MessageKey {
    case incarnation, node, address, port, meta, versions
    static let names: [StaticString] = ["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"]
}

enum CompressKey: UInt8, MessageKey {
    case algorithm, buffer
    static let names: [StaticString] = ["Algo", "Buf"]
}

enum PushPullKey: UInt8, MessageKey {
    case nodes, userStateLength, join
    static let names: [StaticString] = ["Nodes", "UserStateLen", "Join"]
}

/// Of each member in a push-pull.
enum ClaimKey: UInt8, MessageKey {
    case name, address, port, meta, incarnation, state, versions
    static let names: [StaticString] = ["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"]
}

enum UserStreamKey: UInt8, MessageKey {
    case length
    static let names: [StaticString] = ["UserMsgLen"]
}

enum ErrorKey: UInt8, MessageKey {
    case text
    static let names: [StaticString] = ["Error"]
}
