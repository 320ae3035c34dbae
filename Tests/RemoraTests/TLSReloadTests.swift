// Who is no longer trusted: names and authorities that go while a remora runs, by a reload or by a change of their file.
//
// A session of before must not let anyone in either, so each of these clients brings one that was seen to resume.

import Foundation
import Glibc
import Testing
import Vocabulary

@Suite("TLS that is revoked by removal", .serialized)
struct TLSReloadTests {
    private let files: TLSFiles
    private let instance: Instance

    init() throws {
        files = try TLSFiles()
        instance = try Instance("web")
        try files.make("other-ca", extensions: ["basicConstraints=critical,CA:true"])
        try files.make("web", by: "ca", names: "DNS:web.edge")
        try files.make("shop", by: "ca", names: "URI:spiffe://edge/shop")
        try files.make("guest", by: "ca", names: "URI:spiffe://edge/guest")
        try files.make("stranger", by: "other-ca", names: "DNS:web.edge,URI:spiffe://edge/shop")
        try trust(["ca", "other-ca"])
    }

    /// Makes `trusted.pem` of authorities, replaced as a whole.
    private func trust(_ authorities: [String]) throws {
        let list = authorities.map { files.path("\($0).pem") }
        let outcome = try runProgram(
            ["sh", "-ec", "cat \"$@\" > .new; mv .new trusted.pem", "sh"] + list, in: files.directory.path)
        try #require(outcome.status == 0, "\(outcome.output)")
    }

    private func listening(_ more: String) -> String {
        """
        upstreams: [{name: out, endpoints: ["\(instance.address)"]}]
        listeners: [{name: in, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("web")), \(more)}}]
        admin: 127.0.0.1:0

        """
    }

    /// What `who` gets; it brings the session that it had the time before, if any.
    private func visit(_ listener: SocketAddress, by who: String, _ version: String, resuming: Bool) throws -> String {
        let session = files.path("\(who).session")
        let former = resuming ? ["-sess_in", session] : []
        return try files.openssl(listener, files.showing(who) + [version, "-sess_out", session] + former)
    }

    /// Has `who` come in, twice, so that it holds a session which is known to serve.
    private func befriend(_ who: String, _ listener: SocketAddress, _ version: String) throws {
        for resuming in [false, true] {
            let answer = try visit(listener, by: who, version, resuming: resuming)
            try #require(answer.contains("\r\n\r\nweb"), "\(answer)")
            try #require(answer.contains("\nReused, TLS") == resuming, "\(answer)")
        }
    }

    // MARK: Before clients

    @Test(
        "Who has gone from allow_san is refused from the reload on, with or without a session of before",
        arguments: ["-tls1_2", "-tls1_3"])
    func allowedNames(version: String) throws {
        defer { instance.end() }
        let both = "[\"spiffe://edge/shop\", \"spiffe://edge/guest\"]"
        let config = listening("client_ca: \(files.path("ca.pem")), allow_san: \(both)")
        let file = try files.directory.write(config)
        try RemoraProcess.with(["run", "--config", file, "--threads", "2"]) { remora in
            let listener = try remora.ready().listener
            try befriend("guest", listener, version)
            try befriend("shop", listener, version)
            // When one of the two names is removed
            _ = try files.directory.write(config.replacing(both, with: "[\"spiffe://edge/shop\"]"))
            remora.signal(SIGHUP)
            try remora.log.line(containing: "it is in force")
            // Then whoever bears it is refused, and told of by its name
            for resuming in [true, false] {
                let answer = try visit(listener, by: "guest", version, resuming: resuming)
                #expect(answer.contains("SSL alert number 46\n") && !answer.contains("\r\n\r\nweb"), "\(answer)")
            }
            let line = try remora.log.line(containing: "closed in the TLS handshake")
            #expect(
                line.contains("none of its names is allowed; it is for URI spiffe://edge/guest"), "\(line)")
            // And the other goes on, for the first time without its session
            let first = try visit(listener, by: "shop", version, resuming: true)
            #expect(first.contains("\r\n\r\nweb") && first.contains("\nNew, TLS"), "\(first)")
            let second = try visit(listener, by: "shop", version, resuming: true)
            #expect(second.contains("\r\n\r\nweb") && second.contains("\nReused, TLS"), "\(second)")
        }
        #expect(instance.requests == 6)
    }

    @Test(
        "Whose authority has gone from client_ca is refused, by a reload and by a change of the file",
        arguments: ["-tls1_2", "-tls1_3"], [true, false])
    func clientAuthorities(version: String, byReload: Bool) throws {
        defer { instance.end() }
        let config = listening("client_ca: \(files.path("trusted.pem")), allow_san: [\"spiffe://edge/shop\"]")
        let file = try files.directory.write(config)
        try RemoraProcess.with(["run", "--config", file, "--threads", "2"]) { remora in
            let listener = try remora.ready().listener
            try befriend("stranger", listener, version)
            if byReload {
                _ = try files.directory.write(config.replacing(files.path("trusted.pem"), with: files.path("ca.pem")))
                remora.signal(SIGHUP)
                try remora.log.line(containing: "it is in force")
            } else {
                try trust(["ca"])
                try remora.log.line(containing: "\(files.path("trusted.pem")) was read again")
            }
            for resuming in [true, false] {
                let answer = try visit(listener, by: "stranger", version, resuming: resuming)
                #expect(answer.contains("SSL alert number 48\n") && !answer.contains("\r\n\r\nweb"), "\(answer)")
            }
            let line = try remora.log.line(containing: "closed in the TLS handshake")
            #expect(line.contains("the peer's certificate is refused: unable to get local issuer"), "\(line)")
            #expect(try visit(listener, by: "shop", version, resuming: false).contains("\r\n\r\nweb"))
        }
        #expect(instance.requests == 3)
    }

    @Test("Where certificates of clients begin to be asked for, who has a session of before has to show one")
    func askedFromNowOn() throws {
        defer { instance.end() }
        let config = listening("min_version: \"1.2\"")
        let file = try files.directory.write(config)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let listener = try remora.ready().listener
            let session = files.path("session")
            #expect(try files.openssl(listener, ["-sess_out", session]).contains("\r\n\r\nweb"))
            #expect(try files.openssl(listener, ["-sess_in", session]).contains("\nReused, TLS"))
            _ = try files.directory.write(
                config.replacing("min_version: \"1.2\"", with: "client_ca: \(files.path("ca.pem"))"))
            remora.signal(SIGHUP)
            try remora.log.line(containing: "it is in force")
            #expect(try files.openssl(listener, ["-sess_in", session]).contains("SSL alert number 116\n"))
        }
        #expect(instance.requests == 2)
    }

    // MARK: Before endpoints

    @Test(
        "An endpoint whose authority has gone from ca is refused, by a reload and by a change of the file",
        arguments: [true, false])
    func endpointAuthorities(byReload: Bool) throws {
        let endpoint = try TLSEndpoint(
            files, [TLSEndpoint.Door(certificate: "stranger")])
        let config = """
            upstreams:
            - name: out
              endpoints: ["\(endpoint.addresses[0])"]
              tls: {ca: \(files.path("trusted.pem")), server_name: web.edge}
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out}]
            admin: 127.0.0.1:0

            """
        let file = try files.directory.write(config)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let listener = try remora.ready().listener
            #expect(request(through: listener) == "0 TLSv1.3 new nobody")
            #expect(request(through: listener) == "0 TLSv1.3 resumed nobody")
            if byReload {
                _ = try files.directory.write(config.replacing(files.path("trusted.pem"), with: files.path("ca.pem")))
                remora.signal(SIGHUP)
                try remora.log.line(containing: "it is in force")
            } else {
                try trust(["ca"])
                try remora.log.line(containing: "\(files.path("trusted.pem")) was read again")
            }
            let client = try Peer(to: listener)
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try client.ending() == .reset)
            let line = try remora.log.line(containing: "upstream out: no TLS with \(endpoint.addresses[0]): ")
            #expect(
                line.hasSuffix("the peer's certificate is refused: unable to get local issuer certificate"), "\(line)")
            try endpoint.says("0 refused TLSV1_ALERT_UNKNOWN_CA")
        }
        withExtendedLifetime(instance) { instance.end() }
    }
}
