// What the sections `tls` become.

import Testing

@testable import Config
@testable import TLS

@Suite("TLS in a config")
struct ConfiguredTLSTests {
    private func tls(listener: String = "{certificate: /c.pem}", upstream: String = "{}") throws -> TLSOptions {
        try ConfigFile.parse(
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], tls: \(upstream)}]
            listeners: [{name: in, bind: 127.0.0.1:0, upstream: web, tls: \(listener)}]
            """, file: "edge.yaml", hostName: "host"
        ).tls
    }

    @Test("Who writes no tls speaks plainly")
    func none() throws {
        let configuration = try ConfigFile.parse(GoodFileTests.minimal, file: "edge.yaml", hostName: "host")
        #expect(configuration.tls.isEmpty && configuration.tls.sources.isEmpty)
    }

    @Test("One certificate is enough for a listener, and nothing for an upstream")
    func shortest() throws {
        let options = try tls()
        #expect(
            options
                == TLSOptions(
                    listeners: [
                        "in": TerminationOptions(
                            certificates: [CertificateFiles(certificate: "/c.pem")], clientAuthorities: nil,
                            clientRule: .required, allowedNames: [], applicationProtocols: [], minimumVersion: .tls12)
                    ],
                    upstreams: ["web": OriginationOptions(authorities: nil, serverName: nil, certificate: nil)]))
        #expect(options.sources == [.pair(certificate: "/c.pem", key: nil)])
    }

    @Test("Every key arrives in its option, and each file is named once")
    func everyKey() throws {
        let options = try tls(
            listener: """
                {certificates: [{certificate: /a.pem, key: /a.key}, {certificate: /b.pem}], client_ca: /ca.pem,
                    client_auth: optional, allow_san: ["*.edge", "spiffe://edge/*"], alpn: [h2, http/1.1],
                    min_version: "1.3"}
                """,
            upstream: "{ca: /ca.pem, server_name: web.edge, certificate: /a.pem, key: /a.key}")
        let a = CertificateFiles(certificate: "/a.pem", key: "/a.key")
        #expect(
            options.listeners == [
                "in": TerminationOptions(
                    certificates: [a, CertificateFiles(certificate: "/b.pem")], clientAuthorities: "/ca.pem",
                    clientRule: .optional,
                    allowedNames: [try NamePattern("*.edge"), try NamePattern("spiffe://edge/*")],
                    applicationProtocols: ["h2", "http/1.1"], minimumVersion: .tls13)
            ])
        #expect(
            options.upstreams == [
                "web": OriginationOptions(authorities: "/ca.pem", serverName: .host("web.edge"), certificate: a)
            ])
        #expect(
            options.sources == [
                .pair(certificate: "/a.pem", key: "/a.key"), .pair(certificate: "/b.pem", key: nil),
                .authorities("/ca.pem"),
            ])
    }

    @Test("Clients must show a certificate where there is a client_ca and no other word")
    func clientRule() throws {
        let options = try tls(listener: "{certificate: /c.pem, client_ca: /ca.pem}")
        #expect(options.listeners["in"]?.clientRule == .required)
    }

    @Test("A version may be written with or without quotes", arguments: ["1.3", "\"1.3\""])
    func version(text: String) throws {
        #expect(
            try tls(listener: "{certificate: /c.pem, min_version: \(text)}").listeners["in"]?.minimumVersion == .tls13)
    }

    @Test("A server's name may be an address", arguments: ["10.0.0.1", "\"::1\""])
    func address(text: String) throws {
        let name = try tls(upstream: "{server_name: \(text)}").upstreams["web"]?.serverName
        #expect(name == (text == "10.0.0.1" ? .ipv4(.init(bits: 10 << 24 | 1)) : .ipv6(.loopback)))
    }

    @Test("A protocol's name may have 255 bytes")
    func longProtocol() throws {
        let name = String(repeating: "p", count: 255)
        #expect(
            try tls(listener: "{certificate: /c.pem, alpn: [\(name)]}").listeners["in"]?.applicationProtocols == [name])
    }

    @Test("The example of mutual TLS is right, and its two sides belong together")
    func example() throws {
        func shipped(_ name: String) throws -> Configuration {
            let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            return try ConfigFile.load(path: "/\(root)/configs/\(name)", hostName: "host")
        }
        let server = try shipped("mutual-tls-server.yaml")
        let client = try shipped("mutual-tls-client.yaml")
        let termination = try #require(server.tls.listeners["web-in"])
        let origination = try #require(client.tls.upstreams["web"])
        #expect(
            termination.clientRule == .required && termination.allowedNames.map(\.description) == ["spiffe://edge/shop"]
        )
        #expect(termination.clientAuthorities == origination.authorities)
        #expect(origination.certificate == CertificateFiles(certificate: "tls/shop.pem", key: "tls/shop.key"))
        #expect(client.upstreams[0].endpoints.map(\.address) == [server.listeners[0].bind])
        #expect(client.tls.listeners.isEmpty && server.tls.upstreams.isEmpty)
    }
}
