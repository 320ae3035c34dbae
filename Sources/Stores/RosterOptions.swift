// Where the roster is, as a config file says once it has been read.

/// Who belongs to the fleet, whoever answers: the place where an operator has written it down.
package enum RosterOptions: Hashable, Sendable {
    /// A YAML file with a list of names; watched.
    case file(path: String)
    case etcd(EtcdOptions)
}

package struct EtcdOptions: Hashable, Sendable {
    package struct Endpoint: Hashable, Sendable {
        package var isSecure: Bool
        /// As written, an IPv6 address without its brackets: an address or a name, which the certificate has to bear.
        package var host: String
        package var port: UInt16

        package init(isSecure: Bool, host: String, port: UInt16) {
            self.isSecure = isSecure
            self.host = host
            self.port = port
        }
    }

    /// At least one; tried in turn.
    package var endpoints: [Endpoint]
    /// Each key below it is the prefix and a member's name.
    package var prefix: String
    package var username: String?
    package var passwordFile: String?
    /// PEM files; nil: the system's trust store, no client certificate.
    package var ca: String?
    package var certificate: String?
    package var key: String?

    package init(
        endpoints: [Endpoint], prefix: String, username: String? = nil, passwordFile: String? = nil, ca: String? = nil,
        certificate: String? = nil, key: String? = nil
    ) {
        self.endpoints = endpoints
        self.prefix = prefix
        self.username = username
        self.passwordFile = passwordFile
        self.ca = ca
        self.certificate = certificate
        self.key = key
    }
}
