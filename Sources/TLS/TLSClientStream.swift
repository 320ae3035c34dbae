// One client's side of a TLS stream: encrypted bytes in and out on one side, plain ones on the other.
//
// It has no descriptor: its owner carries bytes between it and a socket, and so keeps its own way of waiting, its
// deadlines and MSG_NOSIGNAL. That costs a copy (memory BIOs), which nobody feels on a connection that carries a few
// kilobytes a minute. Not taken: SSL_set_fd, whose writes raise SIGPIPE and whose waits are its caller's to guess.

import COpenSSL

/// For one thread at a time.
@safe
package final class TLSClientStream {
    private let stream: OpaquePointer
    /// Owned by `stream`: what has come from the other side, and what is to go there.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// Whom the certificate has to name.
    package enum Peer: Hashable, Sendable {
        case name(String)
        /// In text, without brackets.
        case address(String)
    }

    package enum Reading: Hashable {
        case bytes([UInt8])
        /// More encrypted bytes are needed first.
        case nothing
        /// The other side has said that it sends no more.
        case end
    }

    /// Plain bytes of one reading at most.
    package static let longestReading = 16 << 10

    /// - Parameter alpn: the protocol to be spoken inside, such as "http/1.1" (RFC 7301): 1 to 255 bytes.
    package init(_ context: TLSClientContext, to peer: Peer, alpn: String) throws(TLSFault) {
        precondition((1...255).contains(alpn.utf8.count), "a protocol's name has 1 to 255 bytes")
        ERR_clear_error()
        guard let stream = unsafe SSL_new(context.raw) else { throw .unavailable }
        guard let incoming = unsafe BIO_new(BIO_s_mem()) else {
            unsafe SSL_free(stream)
            throw .unavailable
        }
        guard let outgoing = unsafe BIO_new(BIO_s_mem()) else {
            unsafe BIO_free(incoming)
            unsafe SSL_free(stream)
            throw .unavailable
        }
        unsafe SSL_set_bio(stream, incoming, outgoing)
        unsafe self.stream = unsafe stream
        unsafe self.incoming = unsafe incoming
        unsafe self.outgoing = unsafe outgoing
        unsafe SSL_set_connect_state(stream)
        let isNamed: Bool
        switch peer {
        case .name(let name):
            // A NUL would end the name early, and another name would be verified.
            guard !name.isEmpty, !name.utf8.contains(0) else { throw .stream(reason: "\"\(name)\" is no host name") }
            unsafe SSL_set_hostflags(stream, CUnsignedInt(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            isNamed =
                unsafe SSL_set1_host(stream, name) == 1 && remora_SSL_set_tlsext_host_name(stream, name) == 1
        case .address(let text):
            // No server name is sent for an address (RFC 6066 §3).
            isNamed = unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream), text) == 1
        }
        guard isNamed else { throw .stream(reason: OpenSSL.takeError()) }
        let list = [UInt8(alpn.utf8.count)] + alpn.utf8
        // 0 is success, here alone.
        guard unsafe SSL_set_alpn_protos(stream, list, CUnsignedInt(list.count)) == 0 else { throw .unavailable }
    }

    deinit { unsafe SSL_free(stream) }
}

// MARK: - The encrypted side

extension TLSClientStream {
    /// Takes what has come from the other side. Read until ``Reading/nothing`` before more is given, or it is all kept.
    package func receive(_ encrypted: [UInt8]) throws(TLSFault) {
        guard !encrypted.isEmpty else { return }
        guard unsafe BIO_write(incoming, encrypted, CInt(encrypted.count)) == CInt(encrypted.count) else {
            throw .unavailable
        }
    }

    /// What is to be sent to the other side; after every call of the others.
    package func takeEncrypted() -> [UInt8] {
        let count = unsafe BIO_ctrl_pending(outgoing)
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, Int(unsafe BIO_read(outgoing, buffer.baseAddress, CInt(count))))
        }
    }
}

// MARK: - The plain side

extension TLSClientStream {
    /// Goes on with the handshake.
    /// - Returns: whether it is over; otherwise more encrypted bytes are needed.
    package func shakeHands() throws(TLSFault) -> Bool {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(stream)
        if result == 1 { return true }
        guard unsafe SSL_get_error(stream, result) == SSL_ERROR_WANT_READ else { throw fault() }
        return false
    }

    package func read() throws(TLSFault) -> Reading {
        ERR_clear_error()
        var result: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.longestReading) { buffer, filled in
            result = unsafe SSL_read(stream, buffer.baseAddress, CInt(buffer.count))
            filled = max(0, Int(result))
        }
        if result > 0 { return .bytes(bytes) }
        switch unsafe SSL_get_error(stream, result) {
        case SSL_ERROR_WANT_READ: return .nothing
        case SSL_ERROR_ZERO_RETURN: return .end
        default: throw fault()
        }
    }

    /// - Precondition: the handshake is over.
    package func write(_ plain: [UInt8]) throws(TLSFault) {
        guard !plain.isEmpty else { return }
        ERR_clear_error()
        // A memory BIO takes everything at once.
        guard unsafe SSL_write(stream, plain, CInt(plain.count)) == CInt(plain.count) else { throw fault() }
    }

    /// Says that nothing more is sent (close_notify).
    package func end() {
        ERR_clear_error()
        _ = unsafe SSL_shutdown(stream)
        ERR_clear_error()
    }

    /// Why OpenSSL has given up on this stream.
    private func fault() -> TLSFault {
        let verdict = unsafe SSL_get_verify_result(stream)
        let reason = OpenSSL.takeError()
        guard verdict == CLong(X509_V_OK) else {
            return .certificate(reason: unsafe String(cString: X509_verify_cert_error_string(verdict)))
        }
        return .stream(reason: reason)
    }
}
