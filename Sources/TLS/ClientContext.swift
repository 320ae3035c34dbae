// What all connections to the endpoints of one upstream have in common: whom we believe, and who we are.
//
// A server is always verified; there is no way to turn that off, since whoever cannot have certificates verified is
// better served by plain TCP, which at least looks like what it is. Like a server's, a context never changes and is
// shared by all workers; the sessions are each worker's own.

import COpenSSL
import Synchronization
package import Vocabulary

/// Whom a server's certificate has to name.
package enum ServerName: Hashable, Sendable {
    /// It is asked for (SNI) and verified.
    case host(String)
    /// Verified; no name is asked for, as RFC 6066 §3 has none for addresses.
    case ipv4(SocketAddress.IPv4)
    case ipv6(SocketAddress.IPv6)

    package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case notAHostName(String)

        package var description: String {
            switch self {
            case .notAHostName(let text): "\"\(text)\" is no host name; write one like ingest.edge.example"
            }
        }
    }

    /// Reads what an operator wrote: an address or a host name.
    package init(_ text: String) throws(Fault) {
        if let address = SocketAddress.IPv4(text) {
            self = .ipv4(address)
        } else if let address = SocketAddress.IPv6(text) {
            self = .ipv6(address)
        } else {
            let isName = text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
            }
            guard isName, (1...253).contains(text.utf8.count), !text.hasPrefix("."), !text.hasSuffix("."),
                !text.contains("..")
            else { throw .notAHostName(text) }
            self = .host(text)
        }
    }

    /// The name of an endpoint that was given none: its address.
    /// - Returns: nil for a unix socket, which no certificate can name.
    package init?(of address: SocketAddress) {
        switch address {
        case .ipv4(let ip, _): self = .ipv4(ip)
        case .ipv6(let ip, _): self = .ipv6(ip)
        case .unix: return nil
        }
    }
}

/// How an upstream originates TLS.
package struct ClientOptions: Sendable {
    package var trusted: TrustAnchors
    /// What we show where a server asks.
    package var certificate: CertificatePair?
    /// What we offer (RFC 7301), the best first; empty: ALPN is not spoken.
    package var applicationProtocols: [String]
    package var minimumVersion: ProtocolVersion

    package init(
        trusted: TrustAnchors, certificate: CertificatePair? = nil, applicationProtocols: [String] = [],
        minimumVersion: ProtocolVersion = .tls12
    ) {
        self.trusted = trusted
        self.certificate = certificate
        self.applicationProtocols = applicationProtocols
        self.minimumVersion = minimumVersion
    }
}

/// Makes the pipes of connections to an upstream, for any worker. Sendable for the reason of ``ServerContext``.
@safe
package final class ClientContext: @unchecked Sendable {
    private let raw: OpaquePointer
    private let number: UInt64
    /// OpenSSL counts them, but they must not be freed before the store they were put into.
    private let trusted: TrustAnchors

    private static let contexts = Atomic<UInt64>(0)

    package init(_ options: ClientOptions) throws(CertificateFault) {
        ERR_clear_error()
        guard let raw = unsafe SSL_CTX_new(TLS_client_method()) else { throw .unavailable }
        unsafe self.raw = unsafe raw
        trusted = options.trusted
        number = Self.contexts.wrappingAdd(1, ordering: .relaxed).newValue
        try unsafe setBasics(of: raw, minimum: options.minimumVersion)
        unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
        unsafe X509_STORE_up_ref(trusted.store)
        unsafe SSL_CTX_set_cert_store(raw, trusted.store)
        if let pair = options.certificate {
            guard unsafe SSL_CTX_use_cert_and_key(raw, pair.certificate, pair.key, pair.chain, 1) == 1 else {
                throw .refused(path: pair.path, reason: takeLibraryError().reason)
            }
        }
        let protocols = protocolList(options.applicationProtocols)
        if !protocols.isEmpty {
            // 0 is success, here alone.
            guard unsafe SSL_CTX_set_alpn_protos(raw, protocols, CUnsignedInt(protocols.count)) == 0 else {
                throw .unavailable
            }
        }
        unsafe SSL_CTX_ctrl(
            raw, SSL_CTRL_SET_SESS_CACHE_MODE, CLong(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE), nil)
        unsafe SSL_CTX_sess_set_new_cb(raw) { stream, session in
            guard let state = unsafe TLSPipe.state(of: stream), let sessions = unsafe state.pointee.sessions,
                let session = unsafe session, unsafe SSL_SESSION_is_resumable(session) == 1
            else { return 0 }
            unsafe sessions.add(session, for: state.pointee.destination)
            return 1
        }
    }

    deinit { unsafe SSL_CTX_free(raw) }

    /// A pipe for a connection that was made; nil without memory. Call ``TLSPipe/Handle/begin()`` first.
    ///
    /// - Parameters:
    ///   - descriptor: non-blocking and connected; it stays the caller's, and outlives the pipe.
    ///   - sessions: of this worker; nil to resume none.
    ///   - endpoint: what a session resumes at: two endpoints of one upstream need not know each other's tickets.
    package func makePipe(
        over descriptor: Int32, to name: ServerName, wire: Wire, sessions: SessionStore? = nil, endpoint: UInt64 = 0
    ) -> TLSPipe? {
        guard let stream = unsafe SSL_new(raw) else {
            ERR_clear_error()
            return nil
        }
        guard unsafe Self.setName(name, of: stream) else {
            unsafe SSL_free(stream)
            ERR_clear_error()
            return nil
        }
        guard
            let pipe = unsafe TLSPipe(
                stream: stream, isClient: true, descriptor: descriptor, wire: wire, context: self)
        else { return nil }
        if let sessions {
            let destination = SessionStore.Destination(context: number, endpoint: endpoint)
            unsafe pipe.handle.state.pointee.sessions = sessions
            unsafe pipe.handle.state.pointee.destination = destination
            if let session = unsafe sessions.take(for: destination) {
                unsafe SSL_set_session(stream, session)
                unsafe SSL_SESSION_free(session)
            }
        }
        return pipe
    }

    private static func setName(_ name: ServerName, of stream: OpaquePointer) -> Bool {
        let parameters = unsafe SSL_get0_param(stream)
        switch name {
        case .host(let host):
            unsafe SSL_set_hostflags(stream, CUnsignedInt(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            return unsafe SSL_set1_host(stream, host) == 1
                && host.withCString { text in
                    unsafe SSL_ctrl(
                        stream, SSL_CTRL_SET_TLSEXT_HOSTNAME, CLong(TLSEXT_NAMETYPE_host_name),
                        UnsafeMutableRawPointer(mutating: text)) == 1
                }
        case .ipv4(let ip):
            return unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, ip.description) == 1
        case .ipv6(let ip):
            return unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, ip.description) == 1
        }
    }
}
