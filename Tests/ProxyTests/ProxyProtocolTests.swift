// PROXY headers on the wire: read ahead of the client's bytes, written ahead of the endpoint's.

import Reactor
import Routing
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("PROXY protocol")
    struct ProxyProtocolTests {
        static let text = Array("PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n".utf8)
        static let textOverIPv6 = Array("PROXY TCP6 2001:db8::7 2001:db8::9 4711 443\r\n".utf8)

        /// Version 2, written out from the specification (§2.2).
        static func binary(_ family: UInt8, _ addresses: [UInt8], from: UInt16, to: UInt16) -> [UInt8] {
            let ports = [from, to].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
            let length = UInt8(addresses.count + ports.count)
            return Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, family, 0, length] + addresses + ports
        }
        static let binaryHeader = binary(0x11, [192, 0, 2, 7, 198, 51, 100, 9], from: 4711, to: 443)
        static let local = Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x20, 0, 0, 0]

        // MARK: In

        @Test(
            "A header in front of the first bytes is taken off", arguments: [text, textOverIPv6, binaryHeader, local],
            Transport.kinds)
        func headerIn(header: [UInt8], transport: Transport) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(transport, to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            // Header and payload, in one segment
            try client.send(header + Array("payload".utf8))
            let server = try endpoint.accept()
            #expect(try server.receiveText(exactly: 7) == "payload")
            try client.endStream()
            try server.send("answer")
            #expect(try server.receiveToEnd() == [])
            server.close()
            #expect(try client.receiveTextToEnd() == "answer")
            #expect(remora.settles())
            #expect(remora.listener.receivedBytesTotal == UInt64(header.count + 7))
            #expect(remora.endpoints[0].sentBytesTotal == 7)
        }

        @Test("A header may come byte by byte, and its payload too", arguments: [text, binaryHeader])
        func headerInPieces(header: [UInt8]) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.listener.acceptProxyProtocol = true
                $0.limits.prefaceTimeout = .seconds(60)
            }
            let client = try remora.connect()
            client.sendAtOnce()
            for (count, byte) in header.enumerated() {
                // No endpoint is chosen before the last byte
                #expect(remora.endpoints[0].connectionsTotal == 0)
                try client.send([byte])
                #expect(eventually { remora.listener.receivedBytesTotal == UInt64(count + 1) })
            }
            let server = try endpoint.accept()
            for byte in "payload".utf8 { try client.send([byte]) }
            #expect(try server.receiveText(exactly: 7) == "payload")
        }

        @Test("Header, payload and end in one segment arrive as payload and end", arguments: [text, binaryHeader])
        func headerAndEnd(header: [UInt8]) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            try client.send(header + Array("payload".utf8), more: true)
            try client.endStream()
            let server = try endpoint.accept()
            #expect(try server.receiveTextToEnd() == "payload")
            server.close()
            #expect(try client.receiveToEnd() == [])
            #expect(remora.settles())
        }

        @Test(
            "A header alone opens the connection, so that the endpoint can speak first",
            arguments: [text, binaryHeader])
        func headerAlone(header: [UInt8]) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            try client.send(header)
            try endpoint.accept().send("greeting")
            #expect(try client.receiveText(exactly: 8) == "greeting")
        }

        @Test("A payload of a mebibyte behind a header arrives whole")
        func largePayload() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            let sender = Background {
                var stream = SeededStream(seed: 11)
                try client.send(Self.text)
                try client.send(1 << 20, of: &stream)
                try client.endStream()
            }
            var expected = SeededStream(seed: 11)
            #expect(try endpoint.accept().verify(&expected) == .intact(bytes: 1 << 20))
            try sender.value()
        }

        @Test(
            "What is no header is refused, and never reaches an endpoint",
            arguments: ["GET / HTTP/1.1\r\n", "PROXY TCP4 999.0.0.1 ", "PROXY TCP5 ", "\r\n\r\n\0\r\nQUIX"])
        func malformed(beginning: String) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            try client.send(beginning)
            #expect(client.awaitEnd() == .reset)
            #expect(remora.settles())
            #expect(remora.listener.refusedTotal == 1)
            #expect(remora.endpoints[0].connectionsTotal == 0)
            #expect(remora.noticesReach([.badPreface]))
        }

        @Test("A client that ends before its header is whole is refused", arguments: [0, 1, 20])
        func cutShort(count: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.acceptProxyProtocol = true }
            let client = try remora.connect()
            try client.send(Array(Self.text.prefix(count)))
            try client.endStream()
            #expect(client.awaitEnd() == .reset)
            #expect(remora.settles())
            #expect(remora.listener.refusedTotal == 1)
            #expect(remora.endpoints[0].connectionsTotal == 0)
        }

        @Test("A client whose header does not come in time is refused", arguments: [0, 1, 20])
        func tooLate(count: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.listener.acceptProxyProtocol = true
                $0.limits.prefaceTimeout = .milliseconds(200)
            }
            let began = ContinuousClock.now
            let client = try remora.connect()
            try client.send(Array(Self.text.prefix(count)))
            #expect(client.awaitEnd() == .reset)
            #expect(ContinuousClock.now - began >= .milliseconds(200))
            #expect(remora.settles())
            #expect(remora.listener.refusedTotal == 1)
            #expect(remora.endpoints[0].connectionsTotal == 0)
        }

        // MARK: Out

        @Test("Version 1 is written ahead of the payload, with the client's true addresses", arguments: Transport.tcp)
        func textOut(transport: Transport) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(transport, to: [endpoint.address]) { $0.listener.sendProxyProtocol = .v1 }
            let client = try remora.connect()
            try client.send("payload")
            let (family, host) = transport == .tcp4 ? ("TCP4", "127.0.0.1") : ("TCP6", "::1")
            let ports = "\(client.localAddress?.port ?? 0) \(remora.address.port ?? 0)"
            let expected = "PROXY \(family) \(host) \(host) \(ports)\r\npayload"
            #expect(try endpoint.accept().receiveText(exactly: expected.utf8.count) == expected)
        }

        @Test("Version 2 is written ahead of the payload, with the client's true addresses", arguments: Transport.tcp)
        func binaryOut(transport: Transport) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(transport, to: [endpoint.address]) { $0.listener.sendProxyProtocol = .v2 }
            let client = try remora.connect()
            try client.send("payload")
            let loopback: [UInt8] = transport == .tcp4 ? [127, 0, 0, 1] : [UInt8](repeating: 0, count: 15) + [1]
            let expected =
                Self.binary(
                    transport == .tcp4 ? 0x11 : 0x21, loopback + loopback, from: client.localAddress?.port ?? 0,
                    to: remora.address.port ?? 0) + Array("payload".utf8)
            #expect(try endpoint.accept().receive(exactly: expected.count) == expected)
        }

        @Test("A unix client has no address to relay", arguments: ProxyProtocolVersion.allCases)
        func unixClient(version: ProxyProtocolVersion) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(.unix, to: [endpoint.address]) { $0.listener.sendProxyProtocol = version }
            let client = try remora.connect()
            try client.send("payload")
            let header = version == .v1 ? Array("PROXY UNKNOWN\r\n".utf8) : Self.local
            let expected = header + Array("payload".utf8)
            #expect(try endpoint.accept().receive(exactly: expected.count) == expected)
        }

        @Test(
            "The header comes before the client has said anything",
            arguments: [Transport.tcp4, .distant, .unix], ProxyProtocolVersion.allCases)
        func headerFirst(transport: Transport, version: ProxyProtocolVersion) throws {
            let endpoint = try ManualEndpoint(transport)
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.sendProxyProtocol = version }
            let client = try remora.connect()
            let server = try endpoint.accept()
            let header = try server.receive(atMost: 5)
            #expect(header == Array((version == .v1 ? "PROXY" : "\r\n\r\n\0").utf8))
            client.close()
            #expect(server.awaitEnd() == nil)
            server.close()
            #expect(remora.settles())
        }

        @Test("What came in with a header goes out with the same addresses", arguments: ProxyProtocolVersion.allCases)
        func relayed(version: ProxyProtocolVersion) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.listener.acceptProxyProtocol = true
                $0.listener.sendProxyProtocol = version
            }
            for header in [Self.text, Self.binaryHeader] {
                let client = try remora.connect()
                try client.send(header + Array("payload".utf8))
                let expected = (version == .v1 ? Self.text : Self.binaryHeader) + Array("payload".utf8)
                #expect(try endpoint.accept().receive(exactly: expected.count) == expected)
            }
        }

        @Test("Through two remoras in a row, the endpoint learns of the first client", arguments: Transport.tcp)
        func chained(transport: Transport) throws {
            let endpoint = try ManualEndpoint()
            let inner = try Sidecar(to: [endpoint.address]) {
                $0.listener.acceptProxyProtocol = true
                $0.listener.sendProxyProtocol = .v1
            }
            let outer = try Sidecar(transport, to: [inner.address]) { $0.listener.sendProxyProtocol = .v2 }
            let client = try outer.connect()
            try client.send("payload")
            let (family, host) = transport == .tcp4 ? ("TCP4", "127.0.0.1") : ("TCP6", "::1")
            let ports = "\(client.localAddress?.port ?? 0) \(outer.address.port ?? 0)"
            let expected = "PROXY \(family) \(host) \(host) \(ports)\r\npayload"
            #expect(try endpoint.accept().receiveText(exactly: expected.utf8.count) == expected)
        }

        @Test(
            "Header and held bytes are given whole to the endpoint that works", arguments: ProxyProtocolVersion.allCases
        )
        func retried(version: ProxyProtocolVersion) throws {
            let (hole, endpoint) = (try BlackHole(), try ManualEndpoint())
            let remora = try Sidecar(to: [hole.address, endpoint.address]) {
                $0.upstream.balance = .roundRobin
                $0.upstream.connectTimeout = .milliseconds(200)
                $0.listener.acceptProxyProtocol = true
                $0.listener.sendProxyProtocol = version
            }
            for _ in 0..<2 {
                let client = try remora.connect()
                try client.send(Self.text + Array("payload".utf8), more: true)
                try client.endStream()
                let expected = (version == .v1 ? Self.text : Self.binaryHeader) + Array("payload".utf8)
                #expect(try endpoint.accept().receiveToEnd() == expected)
            }
            #expect(remora.endpoints.map(\.failuresTotal) == [1, 0])
        }
    }
}

extension Wire {
    /// Sends each write as a segment of its own (Nagle's algorithm off).
    func sendAtOnce() { Kernel.disableNagle(descriptor) }
}
