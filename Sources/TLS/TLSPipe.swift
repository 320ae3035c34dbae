// One connection's TLS: plain bytes on one side, a descriptor that was handed over on the other.
//
// Everything is done in turns that never block. A turn receives once, gives OpenSSL all of it, and sends once what
// OpenSSL has to say, so that between two turns the worker's buffers (`Wire`) are empty and a connection keeps none:
// only what the socket would not take lies in a block of its own until it does. Nothing more is encrypted while
// something lies there, which is all there is to backpressure.
//
// OpenSSL is therefore never found waiting to write, and a turn has three outcomes: bytes, an end, a fault. The
// handshake is no case apart: it goes on in `receive`, since the peer's last flight and its first bytes come together.

import COpenSSL

/// Owns a connection's TLS state; the descriptor stays its owner's.
///
/// Where owners cannot be kept, as in a slab of plain values, ``release()`` gives a handle that somebody has to free.
package struct TLSPipe: ~Copyable {
    package let handle: Handle

    init(_ handle: Handle) { self.handle = handle }

    deinit { handle.free() }

    /// Gives up owning it: whoever gets the handle calls ``Handle/free()``, once.
    package consuming func release() -> Handle {
        let handle = self.handle
        discard self
        return handle
    }

    /// A pipe by which it is used; plain memory of one word. For the thread that its wire belongs to.
    @safe
    package struct Handle {
        let state: UnsafeMutablePointer<State>
    }

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// The handshake is over.
        static let established = Flags(rawValue: 1 << 0)
        /// The peer's close_notify has come.
        static let ended = Flags(rawValue: 1 << 1)
        /// Our close_notify is written.
        static let finished = Flags(rawValue: 1 << 2)
        static let client = Flags(rawValue: 1 << 3)
        static let failed = Flags(rawValue: 1 << 4)
    }

    @unsafe
    struct State {
        let stream: OpaquePointer
        let wire: Wire
        /// Its callbacks read it.
        let context: AnyObject
        let descriptor: Int32
        var flags: Flags
        var alertSent: UInt8?
        var alertReceived: UInt8?
        /// Encrypted bytes that the socket has not taken.
        var backlog: UnsafeMutableRawBufferPointer?
        var backlogStart = 0
        var fault: PipeFault?
        /// The names for which the peer's certificate was refused.
        var refusedNames: String?
        /// Where sessions of this client go, and under which key.
        var sessions: SessionStore?
        var destination = SessionStore.Destination(context: 0, endpoint: 0)
    }
}

// MARK: - What a turn came to

/// What ``TLSPipe/Handle/receive(into:)`` came to.
package struct PipeReading: Hashable, Sendable {
    /// Plain bytes at the start of the buffer; they came before whatever ended the stream.
    package var count = 0
    /// Encrypted bytes that were received for them.
    package var received = 0
    /// The socket had no more: wait for its next edge.
    package var isDrained = false
    package var end = End.open

    package enum End: Hashable, Sendable {
        case open
        /// By close_notify: the peer sends no more.
        case ended
        /// For the reason in ``TLSPipe/Handle/fault``. An alert that tells the peer why has been sent or is kept.
        case failed
    }
}

/// What became of bytes to be sent.
package struct PipeWriting: Hashable, Sendable {
    /// Plain bytes that were encrypted: they are the pipe's to deliver now.
    package var count = 0
    /// The socket is full, and ``TLSPipe/Handle/flush()`` is to be called at its next edge.
    package var isBlocked = false
    package var hasFailed = false
}

// MARK: - Making and freeing

extension TLSPipe {
    /// - Parameter stream: owned by the pipe from here on; has no BIO yet.
    init?(
        stream: OpaquePointer, isClient: Bool, descriptor: Int32, wire: Wire, context: AnyObject
    ) {
        guard let bio = unsafe wire.makeBIO() else {
            unsafe SSL_free(stream)
            return nil
        }
        unsafe SSL_set_bio(stream, bio, bio)
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        unsafe state.initialize(
            to: State(
                stream: stream, wire: wire, context: context, descriptor: descriptor, flags: isClient ? .client : []))
        unsafe SSL_set_ex_data(stream, 0, state)
        if isClient { unsafe SSL_set_connect_state(stream) } else { unsafe SSL_set_accept_state(stream) }
        unsafe wire.state.pointee.pipes += 1
        self.init(unsafe Handle(state: state))
    }

    /// The pipe that a callback of OpenSSL's is about.
    static func state(of stream: OpaquePointer?) -> UnsafeMutablePointer<State>? {
        unsafe SSL_get_ex_data(stream, 0)?.assumingMemoryBound(to: State.self)
    }
}

extension TLSPipe.Handle {
    /// Frees everything that belongs to the pipe, without a word to the peer.
    package func free() {
        let stream = unsafe state.pointee.stream
        // Otherwise OpenSSL takes the stream for broken and its session for not to be used again (SSL_set_shutdown(3)).
        if unsafe !state.pointee.flags.contains(.failed) {
            unsafe SSL_set_shutdown(stream, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        }
        unsafe SSL_free(stream)
        ERR_clear_error()
        dropBacklog()
        unsafe state.pointee.wire.state.pointee.pipes -= 1
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }
}

// MARK: - Receiving

extension TLSPipe.Handle {
    /// Sends the first message of the handshake, which is the client's; a server's pipe has nothing to do here.
    package func begin() -> PipeWriting {
        guard unsafe state.pointee.flags.contains(.client), fault == nil else { return writing(count: 0) }
        clearErrors()
        let result = unsafe SSL_do_handshake(state.pointee.stream)
        _ = settle(result)
        push(more: false)
        return writing(count: 0)
    }

    /// Receives once, goes on with the handshake if it is not over, and decrypts all that has come.
    ///
    /// Answers of the protocol's own, alerts too, are sent at once.
    /// - Parameter plain: room for more than ``Wire/slack`` bytes.
    package func receive(into plain: UnsafeMutableRawBufferPointer) -> PipeReading {
        precondition(plain.count > Wire.slack, "no room for a record")
        var reading = PipeReading()
        guard fault == nil else {
            reading.end = .failed
            return reading
        }
        let wire = unsafe state.pointee.wire.state
        let asked = min(Wire.largestRead, plain.count - Wire.slack)
        let received = unsafe remora_stream_receive(state.pointee.descriptor, wire.pointee.inbox, asked)
        guard received > 0 else { return receivedNothing(Int32(truncatingIfNeeded: -received)) }
        reading.received = Int(received)
        reading.isDrained = received < asked
        unsafe decrypt(Int(received), into: plain, &reading)
        return reading
    }

    /// Takes bytes that somebody else has received, ahead of all that the socket has yet to give.
    /// - Parameters:
    ///   - encrypted: ``Wire/largestRead`` bytes at most.
    ///   - plain: room for ``Wire/slack`` bytes more than those.
    package func take(
        _ encrypted: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> PipeReading {
        precondition(
            encrypted.count <= Wire.largestRead && plain.count >= encrypted.count + Wire.slack, "no room for them")
        var reading = PipeReading()
        guard fault == nil else {
            reading.end = .failed
            return reading
        }
        reading.received = encrypted.count
        let wire = unsafe state.pointee.wire.state
        if let start = encrypted.baseAddress {
            unsafe wire.pointee.inbox.copyMemory(from: start, byteCount: encrypted.count)
        }
        unsafe decrypt(encrypted.count, into: plain, &reading)
        return reading
    }

    /// Gives OpenSSL the first `received` bytes of the inbox.
    private func decrypt(_ received: Int, into plain: UnsafeMutableRawBufferPointer, _ reading: inout PipeReading) {
        let wire = unsafe state.pointee.wire.state
        unsafe wire.pointee.inboxStart = 0
        unsafe wire.pointee.inboxEnd = received
        clearErrors()
        let stream = unsafe state.pointee.stream
        let wasEstablished = unsafe state.pointee.flags.contains(.established)
        var result: CInt
        repeat {
            var count = 0
            result = unsafe SSL_read_ex(
                stream, plain.baseAddress.map { unsafe $0 + reading.count }, plain.count - reading.count, &count)
            reading.count += count
        } while result == 1
        reading.end = settle(result)
        // Behind a close_notify nothing counts.
        unsafe wire.pointee.inboxEnd = 0
        unsafe wire.pointee.inboxStart = 0
        push(more: !wasEstablished && isEstablished && onlyTicketsFollow)
        if fault != nil { reading.end = .failed }
    }

    /// What a pipe has to say as its handshake ends is nothing that the peer waits for.
    ///
    /// In TLS 1.3 these are a server's tickets. They go with its first bytes, which saves a segment and both sides its
    /// handling; where none come, the kernel sends them by itself after 200 ms (MSG_MORE, tcp(7)). In 1.2 the ticket is
    /// before the server's Finished, and a client's Finished is what its server waits for.
    private var onlyTicketsFollow: Bool {
        unsafe !state.pointee.flags.contains(.client) && SSL_version(state.pointee.stream) >= TLS1_3_VERSION
    }

    private func receivedNothing(_ code: Int32) -> PipeReading {
        var reading = PipeReading()
        reading.isDrained = true
        switch code {
        case EAGAIN, EINTR:
            // An interrupted call has nothing to do with the socket: ask again.
            reading.isDrained = code == EAGAIN
            if hasEnded { reading.end = .ended }
        case 0 where hasEnded:
            reading.end = .ended
        case 0:
            fail(isEstablished ? .truncated : .cutOff)
            reading.end = .failed
        default:
            fail(.system(code: code))
            reading.end = .failed
        }
        return reading
    }

    /// Notes where OpenSSL stands after a call that gave no bytes.
    private func settle(_ result: CInt) -> PipeReading.End {
        let stream = unsafe state.pointee.stream
        if unsafe !state.pointee.flags.contains(.established), unsafe SSL_is_init_finished(stream) == 1 {
            unsafe state.pointee.flags.insert(.established)
        }
        guard result <= 0 else { return .open }
        switch unsafe SSL_get_error(stream, result) {
        case SSL_ERROR_WANT_READ:
            return .open
        case SSL_ERROR_ZERO_RETURN:
            unsafe state.pointee.flags.insert(.ended)
            return .ended
        default:
            fail(libraryFault())
            return .failed
        }
    }

    private func libraryFault() -> PipeFault {
        let (code, reason) = takeLibraryError()
        if let alert = unsafe state.pointee.alertReceived { return .alert(Alert(code: alert)) }
        let verdict = unsafe SSL_get_verify_result(state.pointee.stream)
        if verdict != CLong(X509_V_OK), ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED {
            let names = unsafe state.pointee.refusedNames
            let words =
                names == nil
                ? unsafe String(cString: X509_verify_cert_error_string(verdict)) : "none of its names is allowed"
            return .certificate(reason: words, names: names)
        }
        // The BIO refuses to grow; OpenSSL has no reason of its own then.
        return code == 0 ? .tooMuchToAnswer : .protocolError(reason: reason)
    }
}

// MARK: - Sending

extension TLSPipe.Handle {
    /// Encrypts `bytes` and sends them, ``Wire/largestWrite`` at once.
    ///
    /// - Parameters:
    ///   - more: further bytes follow at once, so that they may share a segment.
    ///   - ends: these are the last, and the socket's end follows at once. Our close_notify goes with them, if all of
    ///     them are taken; otherwise the rest is to be sent first.
    /// - Precondition: the handshake is over, and no end was sent.
    /// - Returns: how many were taken: all, unless the socket is full or the stream has failed. What was taken must not
    ///   be sent again, though the socket may not have it yet.
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false, ends: Bool = false) -> PipeWriting {
        precondition(isEstablished && !isFinished, "bytes before the handshake or behind the end")
        var taken = 0
        clearErrors()
        while taken < bytes.count, unsafe state.pointee.backlog == nil, fault == nil {
            let part = min(bytes.count - taken, Wire.largestWrite)
            var written = 0
            let result = unsafe SSL_write_ex(
                state.pointee.stream, bytes.baseAddress.map { unsafe $0 + taken }, part, &written)
            guard result == 1 else {
                fail(libraryFault())
                break
            }
            taken += written
            if ends, taken == bytes.count { writeEnd() }
            push(more: more || ends || taken < bytes.count)
        }
        return writing(count: taken)
    }

    /// Sends what the socket had no room for.
    package func flush() -> PipeWriting {
        // An alert is kept too; of a stream whose socket has failed nothing is left to send.
        guard let backlog = unsafe state.pointee.backlog else { return writing(count: 0) }
        let start = unsafe state.pointee.backlogStart
        let rest = backlog.count - start
        let sent = unsafe remora_stream_send(
            state.pointee.descriptor, backlog.baseAddress.map { unsafe $0 + start }, rest, 0)
        if sent == rest {
            dropBacklog()
        } else if sent >= 0 {
            unsafe state.pointee.backlogStart += Int(sent)
            unsafe state.pointee.wire.state.pointee.keptBytes -= Int(sent)
        } else {
            sendFailed(Int32(truncatingIfNeeded: -sent))
        }
        return writing(count: 0)
    }

    /// Tells the peer that no more bytes follow (close_notify); it may go on sending.
    ///
    /// The socket's own end, if it is to be told, follows once ``isBlocked`` is false.
    /// - Parameter more: the socket's end follows at once, so that both may share a segment.
    package func finish(more: Bool = false) -> PipeWriting {
        guard fault == nil, !isFinished else { return writing(count: 0) }
        clearErrors()
        writeEnd()
        push(more: more)
        return writing(count: 0)
    }

    private func writeEnd() {
        let result = unsafe SSL_shutdown(state.pointee.stream)
        if result < 0 {
            // Within the handshake there is no stream whose end could be told.
            fail(libraryFault())
        }
        unsafe state.pointee.flags.insert(.finished)
    }

    private func writing(count: Int) -> PipeWriting {
        PipeWriting(count: count, isBlocked: isBlocked, hasFailed: fault != nil)
    }

    /// Sends what has gathered, and keeps what the socket does not take.
    private func push(more: Bool) {
        let wire = unsafe state.pointee.wire.state
        let count = unsafe wire.pointee.outboxCount
        guard count > 0 else { return }
        unsafe wire.pointee.outboxCount = 0
        var sent: Int64 = 0
        if unsafe state.pointee.backlog == nil {
            sent = unsafe remora_stream_send(state.pointee.descriptor, wire.pointee.outbox, count, more ? 1 : 0)
            if sent == count { return }
            if sent < 0 {
                let code = Int32(truncatingIfNeeded: -sent)
                guard code == EAGAIN || code == EINTR else { return sendFailed(code) }
                sent = 0
            }
        }
        let rest = unsafe UnsafeRawBufferPointer(start: wire.pointee.outbox + Int(sent), count: count - Int(sent))
        unsafe keep(rest)
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        let old = unsafe state.pointee.backlog
        let start = unsafe state.pointee.backlogStart
        let oldCount = unsafe (old?.count ?? 0) - start
        // One write and what answers within one read; more is not to be had for a peer that takes nothing.
        guard oldCount + bytes.count <= Wire.largestOutbox else { return fail(.tooMuchToAnswer) }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: oldCount + bytes.count, alignment: 16)
        if let old = unsafe old {
            unsafe block.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[start...]))
            unsafe old.deallocate()
        }
        unsafe UnsafeMutableRawBufferPointer(rebasing: block[oldCount...]).copyMemory(from: bytes)
        unsafe state.pointee.backlog = unsafe block
        unsafe state.pointee.backlogStart = 0
        unsafe state.pointee.wire.state.pointee.keptBytes += bytes.count
    }

    private func dropBacklog() {
        unsafe state.pointee.wire.state.pointee.keptBytes -= keptBytes
        unsafe state.pointee.backlog?.deallocate()
        unsafe state.pointee.backlog = nil
        unsafe state.pointee.backlogStart = 0
    }

    private func sendFailed(_ code: Int32) {
        guard code != EAGAIN, code != EINTR else { return }
        fail(.system(code: code))
        dropBacklog()
    }

    /// The first fault is the cause of the others.
    private func fail(_ fault: PipeFault) {
        unsafe state.pointee.flags.insert(.failed)
        if unsafe state.pointee.fault == nil { unsafe state.pointee.fault = fault }
    }

    /// Errors that others left on this thread would be taken for this stream's (SSL_get_error(3)).
    private func clearErrors() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }
}

// MARK: - Questions

extension TLSPipe.Handle {
    /// The handshake is over, and the peer is who it has to be.
    package var isEstablished: Bool { unsafe state.pointee.flags.contains(.established) && fault == nil }
    /// The peer's close_notify has come.
    package var hasEnded: Bool { unsafe state.pointee.flags.contains(.ended) }
    /// Our close_notify is on its way.
    package var isFinished: Bool { unsafe state.pointee.flags.contains(.finished) }
    /// Encrypted bytes wait for room in the socket: call ``flush()`` at its next edge.
    package var isBlocked: Bool { unsafe state.pointee.backlog != nil }
    /// Why the stream has come to a bad end.
    package var fault: PipeFault? {
        guard unsafe state.pointee.flags.contains(.failed) else { return nil }
        return unsafe state.pointee.fault
    }
    /// What we told the peer, close_notify not counted.
    package var alertSent: Alert? { unsafe state.pointee.alertSent.map(Alert.init(code:)) }
    /// Encrypted bytes that are kept until the socket has room.
    package var keptBytes: Int { unsafe (state.pointee.backlog?.count ?? 0) - state.pointee.backlogStart }

    /// By a session of an earlier connection, without a certificate and its signature.
    package var isResumed: Bool { unsafe SSL_session_reused(state.pointee.stream) == 1 }

    /// What the handshake has settled; meaningful once it is over.
    package var terms: StreamTerms {
        let stream = unsafe state.pointee.stream
        var (protocolBytes, length): (UnsafePointer<UInt8>?, CUnsignedInt) = (nil, 0)
        unsafe SSL_get0_alpn_selected(stream, &protocolBytes, &length)
        return StreamTerms(
            version: unsafe String(cString: SSL_get_version(stream)),
            cipher: unsafe SSL_CIPHER_get_name(SSL_get_current_cipher(stream)).map { unsafe String(cString: $0) } ?? "",
            applicationProtocol: unsafe protocolBytes.map {
                unsafe String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self)
            },
            serverName: unsafe SSL_get_servername(stream, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) },
            isResumed: isResumed)
    }

    /// The names in the peer's certificate that can be compared with anything; none where it showed none.
    package var peerNames: [SubjectName] {
        guard let certificate = unsafe SSL_get0_peer_certificate(state.pointee.stream) else { return [] }
        return unsafe SubjectName.all(in: certificate)
    }
}

/// What a handshake has settled.
package struct StreamTerms: Hashable, Sendable {
    /// "TLSv1.2" or "TLSv1.3".
    package var version: String
    /// OpenSSL's name of the suite.
    package var cipher: String
    /// What ALPN came to (RFC 7301); nil where it was not spoken.
    package var applicationProtocol: String?
    /// The name that the client asked for (RFC 6066 §3).
    package var serverName: String?
    /// By a session of an earlier connection, without a certificate and its signature.
    package var isResumed: Bool
}

// MARK: - Alerts

/// Notes the alerts of a stream as OpenSSL reads and writes them.
func noteAlert(_ stream: OpaquePointer?, _ place: CInt, _ value: CInt) {
    guard place & SSL_CB_ALERT != 0, let state = unsafe TLSPipe.state(of: stream) else { return }
    let code = UInt8(truncatingIfNeeded: value & 0xFF)
    let isFatal = value >> 8 == SSL3_AL_FATAL
    guard isFatal else { return }
    if place & SSL_CB_READ != 0 {
        unsafe state.pointee.alertReceived = code
    } else {
        unsafe state.pointee.alertSent = code
    }
}
