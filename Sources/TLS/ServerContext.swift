// What all connections to one listener have in common: certificates, whom it asks for one, and how it speaks.
//
// A context is made once and never changed; a new certificate makes a new context, and the connections of the old one
// keep it. All workers share it. Its defaults are Mozilla's "intermediate": TLS 1.2 and 1.3, forward secrecy and
// authenticated encryption only, X25519, P-256 and P-384. Not taken from there: finite-field Diffie-Hellman, which lets a
// client buy a millisecond of our time for a packet (CVE-2002-20001), and which nobody needs who has one of the curves;
// and the client's choice of a suite. All of them are strong, so the order is ours: AES-128 with SHA-256 first, as
// browsers have it too. It takes a tenth less time to encrypt and half as much to hash as AES-256 with SHA-384, which
// OpenSSL's clients ask for first. Only who puts ChaCha20 first gets it: it has no AES instructions.

import COpenSSL

/// The oldest version that is spoken.
package enum ProtocolVersion: String, CaseIterable, Sendable {
    case tls12 = "1.2"
    case tls13 = "1.3"

    var number: CInt {
        switch self {
        case .tls12: TLS1_2_VERSION
        case .tls13: TLS1_3_VERSION
        }
    }
}

/// The suites of TLS 1.3, and those of 1.2, in Mozilla's order.
let intermediateSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
let intermediateCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
let intermediateGroups = "X25519:P-256:P-384"

/// What a listener asks of its clients.
package enum ClientAuthentication: Sendable {
    case none
    /// Who shows a certificate must be vouched for; who shows none is let in.
    case optional(TrustAnchors)
    case required(TrustAnchors)
}

/// How a listener terminates TLS.
package struct ServerOptions: Sendable {
    /// One at least; the first is for clients that ask for no name that is here.
    package var certificates: [CertificatePair]
    package var clientAuthentication: ClientAuthentication
    /// Of a client's certificate one name must match one of these; empty lets in whoever is vouched for.
    package var allowedNames: [NamePattern]
    /// In our order (RFC 7301); a client that offers some and none of these is refused. Empty: ALPN is not spoken.
    package var applicationProtocols: [String]
    package var minimumVersion: ProtocolVersion
    /// What its sessions may be resumed by: a context of the same scope, the same authorities and the same names.
    package var scope: String

    package init(
        certificates: [CertificatePair], clientAuthentication: ClientAuthentication = .none,
        allowedNames: [NamePattern] = [], applicationProtocols: [String] = [],
        minimumVersion: ProtocolVersion = .tls12, scope: String
    ) {
        self.certificates = certificates
        self.clientAuthentication = clientAuthentication
        self.allowedNames = allowedNames
        self.applicationProtocols = applicationProtocols
        self.minimumVersion = minimumVersion
        self.scope = scope
    }
}

/// Makes the pipes of a listener's connections, for any worker.
///
/// Sendable: OpenSSL counts an SSL_CTX atomically and changes nothing in it once its callbacks are set, as it keeps no
/// sessions; everything else here is constant, and the ticket keys have a lock.
@safe
package final class ServerContext: @unchecked Sendable {
    private let raw: OpaquePointer
    private let certificates: [CertificatePair]
    private let choice: CertificateChoice
    private let allowedNames: [NamePattern]
    /// As RFC 7301 writes them: each behind its length.
    private let protocols: [UInt8]
    private let tickets: TicketKeys

    /// Protocols' names within ``ServerOptions/applicationProtocols`` have 1 to 255 bytes.
    package init(_ options: ServerOptions, tickets: TicketKeys) throws(CertificateFault) {
        precondition(!options.certificates.isEmpty, "a server without a certificate")
        ERR_clear_error()
        guard let raw = unsafe SSL_CTX_new(TLS_server_method()) else { throw .unavailable }
        unsafe self.raw = unsafe raw
        self.tickets = tickets
        certificates = options.certificates
        choice = CertificateChoice(options.certificates.map(\.hostNames))
        allowedNames = options.allowedNames
        protocols = protocolList(options.applicationProtocols)
        try unsafe setBasics(of: raw, minimum: options.minimumVersion)
        unsafe SSL_CTX_set_options(raw, remora_SSL_OP_CIPHER_SERVER_PREFERENCE | remora_SSL_OP_PRIORITIZE_CHACHA)
        // The default for whoever asks for nothing; the others are set when somebody asks.
        for position in choice.fallback {
            let pair = certificates[position]
            guard unsafe SSL_CTX_use_cert_and_key(raw, pair.certificate, pair.key, pair.chain, 1) == 1 else {
                throw .refused(path: pair.path, reason: takeLibraryError().reason)
            }
        }
        unsafe SSL_CTX_set_num_tickets(raw, 1)
        unsafe SSL_CTX_set_timeout(raw, CLong(TicketKeys.sessionLifetime))
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe SSL_CTX_set_ex_data(raw, 0, me)
        unsafe remora_SSL_CTX_accept_names(raw)
        setTickets()
        try setAuthentication(options)
        if choice.fallback.count < certificates.count {
            unsafe SSL_CTX_set_cert_cb(
                raw, { stream, me in unsafe ServerContext.from(me)?.chooseCertificates(for: stream) ?? 0 }, me)
        }
        if !protocols.isEmpty {
            unsafe SSL_CTX_set_alpn_select_cb(
                raw,
                { _, selected, length, offered, count, me in
                    unsafe ServerContext.from(me)?.select(selected, length, from: offered, count)
                        ?? SSL_TLSEXT_ERR_ALERT_FATAL
                }, me)
        }
    }

    deinit { unsafe SSL_CTX_free(raw) }

    /// A pipe for a connection that was accepted; nil without memory.
    /// - Parameter descriptor: non-blocking; it stays the caller's, and outlives the pipe.
    package func makePipe(over descriptor: Int32, wire: Wire) -> TLSPipe? {
        guard let stream = unsafe SSL_new(raw) else {
            ERR_clear_error()
            return nil
        }
        return unsafe TLSPipe(stream: stream, isClient: false, descriptor: descriptor, wire: wire, context: self)
    }

    private static func from(_ pointer: UnsafeMutableRawPointer?) -> ServerContext? {
        unsafe pointer.map { unsafe Unmanaged<ServerContext>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func of(_ stream: OpaquePointer?) -> ServerContext? {
        unsafe from(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(stream), 0))
    }
}

/// What clients and servers have in common.
func setBasics(of raw: OpaquePointer, minimum: ProtocolVersion) throws(CertificateFault) {
    let isSet =
        unsafe SSL_CTX_ctrl(raw, SSL_CTRL_SET_MIN_PROTO_VERSION, CLong(minimum.number), nil) == 1
        && SSL_CTX_set_ciphersuites(raw, intermediateSuites) == 1
        && SSL_CTX_set_cipher_list(raw, intermediateCiphers) == 1
        && intermediateGroups.withCString { groups in
            unsafe SSL_CTX_ctrl(raw, SSL_CTRL_SET_GROUPS_LIST, 0, UnsafeMutableRawPointer(mutating: groups)) == 1
        }
    guard isSet else { throw .unavailable }
    // Renegotiation lets a client make us work at will, and compression tells what was encrypted (CRIME).
    unsafe SSL_CTX_set_options(raw, remora_SSL_OP_NO_RENEGOTIATION | remora_SSL_OP_NO_COMPRESSION)
    // 34 KiB less for a connection that is idle.
    unsafe SSL_CTX_ctrl(raw, SSL_CTRL_MODE, CLong(SSL_MODE_RELEASE_BUFFERS), nil)
    unsafe SSL_CTX_ctrl(raw, SSL_CTRL_SET_SESS_CACHE_MODE, CLong(SSL_SESS_CACHE_OFF), nil)
    unsafe SSL_CTX_set_verify_depth(raw, 8)
    unsafe SSL_CTX_set_info_callback(raw) { stream, place, value in unsafe noteAlert(stream, place, value) }
}

/// Names as RFC 7301 §3.1 lists them.
func protocolList(_ names: [String]) -> [UInt8] {
    names.flatMap { name in
        precondition((1...255).contains(name.utf8.count), "a protocol's name has 1 to 255 bytes")
        return [UInt8(name.utf8.count)] + name.utf8
    }
}

// MARK: - Certificates and protocols

extension ServerContext {
    private func chooseCertificates(for stream: OpaquePointer?) -> CInt {
        let name = unsafe SSL_get_servername(stream, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
        let pairs = choice.pairs(for: name)
        guard pairs != choice.fallback else { return 1 }
        unsafe SSL_certs_clear(stream)
        for position in pairs {
            let pair = certificates[position]
            guard unsafe SSL_use_cert_and_key(stream, pair.certificate, pair.key, pair.chain, 1) == 1 else { return 0 }
        }
        return 1
    }

    private func select(
        _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ length: UnsafeMutablePointer<UInt8>?,
        from offered: UnsafePointer<UInt8>?, _ count: CUnsignedInt
    ) -> CInt {
        guard let selected = unsafe selected, let length = unsafe length, let offered = unsafe offered else {
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }
        let theirs = unsafe UnsafeBufferPointer(start: offered, count: Int(count))
        var mine = protocols[...]
        while let size = mine.first {
            let name = mine.dropFirst().prefix(Int(size))
            var place = 0
            while place < theirs.count {
                let theirSize = unsafe Int(theirs[place])
                // OpenSSL has seen to it that the list adds up.
                let theirName = unsafe theirs[min(place + 1, theirs.count)..<min(place + 1 + theirSize, theirs.count)]
                if unsafe theirName.elementsEqual(name) {
                    unsafe selected.pointee = offered + place + 1
                    unsafe length.pointee = size
                    return SSL_TLSEXT_ERR_OK
                }
                place += 1 + theirSize
            }
            mine = mine.dropFirst(1 + Int(size))
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}

// MARK: - Tickets

extension ServerContext {
    private func setTickets() {
        unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(raw) { stream, name, initial, cipher, mac, sealing in
            guard let context = unsafe ServerContext.of(stream), let name = unsafe name, let initial = unsafe initial
            else { return -1 }
            return unsafe context.tickets.prepare(stream, name, initial, cipher, mac, sealing: sealing == 1)
        }
        // Resuming does not verify again what a client showed then; a certificate that is too old now is not believed.
        unsafe SSL_CTX_set_session_ticket_cb(
            raw, nil,
            { _, session, _, _, status, _ in
                let isRenewed = status == SSL_TICKET_SUCCESS_RENEW
                guard isRenewed || status == SSL_TICKET_SUCCESS else { return SSL_TICKET_RETURN_IGNORE_RENEW }
                if let certificate = unsafe SSL_SESSION_get0_peer(session),
                    unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0
                {
                    return SSL_TICKET_RETURN_IGNORE_RENEW
                }
                return isRenewed ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE
            }, nil)
    }
}

// MARK: - Clients' certificates

extension ServerContext {
    private func setAuthentication(_ options: ServerOptions) throws(CertificateFault) {
        var scope = Array(options.scope.utf8) + [0]
        let anchors: TrustAnchors?
        switch options.clientAuthentication {
        case .none:
            anchors = nil
        case .optional(let trusted):
            anchors = trusted
            unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
            scope += [1] + trusted.digest
        case .required(let trusted):
            anchors = trusted
            unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
            scope += [2] + trusted.digest
        }
        for pattern in options.allowedNames { scope += Array(pattern.description.utf8) + [0] }
        // A session is worth what was asked of its client: under another scope it is none.
        let digest = sha256(of: scope)
        guard unsafe SSL_CTX_set_session_id_context(raw, digest, CUnsignedInt(digest.count)) == 1 else {
            throw .unavailable
        }
        guard let anchors else { return }
        unsafe X509_STORE_up_ref(anchors.store)
        unsafe SSL_CTX_set_cert_store(raw, anchors.store)
        guard let names = unsafe remora_sk_X509_NAME_new() else { throw .unavailable }
        for subject in anchors.subjects {
            guard let copy = unsafe X509_NAME_dup(subject.raw) else { continue }
            unsafe remora_sk_X509_NAME_push(names, copy)
        }
        unsafe SSL_CTX_set_client_CA_list(raw, names)
        unsafe SSL_CTX_set_cert_verify_callback(
            raw, { store, me in unsafe ServerContext.from(me)?.verify(store) ?? 0 },
            Unmanaged.passUnretained(self).toOpaque())
    }

    /// Whether a client's certificate is vouched for, and whether it is for somebody who is let in.
    private func verify(_ store: OpaquePointer?) -> CInt {
        guard unsafe X509_verify_cert(store) == 1 else { return 0 }
        guard !allowedNames.isEmpty else { return 1 }
        let names = unsafe X509_STORE_CTX_get0_cert(store).map { unsafe SubjectName.all(in: $0) } ?? []
        if names.contains(where: { name in allowedNames.contains { $0.matches(name) } }) { return 1 }
        // OpenSSL makes the alert "certificate unknown" of it: not damaged, not expired, and still not acceptable.
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_PERMITTED_VIOLATION)
        let stream = unsafe X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
        if let state = unsafe TLSPipe.state(of: OpaquePointer(stream)) {
            let shown = names.prefix(8).map(\.shown).joined(separator: ", ")
            unsafe state.pointee.refusedNames =
                names.isEmpty ? "nobody" : shown + (names.count > 8 ? " and \(names.count - 8) more" : "")
        }
        return 0
    }
}
