import TLS
import Testing
import Vocabulary

@Suite("Who is let in")
struct IdentityTests {
    let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    // MARK: Clients

    struct Refusal: Sendable, CustomTestStringConvertible {
        var client: String?
        var allowed: [String] = []
        /// What TLS 1.3 and 1.2 call it.
        var alerts: (Alert, Alert)
        /// What the server's log says.
        var sentence: String
        var testDescription: String { sentence }
    }

    static let refusals: [Refusal] = [
        Refusal(
            client: nil, alerts: (.certificateRequired, .handshakeFailure),
            sentence: "TLS failed: peer did not return a certificate"),
        Refusal(
            client: "stranger", alerts: (.unknownCA, .unknownCA),
            sentence: "the peer's certificate is refused: unable to get local issuer certificate"),
        Refusal(
            client: "expired", alerts: (.certificateExpired, .certificateExpired),
            sentence: "the peer's certificate is refused: certificate has expired"),
        Refusal(
            client: "guest", allowed: ["spiffe://edge/*"], alerts: (.certificateUnknown, .certificateUnknown),
            sentence:
                "the peer's certificate is refused: none of its names is allowed; it is for URI spiffe://elsewhere/web"),
        Refusal(
            client: "nameless", allowed: ["*"], alerts: (.certificateUnknown, .certificateUnknown),
            sentence: "the peer's certificate is refused: none of its names is allowed; it is for nobody"),
    ]

    @Test("A client that is not let in hears why, and the log names it", arguments: refusals, ["1.2", "1.3"])
    func refused(refusal: Refusal, version: String) throws {
        let server = try certificates.server(clients: .required(certificates.authorities()), allowed: refusal.allowed)
        // A 1.2 client is one of OpenSSL's own; see PeerTests for more of those.
        let client = try certificates.client(certificate: refusal.client)
        if version == "1.2" {
            try refusedByTLS12(refusal, server)
            return
        }
        let conversation = try Conversation(client, server, wires: (Wire(), Wire()))
        conversation.client.outgoing = [1]
        try run(conversation.parties) { conversation.parties.allSatisfy { $0.end == .failed } }
        #expect(conversation.server.handle.alertSent == refusal.alerts.0)
        #expect(conversation.server.handle.fault?.description == refusal.sentence)
        #expect(conversation.client.handle.fault == .alert(refusal.alerts.0))
        #expect(!conversation.server.handle.isEstablished && conversation.server.received.isEmpty)
    }

    private func refusedByTLS12(_ refusal: Refusal, _ server: ServerContext) throws {
        let listener = try Loopback.Listener()
        var arguments = ["openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:\(listener.port)"]
        if let client = refusal.client {
            arguments += ["-cert", certificates.path("\(client).pem"), "-key", certificates.path("\(client).key")]
        }
        let program = try Program(arguments)
        let socket = try listener.accept()
        let party = Party(serving: socket, server)
        try run([party]) { party.end != .open }
        #expect(party.handle.alertSent == refusal.alerts.1)
        #expect(party.handle.fault?.description == refusal.sentence)
        #expect(program.outcome().errors.contains("SSL alert number \(refusal.alerts.1.code)"))
    }

    @Test("Of a refused client's names the first are told of, and none at more length than a host's")
    func longNames() throws {
        let long = "spiffe://elsewhere/" + String(repeating: "x", count: 4000)
        let others = (0..<9).map { "URI:\(long)\($0)" }
        try certificates.make("verbose", by: "ca", names: (["DNS:web.edge"] + others).joined(separator: ","))
        let server = try certificates.server(
            clients: .required(certificates.authorities()), allowed: ["spiffe://edge/*"])
        let conversation = try Conversation(
            certificates.client(certificate: "verbose"), server, wires: (Wire(), Wire()))
        try run(conversation.parties) { conversation.server.end != .open }
        let cut = "URI \(long)".prefix(257) + "..."
        let names = (["DNS web.edge"] + Array(repeating: String(cut), count: 7)).joined(separator: ", ") + " and 2 more"
        #expect(
            conversation.server.handle.fault == .certificate(reason: "none of its names is allowed", names: names))
    }

    static let admissions: [(client: String?, allowed: [String], isRequired: Bool)] = [
        ("client", [], true), ("client", ["spiffe://edge/*"], true), ("client", ["nobody", "*.edge"], true),
        ("client", ["*@edge.example"], true), ("client", ["10.0.0.*"], true), ("client", ["spiffe://edge/web"], false),
        ("nameless", [], true), (nil, ["spiffe://edge/*"], false), (nil, [], false),
    ]

    @Test("A client that is let in is known by its names", arguments: admissions)
    func admitted(client: String?, allowed: [String], isRequired: Bool) throws {
        let anchors = try certificates.authorities()
        let server = try certificates.server(
            clients: isRequired ? .required(anchors) : .optional(anchors), allowed: allowed)
        let conversation = try Conversation(certificates.client(certificate: client), server, wires: (Wire(), Wire()))
        conversation.client.outgoing = [1]
        try conversation.finish()
        #expect(conversation.server.received == [1])
        let names = conversation.server.handle.peerNames
        #expect(
            names
                == (client == "client"
                    ? [.uri("spiffe://edge/web"), .dns("web.edge"), .email("ops@edge.example"), .address("10.0.0.7")]
                    : []))
    }

    @Test("Where a certificate is optional, a bad one is refused all the same")
    func optionalAndBad() throws {
        let server = try certificates.server(clients: .optional(certificates.authorities()))
        let conversation = try Conversation(
            certificates.client(certificate: "stranger"), server, wires: (Wire(), Wire()))
        try run(conversation.parties) { conversation.server.end != .open }
        #expect(conversation.server.handle.alertSent == .unknownCA)
    }

    // MARK: Servers

    static let wrongServers: [(server: String, authority: String, name: String, alert: Alert, reason: String)] = [
        ("stranger", "ca", "a.edge", .unknownCA, "unable to get local issuer certificate"),
        ("server", "ca", "c.edge", .badCertificate, "hostname mismatch"),
        ("server", "ca", "a.b.ingest.edge", .badCertificate, "hostname mismatch"),
        ("server", "ca", "ingest.edge", .badCertificate, "hostname mismatch"),
        ("server", "ca", "127.0.0.2", .badCertificate, "IP address mismatch"),
        ("server", "ca", "::1", .badCertificate, "IP address mismatch"),
        ("expired", "ca", "a.edge", .certificateExpired, "certificate has expired"),
        ("ca", "other-ca", "a.edge", .unknownCA, "self-signed certificate"),
    ]

    @Test("A server that is not whom we want is refused, and hears why", arguments: wrongServers)
    func wrongServer(server: String, authority: String, name: String, alert: Alert, reason: String) throws {
        let conversation = try Conversation(
            certificates.client(trusting: authority), certificates.server([server]), to: ServerName(name),
            wires: (Wire(), Wire()))
        try run(conversation.parties) { conversation.parties.allSatisfy { $0.end == .failed } }
        #expect(conversation.client.handle.fault == .certificate(reason: reason, names: nil))
        #expect(conversation.client.handle.alertSent == alert)
        #expect(conversation.server.handle.fault == .alert(alert))
    }

    @Test(
        "A server is verified by the name or the address that is wanted",
        arguments: ["a.edge", "x.ingest.edge", "127.0.0.1"])
    func rightServer(name: String) throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), to: ServerName(name), wires: (Wire(), Wire()))
        try conversation.finish()
        #expect(conversation.client.handle.terms.serverName == (name == "127.0.0.1" ? nil : name))
    }

    @Test(
        "Names that no certificate can bear are refused beforehand",
        arguments: ["", "a b", "a..b", ".a", "a\0b", "a:1"])
    func notAName(text: String) {
        #expect(throws: ServerName.Fault.notAHostName(text)) { try ServerName(text) }
    }

    // MARK: Certificates by name

    @Test(
        "The certificate is the one for the name that is asked for",
        arguments: [
            ("a.edge", "a.edge"), ("B.EDGE", "b.edge"), ("x.ingest.edge", "a.edge"), ("unknown.edge", "a.edge"),
        ])
    func byName(asked: String, shown: String) throws {
        let listener = try Loopback.Listener()
        let server = try certificates.server(["server", "second"])
        let program = try Program([
            "openssl", "s_client", "-connect", "127.0.0.1:\(listener.port)", "-servername", asked, "-CAfile",
            certificates.path("ca.pem"), "-verify_hostname", shown, "-verify_return_error",
        ])
        let socket = try listener.accept()
        let party = Party(serving: socket, server)
        party.finishes = true
        try run([party]) { party.end != .open }
        #expect(party.handle.terms.serverName == asked)
        #expect(program.outcome().status == 0)
    }

    @Test("Of two certificates for one name, a client gets one whose key it can verify", arguments: ["RSA", "ECDSA"])
    func byKey(kind: String) throws {
        let listener = try Loopback.Listener()
        let server = try certificates.server(["second", "server", "rsa"])
        let program = try Program([
            "openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:\(listener.port)", "-servername", "a.edge",
            "-cipher",
            "ECDHE-\(kind)-AES128-GCM-SHA256", "-CAfile", certificates.path("ca.pem"), "-verify_return_error",
        ])
        let socket = try listener.accept()
        let party = Party(serving: socket, server)
        party.finishes = true
        try run([party]) { party.end != .open }
        #expect(party.handle.terms.cipher == "ECDHE-\(kind)-AES128-GCM-SHA256")
        #expect(program.outcome().status == 0)
    }

    @Test("A client that offers no protocol of ours hears so")
    func noProtocol() throws {
        let conversation = try Conversation(
            certificates.client(protocols: ["mqtt"]), certificates.server(protocols: ["h2"]), wires: (Wire(), Wire()))
        try run(conversation.parties) { conversation.parties.allSatisfy { $0.end == .failed } }
        #expect(conversation.client.handle.fault == .alert(.noApplicationProtocol))
        // One that offers none is let in.
        let silent = try Conversation(
            certificates.client(), certificates.server(protocols: ["h2"]), wires: (Wire(), Wire()))
        try silent.finish()
        #expect(silent.server.handle.terms.applicationProtocol == nil)
    }
}
