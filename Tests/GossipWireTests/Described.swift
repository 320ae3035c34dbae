// What was decoded, in the form in which vectors have it.

import Gossip
import GossipWire
import Vocabulary

extension PeerAddress {
    var described: JSON {
        let octets =
            (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
        return .bytes(isIPv4 ? octets.suffix(4) : octets[...])
    }
}

extension MemberRecord {
    fileprivate func fields(_ others: [String: JSON]) -> JSON {
        .object(
            others.merging([
                "Addr": address.described, "Port": .number(address.port), "Meta": hasMeta ? .bytes(meta) : .null,
                "Vsn": versions == .absent ? .null : .bytes(versions.bytes),
            ]) { $1 })
    }
}

extension Message {
    /// The fields that a vector of this message has. Fields that are left out have their zero value.
    func described(in directory: Directory) -> JSON {
        func name(_ id: MemberID?) -> JSON { .text(id.map { directory.name(of: $0) } ?? "") }
        func source(_ source: PingSource?) -> [String: JSON] {
            [
                "SourceAddr": source?.address.described ?? .null, "SourcePort": .number(source?.address.port ?? 0),
                "SourceNode": name(source?.node),
            ]
        }
        switch self {
        case .ping(let ping):
            return .object(
                source(ping.source).merging(["SeqNo": .number(ping.sequence), "Node": name(ping.node)]) { $1 })
        case .indirectPing(let ping):
            return .object(
                source(ping.source).merging([
                    "SeqNo": .number(ping.sequence), "Node": name(ping.node), "Nack": .boolean(ping.wantsNack),
                    "Target": ping.target.described, "Port": .number(ping.target.port),
                ]) { $1 })
        case .ack(let ack):
            return .object(["SeqNo": .number(ack.sequence), "Payload": .bytesOrNull(ack.payload)])
        case .nack(let sequence):
            return .object(["SeqNo": .number(sequence)])
        case .suspect(let accusation), .dead(let accusation):
            return .object([
                "Incarnation": .number(accusation.incarnation), "Node": name(accusation.node),
                "From": name(accusation.from),
            ])
        case .alive(let alive):
            return alive.record.fields(["Incarnation": .number(alive.incarnation), "Node": name(alive.node)])
        case .user(let body):
            return .object(["Body": .bytes(body)])
        case .viewChecksum(let checksum):
            return .object(["Checksum": .text("\(checksum)")])
        }
    }

    /// What a capture calls it.
    var kind: String {
        switch self {
        case .ping: "ping"
        case .indirectPing: "indirect-ping"
        case .ack: "ack"
        case .nack: "nack"
        case .suspect: "suspect"
        case .dead: "dead"
        case .alive: "alive"
        case .user(let body): "user/serf\(body.first.map { "\($0)" } ?? "")"
        case .viewChecksum: "user/remora"
        }
    }
}

extension StreamMessage {
    func described(in directory: Directory) -> JSON {
        switch self {
        case .ping(let ping): return Message.ping(ping).described(in: directory)
        case .ack(let ack): return Message.ack(ack).described(in: directory)
        case .user(let body): return .object(["UserMsgLen": .number(body.count), "Body": .bytes(body)])
        case .error(let text): return .object(["Error": .text(text)])
        case .pushPull(let exchange):
            let members = exchange.members.map { claim in
                claim.record.fields([
                    "Name": .text(directory.name(of: claim.node)), "Incarnation": .number(claim.incarnation),
                    "State": .number(claim.state.rawValue),
                ])
            }
            return .object([
                "Join": .boolean(exchange.isJoin), "Nodes": .array(members),
                "UserStateLen": .number(exchange.userState.count), "UserState": .bytesOrNull(exchange.userState),
            ])
        }
    }
}

extension SerfTags {
    var described: JSON { .object(Dictionary(uniqueKeysWithValues: tags.map { ($0.name, .text($0.value)) })) }
}

extension SerfCoordinate {
    var described: JSON {
        .object([
            "Vec": .array(vector.indices.map { .number(vector[$0]) }), "Error": .number(error),
            "Adjustment": .number(adjustment), "Height": .number(height),
        ])
    }
}

extension SerfMessage {
    var described: JSON {
        switch self {
        case .leave(let leave):
            return .object([
                "LTime": .number(leave.time.value), "Node": .text(leave.node), "Prune": .boolean(leave.isPrune),
            ])
        case .join(let join):
            return .object(["LTime": .number(join.time.value), "Node": .text(join.node)])
        case .state(let state):
            return state.described
        case .event(let event):
            return .object([
                "LTime": .number(event.time.value), "Name": .text(event.name), "Payload": .bytesOrNull(event.payload),
                "CC": .boolean(event.coalesces),
            ])
        case .query(let query):
            return .object([
                "LTime": .number(query.time.value), "ID": .number(query.id), "Addr": query.source.described,
                "Port": .number(query.source.port), "SourceNode": .text(query.sourceNode),
                "Filters": .array(query.filters.map { .bytes($0) }), "Flags": .number(query.flags.rawValue),
                "RelayFactor": .number(query.relayFactor), "Timeout": .number(query.timeout / .nanoseconds(1)),
                "Name": .text(query.name), "Payload": .bytesOrNull(query.payload),
            ])
        case .response(let response):
            return .object([
                "LTime": .number(response.time.value), "ID": .number(response.id), "From": .text(response.from),
                "Flags": .number(response.isAck ? 1 : 0), "Payload": .bytesOrNull(response.payload),
            ])
        case .conflict(let member):
            return member?.described ?? .null
        case .keyRequest(let key):
            return .object(["Key": .bytes(key)])
        case .keyResponse(let response):
            return .object([
                "Result": .boolean(response.succeeded), "Message": .text(response.message),
                "Keys": .array(response.keys.map { .text($0) }), "PrimaryKey": .text(response.primaryKey),
            ])
        case .relay(let relay):
            return .object([
                "DestAddr": .object([
                    "IP": relay.destination.described, "Port": .number(relay.destination.port), "Zone": .text(""),
                ]),
                "DestName": .text(relay.destinationName),
                "inner_serf_type": .number(relay.message.first ?? 255),
            ])
        }
    }
}

extension SerfMember {
    fileprivate var described: JSON {
        .object([
            "Name": .text(name), "Addr": address.described, "Port": .number(address.port), "Tags": tags.described,
            "Status": .number(status.rawValue), "ProtocolMin": .number(versions.protocolMinimum),
            "ProtocolMax": .number(versions.protocolMaximum), "ProtocolCur": .number(versions.protocolSpoken),
            "DelegateMin": .number(versions.delegateMinimum), "DelegateMax": .number(versions.delegateMaximum),
            "DelegateCur": .number(versions.delegateSpoken),
        ])
    }
}

extension SerfState {
    /// Without the empty places of the ring of events.
    fileprivate var described: JSON {
        let groups = events.map { group in
            JSON.object([
                "LTime": .number(group.time.value),
                "Events": .array(
                    group.events.map { .object(["Name": .text($0.name), "Payload": .bytesOrNull($0.payload)]) }),
            ])
        }
        return .object([
            "LTime": .number(time.value), "EventLTime": .number(eventTime.value),
            "QueryLTime": .number(queryTime.value), "LeftMembers": .array(left.map { .text($0) }),
            "StatusLTimes": .object(
                Dictionary(uniqueKeysWithValues: statuses.map { ($0.node, .number($0.time.value)) })),
            "Events": .array(groups),
        ])
    }
}
