// What is taken down of a connection for the access log, and what is made of it at its end.
//
// Whether a connection is recorded is drawn when it is accepted, and a bit of it says so from then on: where there is no
// log, that bit is all that is asked, once at its end and a few times on the way to its endpoint, never for a byte. How
// many bytes it moved is counted for all: two additions a request, less than asking would cost.
//
// The client's address is asked for at once, as the kernel does not know it any more of a socket that was reset.

import CEpoll
import Reactor
import Routing
import TLS
import Upstreams
import Vocabulary

extension Worker {
    // MARK: - While it lasts

    /// Draws whether a connection just accepted is recorded.
    @inline(never)
    mutating func beginRecord(_ index: UInt32) {
        guard records.draw() else { return }
        connections[index].isRecorded = true
        records.facts[index] = RecordKeeping.Facts(
            accepted: now,
            client: RecordKeeping.PlainAddress(Kernel.peerAddress(of: halves[.client(index)].descriptor)))
    }

    /// Takes down what was read ahead.
    mutating func record(_ facts: ConnectionFacts?, _ index: UInt32) {
        guard connections[index].isRecorded, let facts else { return }
        // It is the sender of a PROXY header whom the socket knows.
        if let peer = facts.peer { records.facts[index].client = RecordKeeping.PlainAddress(peer) }
        if let name = facts.hello?.serverName { records.texts[index, default: .init()].serverName = name }
    }

    /// Takes down that it was placed on an endpoint.
    mutating func recordPlacement(_ index: UInt32) {
        guard connections[index].isRecorded else { return }
        let attempts = records.facts[index].attempts
        records.facts[index].attempts = attempts == .max ? .max : attempts + 1
        records.facts[index].tenancy = board.tenancy(of: connections[index].cell)
        records.facts[index].connected = nil
    }

    /// Forgets a placement that came to nothing for want of something here: what is tried in its stead is the same attempt.
    mutating func takeBackPlacement(_ index: UInt32) {
        guard connections[index].isRecorded else { return }
        let attempts = records.facts[index].attempts
        records.facts[index].attempts = attempts > 0 ? attempts - 1 : 0
    }

    mutating func recordConnect(_ index: UInt32) {
        guard connections[index].isRecorded else { return }
        records.facts[index].connected = now
    }

    /// Takes down how long the endpoint's first byte took, which cannot be told at the end: what the client says next is a
    /// question of its own.
    mutating func recordAnswer(_ index: UInt32, after waited: Duration) {
        guard connections[index].isRecorded else { return }
        records.facts[index].firstByte = waited
    }

    /// Takes down why an attempt came to nothing, or what ends it presently.
    mutating func record(_ error: SystemError, _ index: UInt32) {
        guard connections[index].isRecorded else { return }
        records.facts[index].error = error
        if !records.texts.isEmpty { records.texts[index]?.fault = nil }
    }

    /// - Parameter fault: nil where the handshake took too long.
    mutating func record(_ fault: PipeFault?, _ index: UInt32) {
        guard connections[index].isRecorded else { return }
        guard let fault else { return record(SystemError.timedOut, index) }
        records.texts[index, default: .init()].fault = fault
    }

    // MARK: - At its end

    /// Hands over what is left of a connection, which still has its sockets.
    @inline(never)
    mutating func leaveRecord(_ index: UInt32, as end: ConnectionEnd) {
        let texts = records.texts.isEmpty ? nil : records.texts.removeValue(forKey: index)
        guard records.isOn else { return }
        let (connection, facts) = (connections[index], records.facts[index])
        var record = ConnectionRecord(
            end: end, listener: connection.listener, listenerTenancy: listeners[Int(connection.listener)].tenancy,
            upstream: connection.upstream, accepted: facts.accepted, ended: now)
        record.client = facts.client.address
        (record.received, record.sent) = (connection.receivedBytes, connection.sentBytes)
        if facts.attempts > 0 {
            (record.attempts, record.cell, record.tenancy) = (facts.attempts, connection.cell, facts.tenancy)
            (record.placed, record.connected) = (connection.placed, facts.connected)
            record.firstByte = facts.firstByte
        }
        record.serverName = texts?.serverName
        if let pipe = secured[.client(index)] {
            record.serverName = pipe.terms.serverName
            if connection.stage != .handshake { record.identity = pipe.peerNames.first.flatMap(\.bounded) }
        }
        explain(&record, index, facts, texts)
        desk.records.add(record)
    }

    /// Says of a record why it ended.
    private mutating func explain(
        _ record: inout ConnectionRecord, _ index: UInt32, _ facts: RecordKeeping.Facts, _ texts: RecordKeeping.Texts?
    ) {
        switch record.end {
        case .clientAbort: explain(&record, by: .client(index))
        case .endpointAbort: explain(&record, by: .server(index))
        case .connectFailed, .handshakeFailed, .badPreface:
            record.fault = texts?.fault
            record.error = facts.error
        case .drained, .reset: record.cause = board.cause(on: record.cell)
        case .clean, .idleTimeout, .aged, .expired, .noEndpoint, .listenerFull, .turnedAway, .upstreamChanged,
            .outOfMemory, .shutdown:
            break
        }
    }

    private mutating func explain(_ record: inout ConnectionRecord, by half: Slot) {
        record.fault = secured[half]?.fault
        guard record.fault == nil else { return }
        // Where no call has had the error, the socket still has it.
        record.error = socketError ?? Kernel.connectError(halves[half].descriptor)
    }

    /// The same of a client that never became a connection.
    /// - Parameter descriptor: its socket, still open.
    @inline(never)
    mutating func recordRefusal(of descriptor: Int32, listener number: Int, as end: ConnectionEnd) {
        guard records.draw() else { return }
        var record = ConnectionRecord(
            end: end, listener: UInt32(number), listenerTenancy: listeners[number].tenancy,
            upstream: listeners[number].upstream, accepted: now, ended: now)
        record.client = RecordKeeping.PlainAddress(Kernel.peerAddress(of: descriptor)).address
        desk.records.add(record)
    }
}

extension SubjectName {
    /// Nil where it is longer than a record's may be.
    fileprivate var bounded: SubjectName? {
        description.utf8.count <= ConnectionRecord.longestIdentity ? self : nil
    }
}
