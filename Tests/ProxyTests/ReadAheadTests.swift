// What is looked at before an endpoint is chosen: TLS's first message, HTTP's first head, and what is neither.

import Glibc
import Reactor
import Routing
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Reading ahead")
    struct ReadAheadTests {
        /// A ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2) in one record.
        static func hello(_ name: String?) -> [UInt8] {
            func sized(_ width: Int, _ bytes: [UInt8]) -> [UInt8] {
                (0..<width).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
            }
            let names = name.map { sized(2, [0] + sized(2, Array($0.utf8))) }
            let extensions = names.map { [0, 0] + sized(2, $0) } ?? []
            let body =
                [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + [0, 2, 0xC0, 0x2F] + [1, 0] + sized(2, extensions)
            return [22, 3, 1] + sized(2, [1] + sized(3, body))
        }

        private static let head = Array("GET /a HTTP/1.1\r\nHost: h\r\nX-User: ann\r\n\r\nbody".utf8)

        /// Two upstreams behind one listener, the second for names of `ingest.edge`.
        private struct Crossing {
            let usual: ManualEndpoint
            let ingest: ManualEndpoint
            let remora: Sidecar

            init(_ adjust: (inout Sidecar.Setup) -> Void = { _ in }) throws {
                let (usual, ingest) = (try ManualEndpoint(), try ManualEndpoint())
                remora = try Sidecar(to: [usual.address]) {
                    $0.further = [UpstreamOptions(name: "ingest", endpoints: [StaticEndpoint(address: ingest.address)])]
                    $0.listener.serverNames = [
                        ("special.ingest.edge", "back"), ("*.ingest.edge", "ingest"), ("ingest.edge", "ingest"),
                    ].compactMap { name, upstream in
                        ServerNamePattern(name).map { ServerNameRoute(match: $0, upstream: upstream) }
                    }
                    adjust(&$0)
                }
                (self.usual, self.ingest) = (usual, ingest)
            }

            var connections: [UInt64] {
                remora.plane.report().upstreams.map { $0.endpoints[0].connectionsTotal }
            }
        }

        // MARK: By server name

        @Test(
            "TLS goes by the name that it asks for, byte for byte",
            arguments: [
                ("a.ingest.edge", 1), ("B.Ingest.EDGE", 1), ("ingest.edge", 1), ("a.b.ingest.edge", 0),
                ("special.ingest.edge", 0), ("web.edge", 0),
                (nil, 0),
            ] as [(String?, Int)])
        func byName(name: String?, upstream: Int) throws {
            let crossing = try Crossing()
            let client = try crossing.remora.connect()
            let bytes = Self.hello(name) + [23, 3, 3, 0, 1, 0xFF]
            try client.send(bytes)
            let server = try (upstream == 1 ? crossing.ingest : crossing.usual).accept()
            #expect(try server.receive(exactly: bytes.count) == bytes)
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
            #expect(crossing.connections == (upstream == 1 ? [0, 1] : [1, 0]))
        }

        @Test("A hello may come byte by byte")
        func bytewise() throws {
            let crossing = try Crossing { $0.limits.peekTimeout = .seconds(60) }
            let client = try crossing.remora.connect()
            client.sendAtOnce()
            let bytes = Self.hello("a.ingest.edge")
            for (count, byte) in bytes.enumerated() {
                #expect(crossing.connections == [0, 0])
                try client.send([byte])
                #expect(eventually { crossing.remora.listener.receivedBytesTotal == UInt64(count + 1) })
            }
            #expect(try crossing.ingest.accept().receive(exactly: bytes.count) == bytes)
        }

        @Test("Behind a PROXY header it is the same, and the header is taken off")
        func behindHeader() throws {
            let crossing = try Crossing {
                $0.listener.acceptProxyProtocol = true
                $0.listener.sendProxyProtocol = .v1
            }
            let client = try crossing.remora.connect()
            let header = Array("PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n".utf8)
            let bytes = header + Self.hello("a.ingest.edge")
            try client.send(bytes)
            // Written anew, for the client that it names
            #expect(try crossing.ingest.accept().receive(exactly: bytes.count) == bytes)
        }

        @Test("In pass-through every open connection counts, however long it says nothing")
        func outstanding() throws {
            let crossing = try Crossing()
            let client = try crossing.remora.connect()
            try client.send(Self.hello("web.edge"))
            let server = try crossing.usual.accept()
            _ = try server.receive()
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
            #expect(!eventually(within: .milliseconds(1_300)) { crossing.remora.endpoints[0].outstanding != 1 })
            client.close()
            server.close()
            #expect(crossing.remora.settles())
        }

        // MARK: What is no TLS

        @Test(
            "What is no TLS goes to the listener's own upstream at once, byte for byte",
            arguments: [head, [0], [22, 3, 1, 0, 4, 2, 0, 0, 0], [0x80, 0x2E, 1, 3, 1]])
        func noTLS(bytes: [UInt8]) throws {
            let crossing = try Crossing { $0.limits.peekTimeout = .seconds(60) }
            let client = try crossing.remora.connect()
            try client.send(bytes)
            #expect(try crossing.usual.accept().receive(exactly: bytes.count) == bytes)
            #expect(eventually { crossing.connections == [1, 0] })
            #expect(crossing.remora.noticesReach([]))
        }

        /// A listener whose upstream looks at what connections are known by.
        private func sidecar(
            _ key: HashKey, to endpoint: ManualEndpoint, _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws -> Sidecar {
            try Sidecar(to: [endpoint.address]) {
                $0.upstream.balance = .maglev
                $0.upstream.hash.key = key
                $0.limits.peekTimeout = .seconds(60)
                adjust(&$0)
            }
        }

        static let peeks: [HashKey] = [.serverName, .header("x-user"), .cookie("id"), .path]

        @Test("A client that sends nothing is connected when the time for looking is over", arguments: peeks)
        func serverFirst(key: HashKey) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(key, to: endpoint) { $0.limits.peekTimeout = .milliseconds(200) }
            let began = ContinuousClock.now
            let client = try remora.connect()
            let server = try endpoint.accept()
            #expect(ContinuousClock.now - began >= .milliseconds(200))
            try server.send("220 ready\r\n")
            #expect(try client.receiveText(exactly: 11) == "220 ready\r\n")
            try client.send("QUIT")
            #expect(try server.receiveText(exactly: 4) == "QUIT")
            #expect(remora.noticesReach([]) && remora.listener.refusedTotal == 0)
        }

        @Test("One that stops within what is looked at is connected then, with all that it has sent")
        func stalled() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.header("x-user"), to: endpoint) { $0.limits.peekTimeout = .milliseconds(200) }
            let client = try remora.connect()
            try client.send(Array(Self.head.prefix(20)))
            let server = try endpoint.accept()
            try client.send(Array(Self.head.dropFirst(20)))
            #expect(try server.receive(exactly: Self.head.count) == Self.head)
        }

        @Test("One that ends its stream is connected at once, with all that it has sent", arguments: [0, 1, 20])
        func ended(count: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.header("x-user"), to: endpoint)
            let client = try remora.connect()
            if count > 0 { try client.send(Array(Self.head.prefix(count))) }
            try client.endStream()
            let server = try endpoint.accept()
            #expect(try server.receiveToEnd() == Array(Self.head.prefix(count)))
            try server.send("answer")
            server.close()
            #expect(try client.receiveTextToEnd() == "answer")
            #expect(remora.settles())
        }

        @Test("One that is reset meanwhile goes without a trace at any endpoint")
        func reset() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.header("x-user"), to: endpoint)
            let client = try remora.connect()
            try client.send("GET ")
            #expect(eventually { remora.listener.receivedBytesTotal == 4 })
            client.abort()
            #expect(remora.settles())
            #expect(remora.endpoints[0].connectionsTotal == 0)
        }

        // MARK: HTTP

        @Test("A request is looked at as far as its part is known, and arrives as it was sent", arguments: peeks)
        func request(key: HashKey) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(key, to: endpoint)
            let client = try remora.connect()
            client.sendAtOnce()
            let needed =
                switch key {
                case .path: 17
                case .header, .cookie: Self.head.count - 4
                // It is no hello from the first byte on.
                case .serverName, .sourceIP, .proxyAuthority: 1
                }
            for (count, byte) in Self.head.prefix(needed).enumerated() {
                #expect(remora.endpoints[0].connectionsTotal == 0, "\(count) bytes")
                try client.send([byte])
                #expect(eventually { remora.listener.receivedBytesTotal == UInt64(count + 1) })
            }
            let server = try endpoint.accept()
            try client.send(Array(Self.head.dropFirst(needed)))
            #expect(try server.receive(exactly: Self.head.count) == Self.head)
        }

        @Test("A head beyond the bound is forwarded unread", arguments: [16_384, 16_385, 100_000])
        func long(count: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.header("x-user"), to: endpoint)
            let client = try remora.connect()
            let bytes = Array("GET / HTTP/1.1\r\na: ".utf8) + [UInt8](repeating: 0x61, count: count - 19)
            let sender = Background { try client.send(bytes) }
            #expect(try endpoint.accept().receive(exactly: count) == bytes)
            try sender.value()
        }

        @Test("The time for looking begins when the header that has to come is there")
        func clock() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.path, to: endpoint) {
                $0.listener.acceptProxyProtocol = true
                $0.limits.prefaceTimeout = .seconds(60)
                $0.limits.peekTimeout = .milliseconds(200)
            }
            let client = try remora.connect()
            try client.send("PROXY TCP4 192.0.2.7 ")
            usleep(300_000)
            #expect(remora.endpoints[0].connectionsTotal == 0)
            let began = ContinuousClock.now
            try client.send("198.51.100.9 4711 443\r\n")
            let server = try endpoint.accept()
            #expect(ContinuousClock.now - began >= .milliseconds(200))
            try client.send("x")
            #expect(try server.receiveText(exactly: 1) == "x")
        }

        @Test("What the socket tells is not waited for", arguments: [HashKey.sourceIP, .proxyAuthority])
        func notPeeked(key: HashKey) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(key, to: endpoint)
            let client = try remora.connect()
            let server = try endpoint.accept()
            try server.send("first")
            #expect(try client.receiveText(exactly: 5) == "first")
        }

        @Test("A policy that does not hash looks at nothing")
        func unhashed() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(.path, to: endpoint) { $0.upstream.balance = .p2c }
            let client = try remora.connect()
            let server = try endpoint.accept()
            try server.send("first")
            #expect(try client.receiveText(exactly: 5) == "first")
        }

        // MARK: Keys

        static let allKeys: [HashKey] = [
            .sourceIP, .serverName, .proxyAuthority, .header("x-user"), .cookie("id"), .path,
        ]

        /// The first bytes of a client that is known by a number, and by nothing else in them twice.
        private static func opening(_ key: HashKey, client: UInt8, attempt: UInt8) -> [UInt8] {
            let header = ProxyProtocolTests.text
            switch key {
            case .sourceIP:
                return Array("PROXY TCP4 192.0.2.\(client) 198.51.100.\(attempt) 47\(attempt) 443\r\nx".utf8)
            case .serverName: return header + hello("c\(client).edge") + [attempt]
            case .proxyAuthority:
                let host = Array("c\(client).edge".utf8)
                let addresses: [UInt8] = [192, 0, 2, attempt, 198, 51, 100, 9, 3, attempt, 1, 187]
                let rest = addresses + [2, 0, UInt8(host.count)] + host
                return Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, 0x11, 0, UInt8(rest.count)] + rest + [1]
            case .header: return header + Array("GET /\(attempt) HTTP/1.1\r\nX-User: c\(client)\r\n\r\n".utf8)
            case .cookie:
                return header + Array("GET /\(attempt) HTTP/1.1\r\nCookie: a=\(attempt); id=c\(client)\r\n\r\n".utf8)
            case .path: return header + Array("GET /c\(client)?\(attempt) HTTP/1.1\r\n\r\n".utf8)
            }
        }

        private static func servedBy(_ remora: Sidecar, _ bytes: [UInt8]) throws -> String {
            let client = try remora.connect()
            try client.send(bytes)
            return try client.receiveText(exactly: 1)
        }

        @Test(
            "One key is one endpoint's, whichever remora and whichever worker has the client", arguments: allKeys,
            [BalancePolicy.ringHash, .maglev])
        func affinity(key: HashKey, policy: BalancePolicy) throws {
            let services = try "abcdefgh".map { try Service.naming(String($0)) }
            let remoras = try [UInt64(1), 2].map { seed in
                try Sidecar(to: services.map(\.address)) {
                    $0.upstream.balance = policy
                    $0.upstream.hash.key = key
                    $0.listener.acceptProxyProtocol = true
                    $0.limits.peekTimeout = .seconds(60)
                    $0.workers = 2
                    $0.seed = seed
                }
            }
            var names: Set<String> = []
            for client in UInt8(1)...24 {
                let served = try remoras.flatMap { remora in
                    try (UInt8(1)...3).map { attempt in
                        try Self.servedBy(remora, Self.opening(key, client: client, attempt: attempt))
                    }
                }
                #expect(Set(served).count == 1, "client \(client): \(served)")
                names.formUnion(served)
            }
            // Of eight, 24 keys meet five at the very least.
            #expect(names.count >= 5)
        }

        @Test("Clients without a key are spread over all endpoints", arguments: peeks)
        func keyless(key: HashKey) throws {
            let services = try "abcd".map { try Service.naming(String($0)) }
            let remora = try Sidecar(to: services.map(\.address)) {
                $0.upstream.balance = .maglev
                $0.upstream.hash.key = key
                $0.limits.peekTimeout = .seconds(60)
            }
            let names = try (0..<40).map { _ in try Self.servedBy(remora, [0, 1, 2]) }
            #expect(Set(names).count == 4)
        }

        @Test("Another key from another config is that of the next connection")
        func reload() throws {
            let services = try "abcdefgh".map { try Service.naming(String($0)) }
            let remora = try Sidecar(to: services.map(\.address)) {
                $0.upstream.balance = .p2c
                $0.limits.peekTimeout = .seconds(60)
            }
            let silent = try remora.connect()
            #expect(eventually { remora.plane.connections == 1 && remora.endpoints.contains { $0.connections == 1 } })
            silent.close()
            try remora.change {
                $0.balance = .maglev
                $0.hash.key = .path
            }
            let heads = (0..<8).map { Array("GET /same?\($0) HTTP/1.1\r\n".utf8) }
            let names = try heads.map { try Self.servedBy(remora, $0) }
            #expect(Set(names).count == 1)
        }
    }
}
