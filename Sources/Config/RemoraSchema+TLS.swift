// The keys of TLS, on both sides.

internal import TLS

extension RemoraSchema {
    enum Termination {
        static let certificates = Key.sections(
            "certificates", of: CertificateFile.section, element: "certificate", count: 1...1_000, or: .none,
            "Pairs of certificate and key; clients get the one for the name they ask for, else the first.")
        static let certificate = Key.path(
            "certificate", "In place of certificates: the only one, PEM, followed by what vouches for it.")
        static let key = Key.path("key", "PEM file of its key. Default: the certificate's file.")
        static let clientCA = Key.path(
            "client_ca", "PEM file of who vouches for clients. Default: none, they are not asked for a certificate.")
        static let clientAuth = Key<ClientCertificateRule>.choice(
            "client_auth", "Whether clients must show a certificate. Default: required, where client_ca is.")
        static let allowSAN = Key.texts(
            "allow_san", of: 1...1_024, element: "pattern", count: 1...1_000, or: .none,
            "Clients' certificates that are let in, by a name in them. Default: all that client_ca vouches for.")
        static let alpn = Key.texts(
            "alpn", of: 1...255, element: "protocol", count: 1...64, or: .none,
            "Protocols that clients may ask for, the best first. Default: none are spoken of.")
        static let minVersion = Key<ProtocolVersion>.choice(
            "min_version", or: .tls12, "The oldest version of TLS that is spoken.")

        static let section = Section(
            "tls",
            [
                certificates.field, certificate.field, key.field, clientCA.field, clientAuth.field, allowSAN.field,
                alpn.field, minVersion.field,
            ],
            alternatives: [[certificates.field, certificate.field]],
            companions: [
                Companion(key.field, needs: certificate.field),
                Companion(clientAuth.field, needs: clientCA.field),
                Companion(allowSAN.field, needs: clientCA.field),
            ])
    }

    enum CertificateFile {
        static let certificate = Key.requiredPath(
            "certificate", "PEM file of the certificate, followed by what vouches for it.")
        static let key = Key.path("key", "PEM file of its key. Default: the certificate's file.")

        static let section = Section("a certificate", [certificate.field, key.field])
    }

    enum Origination {
        static let ca = Key.path("ca", "PEM file of who vouches for endpoints. Default: the system's authorities.")
        static let serverName = Key.text(
            "server_name", 1...253, "The name endpoints' certificates must bear. Default: each its own address.")
        static let certificate = Key.path(
            "certificate", "PEM file of what is shown to endpoints that ask. Default: none.")
        static let key = Key.path("key", "PEM file of its key. Default: the certificate's file.")

        static let section = Section(
            "tls", [ca.field, serverName.field, certificate.field, key.field],
            companions: [Companion(key.field, needs: certificate.field)])
    }
}
