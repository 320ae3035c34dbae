// Serf's messages from bytes (serf-layer §3). As liberal as the rest; names of members have to be UTF-8, other texts are
// repaired, since they are only shown or compared.

import Gossip

extension SerfMessage {
    /// Reads a message from its type byte on; bytes behind it are not looked at.
    package init(reading bytes: Span<UInt8>) throws(WireFault) {
        guard !bytes.isEmpty else { throw .empty }
        guard let kind = Kind(rawValue: bytes[0]) else { throw .unexpectedType(bytes[0]) }
        var reader = MessagePackReader(at: 1)
        switch kind {
        case .leave: self = .leave(try reader.serfLeave(in: bytes))
        case .join: self = .join(try reader.serfJoin(in: bytes))
        case .state: self = .state(try reader.serfState(in: bytes))
        case .event: self = .event(try reader.serfEvent(in: bytes))
        case .query: self = .query(try reader.serfQuery(in: bytes))
        case .response: self = .response(try reader.serfResponse(in: bytes))
        case .conflict: self = .conflict(try reader.serfMember(in: bytes))
        case .keyRequest: self = .keyRequest(try reader.serfKey(in: bytes))
        case .keyResponse: self = .keyResponse(try reader.serfKeyResponse(in: bytes))
        case .relay: self = .relay(try reader.serfRelay(in: bytes))
        }
    }
}

// MARK: - One function a message

extension MessagePackReader {
    fileprivate mutating func serfLeave(in bytes: Span<UInt8>) throws(WireFault) -> SerfLeave {
        var leave = SerfLeave(time: LamportTime(0), node: "")
        var fields = try fields(of: SerfLeaveKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: leave.time = try time(in: bytes)
            case .node: leave.node = try memberName(in: bytes)
            case .prune: leave.isPrune = try boolean(in: bytes)
            }
        }
        return leave
    }

    fileprivate mutating func serfJoin(in bytes: Span<UInt8>) throws(WireFault) -> SerfJoin {
        var join = SerfJoin(time: LamportTime(0), node: "")
        var fields = try fields(of: SerfJoinKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: join.time = try time(in: bytes)
            case .node: join.node = try memberName(in: bytes)
            }
        }
        return join
    }

    fileprivate mutating func serfState(in bytes: Span<UInt8>) throws(WireFault) -> SerfState {
        let zero = LamportTime(0)
        var state = SerfState(time: zero, statuses: [], left: [], eventTime: zero, queryTime: zero)
        var fields = try fields(of: SerfStateKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: state.time = try time(in: bytes)
            case .statuses: state.statuses = try serfStatuses(in: bytes)
            case .left:
                state.left = []
                for _ in 0..<(try length(in: bytes)) { state.left.append(try memberName(in: bytes)) }
            case .eventTime: state.eventTime = try time(in: bytes)
            case .events:
                state.events = []
                for _ in 0..<(try length(in: bytes)) {
                    if let events = try serfEvents(in: bytes) { state.events.append(events) }
                }
            case .queryTime: state.queryTime = try time(in: bytes)
            }
        }
        return state
    }

    private mutating func serfStatuses(in bytes: Span<UInt8>) throws(WireFault) -> [SerfState.Status] {
        var statuses: [SerfState.Status] = []
        switch try head(in: bytes) {
        case .absent: break
        case .map(let count):
            for _ in 0..<count {
                let node = try memberName(in: bytes)
                statuses.append(SerfState.Status(node: node, time: try time(in: bytes)))
            }
        case .boolean, .unsigned, .negative, .double, .raw, .extended, .array: throw .wrongKind
        }
        return statuses
    }

    /// The events of one time; nil for an empty place in the ring.
    private mutating func serfEvents(in bytes: Span<UInt8>) throws(WireFault) -> SerfState.Events? {
        if isAbsent(in: bytes) { return try skipped(in: bytes) }
        var events = SerfState.Events(time: LamportTime(0), events: [])
        var fields = try fields(of: SerfEventsKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: events.time = try time(in: bytes)
            case .events:
                events.events = []
                for _ in 0..<(try length(in: bytes)) { events.events.append(try serfPastEvent(in: bytes)) }
            }
        }
        return events
    }

    private mutating func serfPastEvent(in bytes: Span<UInt8>) throws(WireFault) -> SerfState.Event {
        var event = SerfState.Event(name: "", payload: [])
        var fields = try fields(of: SerfPastEventKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .name: event.name = try shownText(in: bytes)
            case .payload: event.payload = try byteString(in: bytes)
            }
        }
        return event
    }

    fileprivate mutating func serfEvent(in bytes: Span<UInt8>) throws(WireFault) -> SerfEvent {
        var event = SerfEvent(time: LamportTime(0), name: "", payload: [], coalesces: false)
        var fields = try fields(of: SerfEventKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: event.time = try time(in: bytes)
            case .name: event.name = try shownText(in: bytes)
            case .payload: event.payload = try byteString(in: bytes)
            case .coalesces: event.coalesces = try boolean(in: bytes)
            }
        }
        return event
    }

    fileprivate mutating func serfQuery(in bytes: Span<UInt8>) throws(WireFault) -> SerfQuery {
        var time = LamportTime(0)
        var (id, flags): (UInt32, UInt32) = (0, 0)
        var address = ShortBytes()
        var port: UInt16 = 0
        var (sourceNode, name) = ("", "")
        var filters: [[UInt8]] = []
        var relayFactor: UInt8 = 0
        var timeout: Int64 = 0
        var payload: [UInt8] = []
        var fields = try fields(of: SerfQueryKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: time = try self.time(in: bytes)
            case .id: id = try unsigned(in: bytes)
            case .address: address = try shortBytes(in: bytes)
            case .port: port = try unsigned(in: bytes)
            case .sourceNode: sourceNode = try memberName(in: bytes)
            case .filters:
                filters = []
                for _ in 0..<(try length(in: bytes)) { filters.append(try byteString(in: bytes)) }
            case .flags: flags = try unsigned(in: bytes)
            case .relayFactor: relayFactor = try unsigned(in: bytes)
            case .timeout: timeout = try signed(in: bytes)
            case .name: name = try shownText(in: bytes)
            case .payload: payload = try byteString(in: bytes)
            }
        }
        return SerfQuery(
            time: time, id: id, source: try PeerAddress(address, port: port), sourceNode: sourceNode, filters: filters,
            flags: SerfQuery.Flags(rawValue: flags), relayFactor: relayFactor, timeout: .nanoseconds(timeout),
            name: name, payload: payload)
    }

    fileprivate mutating func serfResponse(in bytes: Span<UInt8>) throws(WireFault) -> SerfResponse {
        var response = SerfResponse(time: LamportTime(0), id: 0, from: "", isAck: false)
        var fields = try fields(of: SerfResponseKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .time: response.time = try time(in: bytes)
            case .id: response.id = try unsigned(in: bytes)
            case .from: response.from = try memberName(in: bytes)
            case .flags:
                let flags: UInt32 = try unsigned(in: bytes)
                response.isAck = flags & 1 == 1
            case .payload: response.payload = try byteString(in: bytes)
            }
        }
        return response
    }

    fileprivate mutating func serfMember(in bytes: Span<UInt8>) throws(WireFault) -> SerfMember? {
        if isAbsent(in: bytes) { return try skipped(in: bytes) }
        var name = ""
        var address = ShortBytes()
        var port: UInt16 = 0
        var tags = SerfTags()
        var status: UInt8 = 0
        var versions = MemberVersions.absent
        var fields = try fields(of: SerfMemberKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .name: name = try memberName(in: bytes)
            case .address: address = try shortBytes(in: bytes)
            case .port: port = try unsigned(in: bytes)
            case .tags: tags = try SerfTags(&self, in: bytes)
            case .status: status = try unsigned(in: bytes)
            case .protocolMinimum: versions.protocolMinimum = try unsigned(in: bytes)
            case .protocolMaximum: versions.protocolMaximum = try unsigned(in: bytes)
            case .protocolSpoken: versions.protocolSpoken = try unsigned(in: bytes)
            case .delegateMinimum: versions.delegateMinimum = try unsigned(in: bytes)
            case .delegateMaximum: versions.delegateMaximum = try unsigned(in: bytes)
            case .delegateSpoken: versions.delegateSpoken = try unsigned(in: bytes)
            }
        }
        guard let status = SerfMember.Status(rawValue: status) else { throw .outOfRange }
        let place = try PeerAddress(address, port: port)
        return SerfMember(name: name, address: place, tags: tags, status: status, versions: versions)
    }

    fileprivate mutating func serfKey(in bytes: Span<UInt8>) throws(WireFault) -> [UInt8] {
        var sought: [UInt8] = []
        var fields = try fields(of: SerfKeyRequestKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .key: sought = try byteString(in: bytes)
            }
        }
        return sought
    }

    fileprivate mutating func serfKeyResponse(in bytes: Span<UInt8>) throws(WireFault) -> SerfKeyResponse {
        var response = SerfKeyResponse(succeeded: false)
        var fields = try fields(of: SerfKeyResponseKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .result: response.succeeded = try boolean(in: bytes)
            case .message: response.message = try shownText(in: bytes)
            case .keys:
                response.keys = []
                for _ in 0..<(try length(in: bytes)) { response.keys.append(try shownText(in: bytes)) }
            case .primaryKey: response.primaryKey = try shownText(in: bytes)
            }
        }
        return response
    }

    fileprivate mutating func serfRelay(in bytes: Span<UInt8>) throws(WireFault) -> SerfRelay {
        var address = ShortBytes()
        var port: UInt16 = 0
        var name = ""
        var fields = try fields(of: SerfRelayKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .address:
                var parts = try self.fields(of: SerfAddressKey.self, in: bytes)
                while let key = try parts.next(&self, in: bytes) {
                    switch key {
                    case .ip: address = try shortBytes(in: bytes)
                    case .port: port = try unsigned(in: bytes)
                    case .zone: try skip(in: bytes)
                    }
                }
            case .name: name = try memberName(in: bytes)
            }
        }
        let destination = try PeerAddress(address, port: port)
        guard position < bytes.count else { throw .empty }
        let message = try bytes.copy(bytes.count - position, at: position)
        return SerfRelay(destination: destination, destinationName: name, message: message)
    }
}

// MARK: - Filters

extension SerfFilter {
    /// Reads a filter of a query, from its type byte on. One that is not understood matches nobody.
    package init(reading bytes: [UInt8]) throws(WireFault) {
        let bytes = bytes.span
        guard !bytes.isEmpty else { throw .empty }
        var reader = MessagePackReader(at: 1)
        switch bytes[0] {
        case 0:
            var names: [String] = []
            for _ in 0..<(try reader.length(in: bytes)) { names.append(try reader.memberName(in: bytes)) }
            self = .nodes(names)
        case 1:
            var (tag, expression) = ("", "")
            var fields = try reader.fields(of: SerfTagFilterKey.self, in: bytes)
            while let key = try fields.next(&reader, in: bytes) {
                switch key {
                case .tag: tag = try reader.shownText(in: bytes)
                case .expression: expression = try reader.shownText(in: bytes)
                }
            }
            self = .tag(tag, expression: expression)
        default: throw .unexpectedType(bytes[0])
        }
    }
}

// MARK: - Kinds of fields

extension MessagePackReader {
    fileprivate mutating func time(in bytes: Span<UInt8>) throws(WireFault) -> LamportTime {
        LamportTime(try unsigned(in: bytes))
    }

    fileprivate mutating func memberName(in bytes: Span<UInt8>) throws(WireFault) -> String {
        let text = bytes.extracting(try text(in: bytes))
        guard let name = unsafe text.withUnsafeBufferPointer({ unsafe String(validating: $0, as: UTF8.self) }) else {
            throw .badName
        }
        return name
    }

    fileprivate mutating func shownText(in bytes: Span<UInt8>) throws(WireFault) -> String {
        bytes.extracting(try text(in: bytes)).repairedText
    }

    fileprivate mutating func byteString(in bytes: Span<UInt8>) throws(WireFault) -> [UInt8] {
        var content: [UInt8] = []
        _ = try appendBytes(to: &content, in: bytes)
        return content
    }

    /// The head of an array: how many values follow; nil is none.
    fileprivate mutating func length(in bytes: Span<UInt8>) throws(WireFault) -> Int {
        switch try head(in: bytes) {
        case .absent: return 0
        case .array(let count): return count
        case .boolean, .unsigned, .negative, .double, .raw, .extended, .map: throw .wrongKind
        }
    }

    /// Whether a nil comes next.
    private func isAbsent(in bytes: Span<UInt8>) -> Bool { position < bytes.count && bytes[position] == 0xC0 }

    /// Steps over a value that means nothing.
    private mutating func skipped<Value>(in bytes: Span<UInt8>) throws(WireFault) -> Value? {
        try skip(in: bytes)
        return nil
    }
}
