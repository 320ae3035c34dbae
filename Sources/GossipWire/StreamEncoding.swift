// Messages of streams to bytes (memberlist-wire §11): neither compressed nor sealed nor labelled.

package import Gossip

extension MessageEncoder {
    /// Appends a stream's message, from its type byte on.
    package static func append(_ message: StreamMessage, to bytes: inout [UInt8], directory: Directory) {
        switch message {
        case .pushPull(let exchange):
            append(exchange, to: &bytes, directory: directory)
        case .ping(let ping):
            append(ping, to: &bytes, directory: directory)
        case .ack(let ack):
            append(ack, to: &bytes)
        case .user(let body):
            bytes.append(MessageType.user.rawValue)
            bytes.append(map: 1)
            bytes.append(key: "UserMsgLen")
            bytes.append(unsigned: UInt(body.count))
            bytes.append(contentsOf: body)
        case .error(let text):
            bytes.append(MessageType.error.rawValue)
            bytes.append(map: 1)
            bytes.append(key: "Error")
            bytes.append(text: text)
        }
    }

    private static func append(_ exchange: PushPull, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(MessageType.pushPull.rawValue)
        bytes.append(map: 3)
        bytes.append(key: "Join")
        bytes.append(boolean: exchange.isJoin)
        bytes.append(key: "Nodes")
        bytes.append(unsigned: UInt(exchange.members.count))
        bytes.append(key: "UserStateLen")
        bytes.append(unsigned: UInt(exchange.userState.count))
        for claim in exchange.members { append(claim, to: &bytes, directory: directory) }
        bytes.append(contentsOf: exchange.userState)
    }

    private static func append(_ claim: MemberClaim, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(map: 7)
        bytes.append(key: "Addr")
        bytes.append(rawOf: claim.record.address)
        bytes.append(key: "Incarnation")
        bytes.append(unsigned: claim.incarnation)
        bytes.append(key: "Meta")
        bytes.append(metaOf: claim.record)
        bytes.append(key: "Name")
        bytes.append(text: directory.name(of: claim.node))
        bytes.append(key: "Port")
        bytes.append(unsigned: claim.record.address.port)
        bytes.append(key: "State")
        bytes.append(unsigned: claim.state.rawValue)
        bytes.append(key: "Vsn")
        bytes.append(versions: claim.record.versions)
    }
}
