// What a config says of TLS: files by their names, none of them read yet.

/// A certificate with its chain, and its key.
package struct CertificateFiles: Hashable, Sendable {
    /// PEM: the certificate, then what vouches for it.
    package var certificate: String
    /// Nil: it stands in the certificate's file.
    package var key: String?

    package init(certificate: String, key: String? = nil) {
        self.certificate = certificate
        self.key = key
    }

    package var source: CertificateSource { .pair(certificate: certificate, key: key) }
}

/// Whether a client may come without a certificate.
package enum ClientCertificateRule: String, CaseIterable, Sendable {
    case required, optional
}

/// How a listener terminates TLS.
package struct TerminationOptions: Hashable, Sendable {
    /// One at least; the first is for clients that ask for no name that is here.
    package var certificates: [CertificateFiles]
    /// Who vouches for clients; nil: they are not asked for a certificate.
    package var clientAuthorities: String?
    package var clientRule: ClientCertificateRule
    /// Empty: whoever is vouched for.
    package var allowedNames: [NamePattern]
    package var applicationProtocols: [String]
    package var minimumVersion: ProtocolVersion

    package init(
        certificates: [CertificateFiles], clientAuthorities: String? = nil,
        clientRule: ClientCertificateRule = .required, allowedNames: [NamePattern] = [],
        applicationProtocols: [String] = [], minimumVersion: ProtocolVersion = .tls12
    ) {
        self.certificates = certificates
        self.clientAuthorities = clientAuthorities
        self.clientRule = clientRule
        self.allowedNames = allowedNames
        self.applicationProtocols = applicationProtocols
        self.minimumVersion = minimumVersion
    }

    package var sources: [CertificateSource] {
        certificates.map(\.source) + (clientAuthorities.map { [.authorities($0)] } ?? [])
    }
}

/// How an upstream originates TLS.
package struct OriginationOptions: Hashable, Sendable {
    /// Nil: the system's.
    package var authorities: String?
    /// Whom endpoints' certificates have to name; nil: each its own address.
    package var serverName: ServerName?
    /// What is shown where an endpoint asks.
    package var certificate: CertificateFiles?

    package init(authorities: String? = nil, serverName: ServerName? = nil, certificate: CertificateFiles? = nil) {
        self.authorities = authorities
        self.serverName = serverName
        self.certificate = certificate
    }

    package var sources: [CertificateSource] {
        (authorities.map { [.authorities($0)] } ?? []) + (certificate.map { [$0.source] } ?? [])
    }
}

/// All of a config's TLS, by the names of listeners and upstreams; who is not named speaks plainly.
package struct TLSOptions: Hashable, Sendable {
    package var listeners: [String: TerminationOptions]
    package var upstreams: [String: OriginationOptions]

    package init(listeners: [String: TerminationOptions] = [:], upstreams: [String: OriginationOptions] = [:]) {
        self.listeners = listeners
        self.upstreams = upstreams
    }

    package var isEmpty: Bool { listeners.isEmpty && upstreams.isEmpty }

    /// Everything that is read, once each, in an order that does not change.
    package var sources: [CertificateSource] {
        let named =
            listeners.sorted { $0.key < $1.key }.flatMap(\.value.sources)
            + upstreams.sorted { $0.key < $1.key }.flatMap(\.value.sources)
        var seen: Set<CertificateSource> = []
        return named.filter { seen.insert($0).inserted }
    }
}
