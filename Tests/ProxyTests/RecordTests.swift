// What is left of connections when they have ended: one record each, whatever became of them.

import Glibc
import Reactor
import Routing
import Synchronization
import TLS
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension Sidecar {
    /// The records from the last time on, once there are `count`; sorted as connections were accepted.
    func records(_ count: Int) -> [NamedRecord] {
        var records: [NamedRecord] = []
        _ = eventually {
            _ = plane.takeRecords { records.append($0) }
            return records.count >= count
        }
        return records.sorted { $0.record.accepted < $1.record.accepted }
    }
}

extension DataPlaneBehaviour {
    @Suite("Records of connections")
    struct RecordTests {
        private func sidecar(
            to endpoints: [SocketAddress], _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws -> Sidecar {
            let remora = try Sidecar(to: endpoints) {
                $0.startsAtOnce = false
                adjust(&$0)
            }
            remora.plane.record(1)
            try remora.start()
            return remora
        }

        @Test("A clean end: who, where to, how much and how long", arguments: [1, 2])
        func clean(workers: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address]) { $0.workers = workers }
            let begin = Kernel.now()
            let client = try remora.connect()
            let server = try endpoint.accept()
            try client.send("question")
            #expect(try server.receiveText(exactly: 8) == "question")
            try server.send("the answer")
            #expect(try client.receiveText(exactly: 10) == "the answer")
            try client.endStream()
            #expect(try server.receiveToEnd() == [])
            try server.send("!")
            try server.endStream()
            #expect(try client.receiveTextToEnd() == "!")
            let records = remora.records(1)
            try #require(records.count == 1)
            let record = records[0].record
            #expect(records[0].listener == "front" && records[0].upstream == "back")
            #expect(records[0].endpoint?.address == endpoint.address && records[0].endpoint?.member == nil)
            #expect(record.end == .clean && record.reason == nil && record.attempts == 1)
            #expect(record.client == client.localAddress)
            #expect(record.received == 8 && record.sent == 11)
            #expect(record.accepted >= begin && record.ended <= Kernel.now() && record.ended >= record.accepted)
            let (placed, connected) = (try #require(record.placed), try #require(record.connected))
            #expect(placed >= record.accepted && connected >= placed)
            #expect(try #require(record.firstByte) <= record.ended - placed)
        }

        @Test(
            "Many connections: the bytes of their records are those of their listener and endpoint", arguments: [1, 2])
        func sums(workers: Int) throws {
            let service = try Service.echo()
            let remora = try sidecar(to: [service.address]) { $0.workers = workers }
            for number in 0..<60 {
                let client = try remora.connect()
                // From one read to what is spliced.
                let bytes = [UInt8](repeating: 7, count: number * number * 100)
                let answer = Background { try client.receiveToEnd() }
                try client.send(bytes)
                try client.endStream()
                #expect(try answer.value() == bytes)
            }
            let records = remora.records(60)
            #expect(records.count == 60 && records.allSatisfy { $0.record.end == .clean })
            #expect(records.map(\.record.received) == (0..<60).map { UInt64($0 * $0 * 100) })
            #expect(records.map(\.record.sent) == records.map(\.record.received))
            #expect(remora.listener.receivedBytesTotal == records.reduce(0) { $0 + $1.record.received })
            #expect(remora.plane.takeRecords { _ in Issue.record("one more") } == 0)
        }

        @Test("An abort says whose it was, and why", arguments: [true, false])
        func aborts(byClient: Bool) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            let address = client.localAddress
            try client.send("x")
            #expect(try server.receiveText(exactly: 1) == "x")
            if byClient { client.abort() } else { server.abort() }
            #expect(remora.settles())
            let record = try #require(remora.records(1).first).record
            #expect(record.end == (byClient ? .clientAbort : .endpointAbort))
            #expect(record.reason == "\(SystemError(code: ECONNRESET))")
            #expect(record.client == address && address != nil, "known although its socket was reset")
            #expect(record.received == 1)
        }

        @Test("No endpoint that accepts: the last attempt's error; none at all: that")
        func unplaced() throws {
            let (closed, other) = (try ClosedPort(), try ClosedPort())
            let remora = try sidecar(to: [closed.address, other.address]) { $0.upstream.connectAttempts = 2 }
            let client = try remora.connect()
            #expect(client.awaitEnd() == .reset)
            let failed = try #require(remora.records(1).first)
            #expect(failed.record.end == .connectFailed && failed.record.attempts == 2)
            #expect(failed.record.reason == "\(SystemError.connectionRefused)")
            #expect(failed.record.placed != nil && failed.record.connected == nil && failed.record.firstByte == nil)
            #expect([closed.address, other.address].contains(try #require(failed.endpoint).address))
            for place in 0..<2 { remora.turn(place, to: .keep, state: .draining) }
            #expect(try remora.connect().awaitEnd() == .reset)
            let none = try #require(remora.records(1).first)
            #expect(none.record.end == .noEndpoint && none.record.attempts == 0 && none.endpoint == nil)
            #expect(none.record.placed == nil && none.upstream == "back" && none.listener == "front")
        }

        @Test("An endpoint that did not accept and one that did: two attempts, the second one's name, no reason")
        func retried() throws {
            let (closed, service) = (try ClosedPort(), try Service.naming("me"))
            let remora = try sidecar(to: [closed.address, service.address]) { $0.upstream.balance = .roundRobin }
            for _ in 0..<2 {
                let client = try remora.connect()
                try client.send("?")
                #expect(try client.receiveText(exactly: 2) == "me")
                try client.endStream()
                #expect(try client.receiveToEnd() == [])
            }
            let records = remora.records(2)
            #expect(records.map(\.record.attempts).sorted() == [1, 2])
            #expect(records.allSatisfy { $0.endpoint?.address == service.address && $0.record.reason == nil })
            #expect(records.allSatisfy { $0.record.end == .clean })
        }

        @Test("A client that its listener has no place for has a record though it never was a connection")
        func listenerFull() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address]) { $0.listener.maxConnections = 1 }
            let client = try remora.connect()
            let server = try endpoint.accept()
            let refused = try remora.connect()
            #expect(refused.awaitEnd() == .reset)
            let record = try #require(remora.records(1).first)
            #expect(record.record.end == .listenerFull && record.listener == "front" && record.upstream == "back")
            withExtendedLifetime((client, server)) {}
        }

        @Test("Idle for too long, and at the end of the process")
        func idleAndShutdown() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address]) { $0.listener.idleTimeout = .milliseconds(50) }
            let client = try remora.connect()
            let server = try endpoint.accept()
            #expect(client.awaitEnd() == .reset)
            let idle = try #require(remora.records(1).first).record
            #expect(idle.end == .idleTimeout && idle.ended - idle.accepted >= .milliseconds(50))
            let lasting = try sidecar(to: [endpoint.address])
            let last = try lasting.connect()
            let lastServer = try endpoint.accept()
            lasting.end()
            #expect(last.awaitEnd() == .reset)
            // Workers are gone, and what they left is there.
            #expect(lasting.records(1).map(\.record.end) == [.shutdown])
            withExtendedLifetime((server, lastServer)) {}
        }

        @Test(
            "Given up with its endpoint: at rest or at once, and why",
            arguments: [
                (ConnectionFate.reset, FateCause.dead), (.drain, .left), (.reset, .unlisted), (.drain, .suspect),
            ])
        func fates(fate: ConnectionFate, cause: FateCause) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            try client.send("?")
            #expect(try server.receiveText(exactly: 1) == "?")
            try server.send("!")
            #expect(try client.receiveText(exactly: 1) == "!")
            remora.turn(to: fate, cause: cause)
            #expect(remora.settles())
            let record = try #require(remora.records(1).first)
            #expect(record.record.end == (fate == .reset ? .reset : .drained))
            let words: [FateCause: String] = [
                .dead: "its member is dead", .left: "its member has left", .suspect: "its member is suspect",
                .unlisted: "its endpoint is listed no more",
            ]
            #expect(record.record.reason == words[cause])
            #expect(record.endpoint?.address == endpoint.address)
        }

        @Test("Old and at rest, or old and never at rest")
        func ages() throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address]) { $0.upstream.maxConnectionAge = .milliseconds(300) }
            let resting = try remora.connect()
            let server = try endpoint.accept()
            try resting.send("?")
            #expect(try server.receiveText(exactly: 1) == "?")
            try server.send("!")
            #expect(try resting.receiveText(exactly: 1) == "!")
            let waiting = try remora.connect()
            let silent = try endpoint.accept()
            try waiting.send("?")
            #expect(try resting.receiveToEnd() == [])
            #expect(waiting.awaitEnd() == .reset)
            #expect(remora.records(2).map(\.record.end) == [.aged, .expired])
            withExtendedLifetime(silent) {}
        }

        @Test("A PROXY header's client is the client, and one that never comes is why it ended")
        func prefaces() throws {
            let service = try Service.naming("me")
            let remora = try sidecar(to: [service.address]) {
                $0.listener.acceptProxyProtocol = true
                $0.limits.prefaceTimeout = .milliseconds(50)
            }
            let header = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
            let client = try remora.connect()
            try client.send(header + "?")
            #expect(try client.receiveText(exactly: 2) == "me")
            client.close()
            let record = try #require(remora.records(1).first).record
            #expect(record.client == (try SocketAddress(parsing: "192.0.2.7:4711")))
            #expect(record.received == UInt64(header.utf8.count + 1), "as its listener counts")
            let garbage = try remora.connect()
            try garbage.send("GET / HTTP/1.1\r\n\r\n")
            #expect(garbage.awaitEnd() == .reset)
            let bad = try #require(remora.records(1).first).record
            #expect(bad.end == .badPreface && bad.reason == "no valid PROXY header came first")
            let silent = try remora.connect()
            #expect(silent.awaitEnd() == .reset)
            let late = try #require(remora.records(1).first).record
            #expect(late.end == .badPreface && late.reason == "no PROXY header came in time")
        }

        @Test("A record outlives its endpoint's place in the set")
        func names() throws {
            let (endpoint, next) = (try ManualEndpoint(), try ManualEndpoint())
            let remora = try sidecar(to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            try remora.replaceEndpoints(with: [next.address])
            try client.endStream()
            #expect(try server.receiveToEnd() == [])
            server.close()
            #expect(try #require(remora.records(1).first).endpoint?.address == endpoint.address)
        }

        @Test("A record has its upstream's name, though a reload has added it while records were read")
        func addedWhileRead() throws {
            // Given a record to be read
            let remora = try sidecar(to: [])
            #expect(try remora.connect().awaitEnd() == .reset)
            let staying = try #require(remora.plane.listeners.first)
            let added = try ListenerSockets(
                ListenerOptions(name: "side", bind: .ipv4(.loopback, port: 0), upstream: "added"), workers: 1,
                silentPeerTimeout: .seconds(60))
            var records: [NamedRecord] = []
            _ = remora.plane.takeRecords {
                records.append($0)
                guard records.count == 1 else { return }
                // When another upstream comes, and a connection to it leaves a record, before that one is through
                do {
                    #expect(
                        try remora.configure(
                            [.stays(number: 0, staying.options), .opens(added)],
                            further: [UpstreamOptions(name: "added", endpoints: [])]))
                    #expect(try Wire.connect(to: added.address).awaitEnd() == .reset)
                } catch { Issue.record(error) }
            }
            // Then it is read in the same passage
            #expect(records.map(\.upstream) == ["back", "added"])
            #expect(records.map(\.listener) == ["front", "side"])
        }

        @Test("A client that was verified and gets no endpoint is known by its certificate", arguments: [true, false])
        func identified(isListed: Bool) throws {
            let (directory, certificates) = (TemporaryDirectory(), try Certificates.shared.get())
            let context = try certificates.server(clients: .required(try certificates.authorities()))
            // A connect to a path that is gone fails at once.
            let remora = try sidecar(to: isListed ? [directory.socket("nobody")] : []) {
                $0.tls = .sidecar(front: context)
            }
            let client = Talker(try remora.connect(), as: try certificates.client(certificate: "client"))
            _ = try? client.shakeHands()
            let record = try #require(remora.records(1).first).record
            #expect(record.end == (isListed ? .connectFailed : .noEndpoint))
            #expect(record.identity == .uri("spiffe://edge/web"))
        }

        // MARK: The first byte

        /// What an endpoint hears before it speaks, and how that came.
        enum Question: CaseIterable {
            case plain
            /// In one segment with a PROXY header.
            case behindHeader
            /// Read ahead, to be looked at.
            case lookedAt
            /// Nothing.
            case none
        }

        @Test("The first byte took what the endpoint took, whatever is said after it", arguments: Question.allCases)
        func firstByte(question: Question) throws {
            let endpoint = try ManualEndpoint()
            let remora = try sidecar(to: [endpoint.address]) {
                switch question {
                case .plain, .none: break
                case .behindHeader: $0.listener.acceptProxyProtocol = true
                case .lookedAt:
                    $0.upstream.balance = .ringHash
                    $0.upstream.hash.key = .path
                }
            }
            let client = try remora.connect()
            let words = "GET / HTTP/1.1\r\n"
            switch question {
            case .plain, .lookedAt: try client.send(words)
            case .behindHeader: try client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n" + words)
            case .none: break
            }
            let server = try endpoint.accept()
            if question != .none { #expect(try server.receiveText(exactly: words.utf8.count) == words) }
            let said = try answer(server)
            #expect(try client.receiveText(exactly: 6) == "answer")
            try client.send("more")
            #expect(try server.receiveText(exactly: 4) == "more")
            client.close()
            server.close()
            try expectFirstByte(of: remora, said)
        }

        @Test("The first byte took what the endpoint took where the question came with the end of a handshake")
        func firstByteBehindHandshake() throws {
            let (endpoint, certificates) = (try ManualEndpoint(), try Certificates.shared.get())
            let context = try certificates.server()
            let remora = try sidecar(to: [endpoint.address]) { $0.tls = .sidecar(front: context) }
            // Given a client whose last message of the handshake waits until it has asked
            var ends: [Int32] = [-1, -1]
            try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let (near, far, outer) = (Wire(descriptor: ends[0]), Wire(descriptor: ends[1]), try remora.connect())
            let client = Talker(near, as: try certificates.client())
            _ = client.pipe?.begin()
            try outer.send(try far.receive())
            try far.send(try outer.receive())
            try client.shakeHands()
            try client.send("question")
            try outer.send(try far.receive())
            let server = try endpoint.accept()
            #expect(try server.receiveText(exactly: 8) == "question")
            let said = try answer(server)
            // When it says more after the answer
            _ = try outer.receive()
            try client.send("more")
            try outer.send(try far.receive())
            #expect(try server.receiveText(exactly: 4) == "more")
            outer.close()
            try expectFirstByte(of: remora, said)
        }

        /// Answers, after a while.
        /// - Returns: when the question was there, and when the answer was given.
        private func answer(_ server: Wire) throws -> (heard: Instant, answered: Instant) {
            let heard = Kernel.now()
            while Kernel.now() < heard + .milliseconds(50) { usleep(1000) }
            let answered = Kernel.now()
            try server.send("answer")
            return (heard, answered)
        }

        private func expectFirstByte(of remora: Sidecar, _ said: (heard: Instant, answered: Instant)) throws {
            let record = try #require(remora.records(1).first).record
            let (connected, firstByte) = (try #require(record.connected), try #require(record.firstByte))
            // An endpoint may have accepted before remora has heard so.
            #expect(firstByte >= said.answered - max(said.heard, connected))
            #expect(said.answered > connected && firstByte <= record.ended - connected)
        }

        // MARK: Attempts

        @Test("A connect that is put off and tried again is one attempt", arguments: [true, false])
        func postponed(isTakenIn: Bool) throws {
            // Given an endpoint whose queue is full
            let endpoint = try ManualEndpoint(.unix, backlog: 0)
            var callers: [Wire] = []
            while callers.count < 8 {
                let caller = Wire(descriptor: try Kernel.socket(family: AF_UNIX).get())
                let form = endpoint.address.kernelForm
                let outcome = unsafe form.withUnsafeBytes { unsafe Kernel.connect(caller.descriptor, to: $0) }
                if outcome.wouldBlock { break }
                callers.append(caller)
            }
            try #require(callers.count < 8)
            let patience = Duration.milliseconds(isTakenIn ? 20_000 : 150)
            let remora = try sidecar(to: [endpoint.address]) { $0.upstream.connectTimeout = patience }
            let (client, began) = (try remora.connect(), Kernel.now())
            guard isTakenIn else {
                #expect(client.awaitEnd() == .reset)
                let record = try #require(remora.records(1).first)
                #expect(record.record.end == .connectFailed && record.record.attempts == 1)
                #expect(record.record.reason == "\(SystemError.wouldBlock)")
                #expect(record.endpoint?.address == endpoint.address)
                return
            }
            // When it takes them after a while
            while Kernel.now() < began + .milliseconds(150) { usleep(1000) }
            for _ in callers { _ = try endpoint.accept() }
            let server = try endpoint.accept()
            try client.endStream()
            #expect(try server.receiveToEnd() == [])
            server.close()
            let record = try #require(remora.records(1).first).record
            #expect(record.end == .clean && record.attempts == 1)
        }

        @Test("Nothing is recorded unless it is asked for, nor when it is asked for no more")
        func off() throws {
            let service = try Service.naming("me")
            let remora = try Sidecar(to: [service.address])
            func visit() throws {
                let client = try remora.connect()
                try client.send("?")
                #expect(try client.receiveText(exactly: 2) == "me")
                client.close()
                #expect(remora.settles())
            }
            try visit()
            #expect(remora.plane.takeRecords { _ in Issue.record("nobody has asked") } == 0)
            remora.plane.record(1)
            // Workers take it up when they next wake.
            var taken = 0
            #expect(
                eventually {
                    try? visit()
                    _ = remora.plane.takeRecords { _ in taken += 1 }
                    return taken > 0
                })
            remora.plane.record(0)
            try visit()
            #expect(
                eventually {
                    try? visit()
                    taken = 0
                    _ = remora.plane.takeRecords { _ in taken += 1 }
                    return taken == 0
                })
        }

        @Test("A reader that is too slow loses what does not fit, counted, and keeps the order of the rest")
        func overflow() throws {
            let desk = RecordDesk(bell: try RecordBell())
            for number in 0..<(RecordDesk.capacity + 7) { desk.add(record(number)) }
            var read: [UInt32] = []
            #expect(desk.take { read.append($0.listener) } == 7)
            #expect(read == (0..<UInt32(RecordDesk.capacity)).map { $0 })
            #expect(desk.take { _ in Issue.record("empty") } == 0)
            desk.add(record(1))
            var last: UInt32?
            #expect(desk.take { last = $0.listener } == 0)
            #expect(last == 1)
        }

        private func record(_ number: Int) -> ConnectionRecord {
            ConnectionRecord(
                end: .clean, listener: UInt32(number), listenerTenancy: 1, upstream: 0,
                accepted: Instant(nanoseconds: 0), ended: Instant(nanoseconds: 0))
        }

        @Test("The bell wakes a reader that sleeps, and a ring that is half full one that gathers")
        func bell() throws {
            let bell = try RecordBell()
            let desk = RecordDesk(bell: bell)
            let rounds = Mutex<[Int]>([])
            let reader = Background {
                for _ in 0..<2 {
                    bell.wait()
                    // Without a hurry it would be a minute.
                    bell.gather(for: .seconds(60))
                    var count = 0
                    _ = desk.take { _ in count += 1 }
                    rounds.withLock { $0.append(count) }
                }
            }
            for number in 0...RecordDesk.capacity / 2 { desk.add(record(number)) }
            #expect(eventually { rounds.withLock { $0.count } == 1 })
            desk.add(record(0))
            bell.hurry()
            try reader.value()
            #expect(rounds.withLock { $0.reduce(0, +) } == RecordDesk.capacity / 2 + 2)
        }
    }
}

@Suite("Shares of connections")
struct RecordShareTests {
    @Test(
        "A share is drawn as often as it says, and the same seed draws the same", arguments: [0.001, 0.125, 0.5, 0.999])
    func share(fraction: Double) {
        var (random, again) = (SeededRandom(seed: 8), SeededRandom(seed: 8))
        let share = RecordShare(fraction)
        let draws = (0..<100_000).map { _ in share.isDrawn(by: &random) }
        #expect(draws == (0..<100_000).map { _ in share.isDrawn(by: &again) })
        let drawn = Double(draws.count { $0 })
        // Six standard deviations of a binomial.
        #expect(abs(drawn - 100_000 * fraction) < 6 * (100_000 * fraction * (1 - fraction)).squareRoot())
    }

    @Test("All are all, and none are none")
    func ends() {
        var random = SeededRandom(seed: 1)
        #expect((0..<1_000).allSatisfy { _ in RecordShare(1).isDrawn(by: &random) })
        #expect(RecordShare(0) == .none && RecordShare(1) != .none && RecordShare(0.001) != .none)
    }
}

@Suite("Names in records")
struct RecordNamesTests {
    private func identity(_ port: UInt16) -> EndpointIdentity {
        EndpointIdentity(member: "m\(port)", address: .ipv4(.loopback, port: port))
    }

    @Test("A cell's last two endpoints are known, and no record gets another's name")
    func cells() {
        let names = RecordNames(capacity: 2)
        #expect(names.endpoint(at: 3, tenancy: 1) == nil)
        for tenancy in UInt64(1)...3 { names.learn(identity(UInt16(tenancy)), at: 3, tenancy: tenancy) }
        #expect(names.endpoint(at: 3, tenancy: 1) == nil)
        #expect(names.endpoint(at: 3, tenancy: 2) == identity(2))
        #expect(names.endpoint(at: 3, tenancy: 3) == identity(3))
        #expect(names.endpoint(at: 3, tenancy: 4) == nil && names.endpoint(at: 2, tenancy: 3) == nil)
    }

    @Test("Listeners that are there are known, and of those that are gone the newest, within a bound")
    func listeners() {
        let names = RecordNames(capacity: 2)
        names.learn(listeners: [(1, "stays")])
        for tenancy in UInt64(2)...9 { names.learn(listeners: [(1, "stays"), (tenancy, "l\(tenancy)")]) }
        #expect(names.listener(tenancy: 1) == "stays" && names.listener(tenancy: 9) == "l9")
        #expect(names.listener(tenancy: 8) == "l8" && names.listener(tenancy: 7) == "l7")
        #expect(names.listener(tenancy: 6) == nil && names.listener(tenancy: 2) == nil)
        names.learn(listeners: [(1, "renamed")])
        #expect(names.listener(tenancy: 1) == "renamed")
    }
}
