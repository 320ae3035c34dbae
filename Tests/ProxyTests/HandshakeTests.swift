// Handshakes with clients and endpoints: who is let in, who is told what, and what a flood of them costs others.

import Glibc
@testable import Proxy
import Stats
import TLS
import Testing
import Upstreams
import Vocabulary

extension DataPlaneBehaviour {
    @Suite("Handshakes with clients")
    struct ClientHandshakeTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates.shared.get() }

        /// A sidecar whose listener terminates TLS.
        private func terminating(
            _ endpoint: SocketAddress, _ context: ServerContext? = nil,
            _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws -> Sidecar {
            let context = try context ?? certificates.server()
            return try Sidecar(to: [endpoint]) {
                $0.tls = .sidecar(front: context)
                adjust(&$0)
            }
        }

        private func firstNotice(of remora: Sidecar) -> Notice? {
            var notices: [Notice] = []
            _ = eventually {
                _ = remora.plane.takeNotices { notices.append($0) }
                return !notices.isEmpty
            }
            return notices.first
        }

        @Test("No endpoint is connected to before the handshake is over")
        func endpointLast() throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address)
            let silent = try remora.connect()
            let garbage = try remora.connect()
            try garbage.send("GET / HTTP/1.0\r\n\r\n")
            _ = garbage.awaitEnd()
            #expect(!endpoint.hasCaller)
            let client = try Talker(try remora.connect(), as: certificates.client()).shakeHands()
            let server = try endpoint.accept()
            try client.send("x")
            #expect(try server.receiveText(exactly: 1) == "x")
            #expect(!endpoint.hasCaller)
            silent.close()
        }

        @Test("What is no TLS is refused, and told in words")
        func garbage() throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address)
            let client = try remora.connect()
            try client.send("GET / HTTP/1.0\r\n\r\n")
            _ = client.awaitEnd()
            let notice = try #require(firstNotice(of: remora))
            #expect(notice.kind == .handshakeRefused)
            #expect(notice.fault == .protocolError(reason: "http request"))
            #expect(notice.peer != nil)
            #expect(remora.settles())
            #expect(remora.listener.refusedTotal == 1)
            #expect(
                remora.plane.handshakes(ofListener: 0)
                    == HandshakesReport(completedTotal: 0, resumedTotal: 0, failedTotal: 1))
        }

        @Test("Who looks whether the port is open is not worth a word")
        func look() throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address)
            try remora.connect().endStream()
            #expect(remora.settles())
            #expect(remora.noticesReach([]))
            #expect(remora.plane.handshakes(ofListener: 0).failedTotal == 0)
        }

        @Test("A client that does not get on with its handshake is closed after the time for it")
        func timeout() throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address) { $0.limits.handshakeTimeout = .milliseconds(200) }
            let silent = try remora.connect()
            let stalled = try remora.connect()
            try stalled.send([22, 3, 1])
            #expect(silent.awaitEnd() == .reset)
            #expect(stalled.awaitEnd() == .reset)
            #expect(remora.noticesReach([.handshakeRefused, .handshakeRefused]))
            #expect(remora.settles())
        }

        @Test("A client with an allowed identity is let in", arguments: [true, false])
        func identity(isRequired: Bool) throws {
            let endpoint = try ManualEndpoint()
            let trusted = try certificates.authorities()
            let context = try certificates.server(
                clients: isRequired ? .required(trusted) : .optional(trusted), allowed: ["spiffe://edge/*"])
            let remora = try terminating(endpoint.address, context)
            let client = try Talker(try remora.connect(), as: certificates.client(certificate: "client")).shakeHands()
            try client.send("hello")
            #expect(try endpoint.accept().receiveText(exactly: 5) == "hello")
        }

        @Test("Who shows no certificate is let in where it is optional, and refused where it is required")
        func anonymous() throws {
            let endpoint = try ManualEndpoint()
            let trusted = try certificates.authorities()
            let lenient = try terminating(endpoint.address, try certificates.server(clients: .optional(trusted)))
            let client = try Talker(try lenient.connect(), as: certificates.client()).shakeHands()
            try client.send("hello")
            #expect(try endpoint.accept().receiveText(exactly: 5) == "hello")
            let strict = try terminating(endpoint.address, try certificates.server(clients: .required(trusted)))
            // In TLS 1.3 the client is through before the server has judged.
            let refused = Talker(try strict.connect(), as: try certificates.client())
            _ = try? refused.shakeHands()
            _ = refused.receiveToEnd()
            #expect(refused.ending == .fault("the peer sent the TLS alert \"certificate required\""))
            let notice = try #require(firstNotice(of: strict))
            #expect(notice.fault == .protocolError(reason: "peer did not return a certificate"))
            #expect(!endpoint.hasCaller)
        }

        @Test("Who is not allowed gets an alert, and its identity is told")
        func refusedIdentity() throws {
            let endpoint = try ManualEndpoint()
            let context = try certificates.server(
                clients: .required(try certificates.authorities()), allowed: ["spiffe://edge/*"])
            let remora = try terminating(endpoint.address, context)
            let guest = Talker(try remora.connect(), as: try certificates.client(certificate: "guest"))
            _ = try? guest.shakeHands()
            _ = guest.receiveToEnd()
            #expect(guest.ending == .fault("the peer sent the TLS alert \"certificate unknown\""))
            let notice = try #require(firstNotice(of: remora))
            #expect(notice.kind == .handshakeRefused)
            #expect(
                notice.fault
                    == .certificate(reason: "none of its names is allowed", names: "URI spiffe://elsewhere/web"))
            #expect(!endpoint.hasCaller)
            #expect(remora.settles())
        }

        @Test("A client that refuses us is told of, in the words of its alert")
        func refusedByClient() throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address, try certificates.server("stranger"))
            let client = Talker(try remora.connect(), as: try certificates.client())
            #expect(throws: TalkFailed.self) { try client.shakeHands() }
            let notice = try #require(firstNotice(of: remora))
            #expect(notice.fault == .alert(.unknownCA))
        }

        @Test("The PROXY header comes before TLS, and its facts reach the endpoint", arguments: [true, false])
        func proxyHeader(isSplit: Bool) throws {
            let endpoint = try ManualEndpoint()
            let remora = try terminating(endpoint.address) {
                $0.listener.acceptProxyProtocol = true
                $0.listener.sendProxyProtocol = .v1
            }
            let wire = try remora.connect()
            let header = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"
            // In one segment with the hello, or in one of its own
            try wire.send(header, more: !isSplit)
            if isSplit { usleep(20_000) }
            let client = try Talker(wire, as: certificates.client()).shakeHands()
            try client.send("hello")
            let server = try endpoint.accept()
            #expect(try server.receiveText(exactly: header.utf8.count + 5) == header + "hello")
            try server.send("answer")
            #expect(client.receiveText(exactly: 6) == "answer")
        }

        @Test("A session resumes on whichever worker gets the client")
        func resumption() throws {
            let service = try Service.echo()
            let remora = try terminating(service.address) { $0.workers = 3 }
            let context = try certificates.client()
            let sessions = SessionStore()
            for _ in 0..<20 {
                let client = try Talker(try remora.connect(), as: context, sessions: sessions).shakeHands()
                // The ticket comes before the answer.
                try client.send("x")
                #expect(client.receiveText(exactly: 1) == "x")
                try client.endStream()
                _ = client.receiveToEnd()
            }
            #expect(
                remora.plane.handshakes(ofListener: 0)
                    == HandshakesReport(completedTotal: 20, resumedTotal: 19, failedTotal: 0))
        }

        @Test("A new certificate is for new connections, and those that are there go on")
        func rotation() throws {
            let service = try Service.echo()
            let remora = try terminating(service.address) { $0.workers = 2 }
            let old = try Talker(try remora.connect(), as: certificates.client()).shakeHands()
            let isOver = Flag()
            let address = remora.address
            // Given clients that come and go all the while
            let visitors = try (0..<4).map { _ in
                let context = try certificates.client()
                return Background { () -> Int in
                    var visits = 0
                    while !isOver.isSet {
                        let client = try Talker(try Wire.connect(to: address), as: context).shakeHands()
                        try client.send("question")
                        guard client.receiveText(exactly: 8) == "question" else { return -1 }
                        try client.endStream()
                        guard client.receiveToEnd().isEmpty, client.ending == .end else { return -1 }
                        visits += 1
                    }
                    return visits
                }
            }
            // When the certificate changes again and again
            for turn in 0..<40 {
                remora.plane.publish(
                    tls: .sidecar(front: try certificates.server(turn.isMultiple(of: 2) ? "second" : "server")))
                usleep(5000)
            }
            remora.plane.publish(tls: .sidecar(front: try certificates.server("stranger")))
            // Then nobody has lost anything
            isOver.set()
            for visitor in visitors {
                // The last may have met the stranger.
                let visits = try? visitor.value()
                #expect(visits.map { $0 > 0 } ?? true)
            }
            try old.send("still here")
            #expect(old.receiveText(exactly: 10) == "still here")
            // And the newest is shown
            let late = Talker(try remora.connect(), as: try certificates.client())
            #expect(throws: TalkFailed.self) { try late.shakeHands() }
            #expect(
                try Talker(try remora.connect(), as: certificates.client(trusting: "other-ca")).shakeHands().ending
                    == nil)
        }
    }

    @Suite("Handshakes with endpoints")
    struct EndpointHandshakeTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates.shared.get() }

        /// An endpoint that terminates TLS and says its name.
        private func naming(_ name: String, _ context: ServerContext) throws -> Service {
            try Service { wire in
                let talker = try Talker(wire, as: context).shakeHands()
                if !talker.receive(exactly: 1).isEmpty { try talker.send(name) }
                _ = talker.receiveToEnd()
            }
        }

        @Test(
            "An endpoint that is not who it has to be is left for another, with the client's bytes, and told of",
            arguments: [
                ("stranger", PipeFault.certificate(reason: "unable to get local issuer certificate", names: nil)),
                ("wrong-host", .certificate(reason: "hostname mismatch", names: nil)),
            ])
        func impostor(certificate: String, fault: PipeFault) throws {
            let impostor = try naming("impostor", try certificates.server(certificate))
            let true_ = try naming("true", try certificates.server())
            let remora = try Sidecar(to: [impostor.address, true_.address]) {
                $0.upstream.balance = .roundRobin
                $0.tls = .sidecar(back: try? self.certificates.client())
            }
            for _ in 0..<4 {
                let client = try remora.connect()
                try client.send("x")
                #expect(try client.receiveText(exactly: 4) == "true")
                client.close()
            }
            #expect(remora.settles())
            #expect(remora.endpoints[0].failuresTotal >= 1)
            #expect(remora.upstream.retriesTotal >= 1)
            var faults: [Notice] = []
            _ = remora.plane.takeNotices { faults.append($0) }
            #expect(!faults.isEmpty)
            for notice in faults {
                #expect(notice.kind == .handshakeFailed && notice.fault == fault)
                #expect(
                    notice.observation == Observation(cell: remora.cell(0), kind: .reset, streak: Int(notice.streak)))
            }
        }

        @Test("An endpoint is verified by its address where no name is given")
        func address() throws {
            let named = try naming("named", try certificates.server())
            let remora = try Sidecar(to: [named.address]) {
                $0.tls = .sidecar(back: try? self.certificates.client(), name: nil)
            }
            let client = try remora.connect()
            try client.send("x")
            #expect(try client.receiveText(exactly: 5) == "named")
            // Its certificate is for a host alone
            let nameless = try naming("nameless", try certificates.server("second"))
            let other = try Sidecar(to: [nameless.address]) {
                $0.tls = .sidecar(back: try? self.certificates.client(), name: nil)
            }
            #expect(try other.connect().awaitEnd() == .reset)
            #expect(other.observations(1).map(\.kind) == [.reset])
        }

        @Test("The time for a connect covers the handshake")
        func timeout() throws {
            let silent = try ManualEndpoint()
            let remora = try Sidecar(to: [silent.address]) {
                $0.upstream.connectTimeout = .milliseconds(200)
                $0.tls = .sidecar(back: try? self.certificates.client())
            }
            let client = try remora.connect()
            let held = try silent.accept()
            #expect(client.awaitEnd() == .reset)
            // Told as what it is, not as a connect that nobody accepted
            let notice = try #require(remora.notices(1).first)
            #expect(notice.kind == .handshakeFailed && notice.fault == nil)
            #expect(notice.observation?.kind == .timedOut)
            #expect(remora.settles())
            #expect(remora.plane.handshakes(ofUpstream: 0).failedTotal == 1)
            held.close()
        }

        @Test("Each endpoint's sessions resume there")
        func sessions() throws {
            let first = try naming("first", try certificates.server())
            let second = try naming(
                "second", try certificates.server(tickets: try TicketKeys(at: Instant(nanoseconds: 0))))
            let remora = try Sidecar(to: [first.address, second.address]) {
                $0.upstream.balance = .roundRobin
                $0.tls = .sidecar(back: try? self.certificates.client())
            }
            for _ in 0..<20 {
                let client = try remora.connect()
                try client.send("x")
                #expect(try client.receive(exactly: 5).count == 5)
                try client.endStream()
                _ = client.awaitEnd()
            }
            #expect(remora.settles())
            #expect(
                remora.plane.handshakes(ofUpstream: 0)
                    == HandshakesReport(completedTotal: 20, resumedTotal: 18, failedTotal: 0))
        }

        @Test("Our own certificate is shown, and an endpoint that refuses it is told of in its words")
        func mutual() throws {
            let trusted = try certificates.authorities()
            let strict = try certificates.server(clients: .required(trusted), allowed: ["spiffe://edge/*"])
            let service = try naming("mutual", strict)
            let remora = try Sidecar(to: [service.address]) {
                $0.tls = .sidecar(back: try? self.certificates.client(certificate: "client"))
            }
            let client = try remora.connect()
            try client.send("x")
            #expect(try client.receiveText(exactly: 6) == "mutual")
            let guest = try Sidecar(to: [service.address]) {
                $0.tls = .sidecar(back: try? self.certificates.client(certificate: "guest"))
            }
            #expect(try guest.connect().awaitEnd() == .reset)
            var notices: [Notice] = []
            #expect(
                eventually {
                    _ = guest.plane.takeNotices { notices.append($0) }
                    return !notices.isEmpty
                })
            #expect(notices.first?.kind == .handshakeFailed)
            #expect(notices.first?.fault == .alert(.certificateUnknown))
        }

        @Test("An endpoint that goes within the handshake is left for another", arguments: [true, false])
        func goes(byReset: Bool) throws {
            let fleeing = try Service { wire in
                _ = try wire.receive(atMost: 5)
                if byReset { wire.abort() }
            }
            let steady = try naming("steady", try certificates.server())
            let remora = try Sidecar(to: [fleeing.address, steady.address]) {
                $0.upstream.balance = .roundRobin
                $0.tls = .sidecar(back: try? self.certificates.client())
            }
            for _ in 0..<4 {
                let client = try remora.connect()
                try client.send("x")
                #expect(try client.receiveText(exactly: 6) == "steady")
            }
            #expect(fleeing.connections > 0)
        }
    }
}
