// Endpoints that a remora must not speak with: each is told why, left for another, and the client gets an abort, no end.

import Admin
import Foundation
import Glibc
import Stats
import Testing
import Vocabulary

@Suite("TLS to endpoints that are not to be trusted", .serialized)
struct TLSOriginTests {
    private let files: TLSFiles

    init() throws {
        files = try TLSFiles()
        try files.make("other-ca", extensions: ["basicConstraints=critical,CA:true"])
        try files.make("web", by: "ca", names: "DNS:web.edge")
        try files.make("elsewhere", by: "ca", names: "DNS:elsewhere.edge,DNS:*.web.edge")
        try files.make("stranger", by: "other-ca", names: "DNS:web.edge")
        try files.makeExpired("expired", by: "ca", names: "DNS:web.edge")
    }

    /// What is wrong with an endpoint, what it hears, and what the log says of it.
    private static let faults: [(door: TLSEndpoint.Door, hears: String, why: String)] = [
        (
            .init(certificate: "elsewhere"), "SSLV3_ALERT_BAD_CERTIFICATE",
            "the peer's certificate is refused: hostname mismatch"
        ),
        (
            .init(certificate: "stranger"), "TLSV1_ALERT_UNKNOWN_CA",
            "the peer's certificate is refused: unable to get local issuer certificate"
        ),
        (
            .init(certificate: "expired"), "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "the peer's certificate is refused: certificate has expired"
        ),
        // Here the endpoint is the one who gives up: it finds no version of its own in what we offer.
        (
            .init(certificate: "web", newest: "TLSv1_1"), "UNSUPPORTED_PROTOCOL",
            "the peer sent the TLS alert \"protocol version\""
        ),
    ]

    @Test(
        "An endpoint of a wrong name, authority, time or version is refused with its alert and a line, and its client aborted",
        arguments: ["TLSv1_2", "TLSv1_3"])
    func refused(newest: String) throws {
        let doors = Self.faults.map { fault in
            var door = fault.door
            if door.newest == "TLSv1_3" { door.newest = newest }
            return door
        }
        let endpoint = try TLSEndpoint(files, doors)
        let (upstreams, listeners) = (
            endpoint.addresses.enumerated().map { number, address in
                "- {name: u\(number), endpoints: [\"\(address)\"], tls: {ca: \(files.path("ca.pem")), server_name: web.edge}}\n"
            },
            endpoint.addresses.indices.map { "- {name: l\($0), bind: \"127.0.0.1:0\", upstream: u\($0)}\n" }
        )
        let file = try files.directory.write(
            "upstreams:\n\(upstreams.joined())listeners:\n\(listeners.joined())admin: 127.0.0.1:0\n")
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            for (number, fault) in Self.faults.enumerated() {
                let client = try Peer(to: ready.listeners[number].address)
                try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.ending() == .reset)
                let line = try remora.log.line(containing: "no TLS with")
                #expect(
                    line.hasSuffix("upstream u\(number): no TLS with \(endpoint.addresses[number]): \(fault.why)"),
                    "\(line)")
                try endpoint.says("\(number) refused \(fault.hears)")
            }
            let stats = try ReportJSON.decode(
                StatsReport.self, from: Array(try get("/stats", from: ready.admin).body.utf8))
            for upstream in stats.upstreams {
                #expect(upstream.endpoints.allSatisfy { $0.failuresTotal > 0 && $0.connections == 0 }, "\(upstream)")
            }
        }
    }

    @Test("An endpoint whose handshakes fail is left for a good one, and ejected as one that resets is")
    func ejected() throws {
        let endpoint = try TLSEndpoint(files, [.init(certificate: "stranger"), .init(certificate: "web")])
        let list = endpoint.addresses.map { "\"\($0)\"" }.joined(separator: ", ")
        let file = try files.directory.write(
            """
            upstreams:
            - name: out
              endpoints: [\(list)]
              balance: round_robin
              tls: {ca: \(files.path("ca.pem")), server_name: web.edge}
              outlier: {consecutive_failures: 3}
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out}]
            admin: 127.0.0.1:0

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            // Every client is served, whomever it was given first.
            for _ in 0..<8 {
                let page = try #require(request(through: ready.listener))
                #expect(page.hasPrefix("1 TLSv1.3 "))
            }
            try remora.log.line(containing: "no TLS with \(endpoint.addresses[0]): ")
            try remora.log.line(containing: "upstream out: \(endpoint.addresses[0]) is ejected: ")
        }
    }
}
