// One end of a connection that may speak TLS: blocking calls for what reads like a conversation, and a loop for streams
// that go both ways at once.

import Glibc
import TLS
import Vocabulary

@testable import Proxy

/// How a talker's incoming stream ended.
enum TalkEnding: Hashable, Sendable {
    /// By what the protocol has for it: close_notify, or FIN where there is no TLS.
    case end
    /// RST.
    case reset
    /// FIN without close_notify.
    case cutOff
    /// Some other fault of TLS, in its words.
    case fault(String)
}

/// - Note: of one thread at a time.
@safe
final class Talker: @unchecked Sendable {
    let wire: Wire
    private let tlsWire = TLS.Wire()
    let pipe: TLSPipe.Handle?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 200 << 10, alignment: 64)
    private var unread: [UInt8] = []
    private(set) var ending: TalkEnding?

    /// Speaks plainly.
    init(_ wire: Wire) {
        self.wire = wire
        pipe = nil
    }

    /// - Parameter name: whom the other side's certificate has to name.
    init(_ wire: Wire, as context: ClientContext, to name: ServerName = .host("a.edge"), sessions: SessionStore? = nil)
    {
        self.wire = wire
        pipe = context.makePipe(over: wire.descriptor, to: name, wire: tlsWire, sessions: sessions)?.release()
    }

    init(_ wire: Wire, as context: ServerContext) {
        self.wire = wire
        pipe = context.makePipe(over: wire.descriptor, wire: tlsWire)?.release()
    }

    deinit {
        pipe?.free()
        unsafe buffer.deallocate()
    }

    // MARK: Conversation

    /// Goes through the handshake; nothing to do without TLS.
    @discardableResult
    func shakeHands() throws -> Talker {
        guard let pipe else { return self }
        _ = pipe.begin()
        while !pipe.isEstablished {
            read()
            if let ending { throw TalkFailed(ending: ending) }
        }
        return self
    }

    func send(_ bytes: [UInt8]) throws {
        guard let pipe else { return try wire.send(bytes) }
        let writing = unsafe bytes.withUnsafeBytes { unsafe pipe.send($0) }
        guard writing.count == bytes.count, !writing.isBlocked, !writing.hasFailed else {
            throw TalkFailed(ending: .fault("\(pipe.fault, default: "blocked")"))
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// As many bytes; fewer where the stream ends before.
    func receive(exactly count: Int) -> [UInt8] {
        while unread.count < count, ending == nil { read() }
        let bytes = Array(unread.prefix(count))
        unread.removeFirst(bytes.count)
        return bytes
    }

    func receiveText(exactly count: Int) -> String { String(decoding: receive(exactly: count), as: UTF8.self) }

    /// All there is until the stream ends.
    func receiveToEnd() -> [UInt8] {
        while ending == nil { read() }
        defer { unread = [] }
        return unread
    }

    func receiveTextToEnd() -> String { String(decoding: receiveToEnd(), as: UTF8.self) }

    /// Ends our stream, as the protocol has it, and goes on listening.
    func endStream() throws {
        if let pipe { _ = pipe.finish(more: true) }
        try wire.endStream()
    }

    /// Reads once, waiting for it.
    private func read() {
        guard let pipe else { return readPlainly() }
        let reading = unsafe pipe.receive(into: buffer)
        unsafe unread += buffer[..<reading.count]
        note(reading, pipe)
        if reading.isDrained, reading.received == 0, reading.end == .open { ending = .fault("nothing came in time") }
    }

    private func note(_ reading: PipeReading, _ pipe: TLSPipe.Handle) {
        switch reading.end {
        case .open: break
        case .ended: ending = .end
        case .failed:
            switch pipe.fault {
            case .truncated, .cutOff: ending = .cutOff
            case .system(ECONNRESET), .system(EPIPE): ending = .reset
            case let fault: ending = .fault("\(fault, default: "none")")
            }
        }
    }

    private func readPlainly() {
        do {
            let count = try unsafe wire.receive(into: buffer)
            unsafe unread += buffer[..<count]
            if count == 0 { ending = .end }
        } catch {
            ending = error as? WireError == .reset ? .reset : .fault("\(error)")
        }
    }

    // MARK: Streams

    /// What is said and heard at once.
    struct Script: Sendable {
        var sendSeed: UInt64
        var receiveSeed: UInt64
        var sends: Int
        /// What one send is given.
        var pieces = 1...(64 << 10)
        /// Bytes that are read before each pause; nil reads as it comes.
        var readsBetweenPauses: Int?
        /// Ends its stream only when the other side has.
        var endsLast = false
    }

    /// Sends one stream, ends it, and checks the other to its end, both at once.
    func exchange(_ script: Script) throws -> StreamVerdict {
        _ = fcntl(wire.descriptor, F_SETFL, O_NONBLOCK)
        var outgoing = SeededStream(seed: script.sendSeed)
        var incoming = SeededStream(seed: script.receiveSeed)
        var random = SeededRandom(seed: script.sendSeed)
        // What came with the last of the handshake.
        guard unsafe unread.withUnsafeBytes({ unsafe incoming.matches($0) }) else {
            throw TalkFailed(ending: .fault("a wrong byte at the beginning"))
        }
        unread = []
        var (hasFinished, hasClosed) = (false, false)
        let deadline = ContinuousClock.now + .seconds(120)
        while ending == nil || !hasClosed {
            guard ContinuousClock.now < deadline else { throw TalkFailed(ending: .fault("took too long")) }
            var progress = false
            if let pipe, pipe.isBlocked {
                let kept = pipe.keptBytes
                _ = pipe.flush()
                progress = pipe.keptBytes != kept
            }
            if outgoing.offset < script.sends {
                let size = Int.random(in: script.pieces, using: &random)
                if try say(&outgoing, min(size, script.sends - outgoing.offset)) { progress = true }
            } else if !hasClosed, !script.endsLast || ending != nil, pipe?.isBlocked != true {
                if !hasFinished, let pipe { _ = pipe.finish(more: true) }
                hasFinished = true
                if pipe?.isBlocked != true {
                    try wire.endStream()
                    hasClosed = true
                }
                progress = true
            }
            if ending == nil, try hear(&incoming, script.readsBetweenPauses) { progress = true }
            if let ending, ending != .end { throw TalkFailed(ending: ending) }
            if !progress { wait(writes: outgoing.offset < script.sends || pipe?.isBlocked == true) }
        }
        return .intact(bytes: incoming.offset)
    }

    private func say(_ stream: inout SeededStream, _ count: Int) throws -> Bool {
        let taken = try unsafe stream.withNext(count) { bytes in
            guard let pipe else {
                let sent = unsafe Glibc.send(wire.descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                guard sent >= 0 || errno == EAGAIN else { throw WireError(code: errno) }
                return max(0, sent)
            }
            guard !pipe.isBlocked else { return 0 }
            let writing = unsafe pipe.send(bytes)
            guard !writing.hasFailed else { throw TalkFailed(ending: .fault("\(pipe.fault, default: "none")")) }
            return writing.count
        }
        return taken > 0
    }

    private func hear(_ stream: inout SeededStream, _ readsBetweenPauses: Int?) throws -> Bool {
        if readsBetweenPauses != nil { usleep(200) }
        let before = stream.offset
        let room = unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[..<((readsBetweenPauses ?? (128 << 10)) + TLS.Wire.slack + 1)])
        var count = 0
        if let pipe {
            let reading = unsafe pipe.receive(into: room)
            count = reading.count
            note(reading, pipe)
            guard unsafe stream.matches(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
                throw TalkFailed(ending: .fault("a wrong byte behind byte \(before)"))
            }
            return reading.received > 0 || ending != nil
        }
        count = unsafe recv(wire.descriptor, room.baseAddress, room.count, 0)
        if count == 0 { ending = .end }
        if count < 0 {
            if errno == EAGAIN { return false }
            ending = errno == ECONNRESET ? .reset : .fault("errno \(errno)")
            return true
        }
        guard unsafe stream.matches(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
            throw TalkFailed(ending: .fault("a wrong byte behind byte \(before)"))
        }
        return true
    }

    private func wait(writes: Bool) {
        var question = pollfd(
            fd: wire.descriptor, events: Int16((ending == nil ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0)
        _ = unsafe poll(&question, 1, 1000)
    }
}

struct TalkFailed: Error, CustomStringConvertible {
    var ending: TalkEnding
    var description: String { "the stream came to \(ending)" }
}

/// A client, remora and an endpoint with one connection through all three, of which some halves speak TLS.
struct SecurePath {
    let endpoint: ManualEndpoint
    let remora: Sidecar
    let client: Talker
    let server: Talker

    init(_ sealing: Sealing, _ adjust: (inout Sidecar.Setup) -> Void = { _ in }) throws {
        let certificates = try Certificates.shared.get()
        endpoint = try ManualEndpoint()
        let contexts = try sealing.contexts()
        remora = try Sidecar(to: [endpoint.address]) {
            $0.tls = contexts
            adjust(&$0)
        }
        let wire = try remora.connect()
        client = sealing.client ? Talker(wire, as: try certificates.client()) : Talker(wire)
        try client.shakeHands()
        let accepted = try endpoint.accept()
        server = sealing.endpoint ? Talker(accepted, as: try certificates.server()) : Talker(accepted)
        try server.shakeHands()
    }

    enum Side: CaseIterable, Sendable { case client, endpoint }

    func ends(from side: Side) -> (source: Talker, sink: Talker) {
        side == .client ? (client, server) : (server, client)
    }
}
