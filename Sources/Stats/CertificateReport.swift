// What a running remora shows of the certificates and authorities it works with; named and encoded as in `Report.swift`.

/// One of `GET /stats`' certificates, and `event: certificate`.
package struct CertificateReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable {
        case ok
        /// It ends within 14 days.
        case expiring
        case expired
    }

    /// The file it was read from.
    package var path: String
    /// `certificate` or `authorities`.
    package var kind: String
    /// What a certificate is for; empty for authorities.
    package var names: [String]
    /// `listener:NAME` and `upstream:NAME`.
    package var usedBy: [String]
    package var state: State
    /// When the first certificate in the file ends; negative once it has. Nil where it never does.
    package var expiresSeconds: Int64?
    /// Why the file as it is now is not used; nil where it is.
    package var refused: String?

    package init(
        path: String, kind: String, names: [String], usedBy: [String], state: State, expiresSeconds: Int64?,
        refused: String?
    ) {
        self.path = path
        self.kind = kind
        self.names = names
        self.usedBy = usedBy
        self.state = state
        self.expiresSeconds = expiresSeconds
        self.refused = refused
    }

    /// Writes what is nil as null, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encode(kind, forKey: .kind)
        try container.encode(names, forKey: .names)
        try container.encode(usedBy, forKey: .usedBy)
        try container.encode(state, forKey: .state)
        try container.encode(expiresSeconds, forKey: .expiresSeconds)
        try container.encode(refused, forKey: .refused)
    }
}
