// What handshakes in great numbers cost those who are through with theirs.

import Glibc
import TLS
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Floods of handshakes")
    struct HandshakeFloodTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates.shared.get() }

        private func terminating(_ endpoint: SocketAddress, _ adjust: (inout Sidecar.Setup) -> Void = { _ in }) throws
            -> Sidecar
        {
            let context = try certificates.server()
            return try Sidecar(to: [endpoint]) {
                $0.tls = .sidecar(front: context)
                adjust(&$0)
            }
        }

        /// The first message of a handshake, as a client of its own would send it.
        private func hello() throws -> [UInt8] {
            var ends: [Int32] = [-1, -1]
            try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let (near, far) = (Wire(descriptor: ends[0]), Wire(descriptor: ends[1]))
            let talker = Talker(near, as: try certificates.client())
            _ = talker.pipe?.begin()
            return try far.receive()
        }

        @Test("Two thousand handshakes at once all come to their end, and who is through goes on meanwhile")
        func twoThousand() throws {
            let (count, endpoint) = (2000, try ManualEndpoint(backlog: 4096))
            let remora = try terminating(endpoint.address) {
                $0.workers = 2
                $0.limits.handshakeTimeout = .seconds(60)
                $0.upstream.connectTimeout = .seconds(60)
            }
            // Given a client that is through, and as many that have said hello before the first gets an answer
            let context = try certificates.client()
            let steady = try Talker(try remora.connect(), as: context).shakeHands()
            let served = try endpoint.accept()
            let clients = try (0..<count).map { _ in Talker(try remora.connect(), as: context) }
            for client in clients { _ = client.pipe?.begin() }
            // When all go on at once, and it asks all the while
            let isOver = Flag()
            let echo = Background {
                while case let bytes = try served.receive(), !bytes.isEmpty { try served.send(bytes) }
            }
            let answers = Background { () -> Int in
                var answers = 0
                while !isOver.isSet {
                    try steady.send("x")
                    guard steady.receiveText(exactly: 1) == "x" else { return -1 }
                    answers += 1
                }
                try steady.endStream()
                return answers
            }
            for client in clients { try client.shakeHands() }
            #expect(eventually { remora.plane.handshakes(ofListener: 0).completedTotal == UInt64(count + 1) })
            isOver.set()
            // Then every one of them is through, and it had an answer after every few handshakes
            #expect(try answers.value() > count / 50)
            try echo.value()
            #expect(remora.plane.connections == count + 1)
            #expect(remora.plane.handshakes(ofListener: 0).failedTotal == 0)
            for client in clients { client.wire.close() }
            steady.wire.close()
            served.close()
            #expect(remora.settles())
        }

        @Test("In a flood of hellos an established connection has its turn after every few of them")
        func pace() throws {
            let service = try Service.echo()
            // Given a worker, a connection that is through, and a queue of hellos that takes it hundreds of turns
            let remora = try terminating(service.address) { $0.limits.handshakeTimeout = .seconds(60) }
            let client = try Talker(try remora.connect(), as: certificates.client()).shakeHands()
            try client.send("x")
            #expect(client.receiveText(exactly: 1) == "x")
            let hello = try hello()
            let wires = try (0..<1500).map { _ in try remora.connect() }
            for wire in wires { try wire.send(hello) }
            // When it asks, one question after the other, for as long as hellos wait
            var begun: [Int] = []
            while begun.count < 40, remora.plane.handshakesBegun < 1500 {
                let before = remora.plane.handshakesBegun
                try client.send("y")
                try #require(client.receiveText(exactly: 1) == "y")
                begun.append(remora.plane.handshakesBegun - before)
            }
            // Then few were served before each answer: a question and its answer are two turns of the loop, and the
            // machine may have taken its time between two of ours
            #expect(begun.count >= 3)
            #expect(begun.sorted()[begun.count / 2] <= 100, "begun between two answers: \(begun)")
            for wire in wires { wire.close() }
        }

        @Test("A handshake that stalls makes room for others where too many are under way")
        func stalls() throws {
            let service = try Service.echo()
            let remora = try terminating(service.address) {
                $0.startsAtOnce = false
                $0.limits.handshakesUnderWay = 8
                $0.limits.handshakeTimeout = .seconds(60)
            }
            remora.plane.record(1)
            try remora.start()
            let hello = try hello()
            let stalled = try (0..<24).map { _ in try remora.connect() }
            for wire in stalled {
                try wire.send(hello)
                _ = try wire.receive(exactly: 5)
            }
            // The oldest have gone
            for wire in stalled.prefix(16) { #expect(wire.awaitEnd() == .reset) }
            #expect(remora.plane.connections == 8)
            // And it is told why
            #expect(remora.notices(16, .handshakeRefused).map(\.fault) == Array(repeating: .crowdedOut, count: 16))
            let records = remora.records(16).map(\.record)
            #expect(records.count == 16 && records.allSatisfy { $0.end == .handshakeFailed })
            #expect(
                records.allSatisfy {
                    $0.reason == "it made room for another handshake, as too many were under way"
                })
            let client = try Talker(try remora.connect(), as: certificates.client()).shakeHands()
            try client.send("x")
            #expect(client.receiveText(exactly: 1) == "x")
            #expect(remora.plane.connections == 8)
        }

        @Test("A client that is through and gets no endpoint is under way no more", arguments: [true, false])
        func throughInVain(isListed: Bool) throws {
            let (directory, context) = (TemporaryDirectory(), try certificates.server())
            // A connect to a path that is gone fails at once.
            let remora = try Sidecar(to: isListed ? [directory.socket("nobody")] : []) {
                $0.tls = .sidecar(front: context)
                $0.limits.handshakesUnderWay = 8
                $0.limits.handshakeTimeout = .seconds(60)
            }
            // Given as many of them as may be under way
            for _ in 0..<8 {
                let client = Talker(try remora.connect(), as: try certificates.client())
                _ = try? client.shakeHands()
                _ = client.wire.awaitEnd()
            }
            #expect(eventually { remora.plane.handshakes(ofListener: 0).completedTotal == 8 })
            // Then of those that stall no more are under way than may be
            let hello = try hello()
            let stalled = try (0..<24).map { _ in try remora.connect() }
            for wire in stalled {
                try wire.send(hello)
                _ = try wire.receive(exactly: 5)
            }
            #expect(eventually { remora.plane.connections == 8 })
        }

        @Test("No more handshakes begin within a second than may, and the rest follow")
        func perSecond() throws {
            let service = try Service.echo()
            let remora = try terminating(service.address) {
                $0.limits.handshakesPerSecond = 20
                $0.limits.handshakeTimeout = .seconds(60)
            }
            let hello = try hello()
            let began = ContinuousClock.now
            let wires = try (0..<50).map { _ in try remora.connect() }
            for wire in wires { try wire.send(hello) }
            for wire in wires { #expect(try wire.receive(exactly: 5).first == 22) }
            // Fifty are three seconds' worth, of which the first and the last need not be whole.
            #expect(ContinuousClock.now - began > .seconds(1))
        }

        @Test("A client that goes in the middle of its handshake leaves nothing behind", arguments: 0..<6)
        func abandoned(stage: Int) throws {
            let service = try Service.echo()
            let remora = try terminating(service.address)
            let hello = try hello()
            for byReset in [true, false] {
                let wire = try remora.connect()
                switch stage {
                case 0: break
                case 1: try wire.send(Array(hello.prefix(3)))
                case 2: try wire.send(Array(hello.dropLast(10)))
                case 3: try wire.send(hello)
                case 4:
                    try wire.send(hello)
                    _ = try wire.receive(exactly: 5)
                default:
                    // Through for the server, and gone before a byte of the stream.
                    try Talker(wire, as: certificates.client()).shakeHands()
                }
                if byReset { wire.abort() } else { wire.close() }
            }
            #expect(remora.settles())
            let client = try Talker(try remora.connect(), as: certificates.client()).shakeHands()
            try client.send("x")
            #expect(client.receiveText(exactly: 1) == "x")
        }

        @Test("Whatever is changed on the way, nothing hangs and nobody gets a wrong byte", arguments: 0..<4)
        func mutated(seed: Int) throws {
            let service = try Service.echo()
            let remora = try terminating(service.address) { $0.limits.handshakeTimeout = .seconds(2) }
            var random = SeededRandom(seed: UInt64(seed))
            let context = try certificates.client()
            for _ in 0..<60 {
                // Given a client whose bytes go through hands that change one of them
                var ends: [Int32] = [-1, -1]
                try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let (near, far) = (Wire(descriptor: ends[0]), Wire(descriptor: ends[1]))
                let outer = try remora.connect()
                let place = Int.random(in: 0..<900, using: &random)
                let mask = UInt8.random(in: 1...255, using: &random)
                let there = Background {
                    var passed = 0
                    while case let bytes = try far.receive(), !bytes.isEmpty {
                        var bytes = bytes
                        if (passed..<(passed + bytes.count)).contains(place) { bytes[place - passed] ^= mask }
                        passed += bytes.count
                        try outer.send(bytes)
                    }
                    try outer.endStream()
                    return true
                }
                let back = Background {
                    while case let bytes = try outer.receive(), !bytes.isEmpty { try far.send(bytes) }
                    try far.endStream()
                    return true
                }
                let talker = Talker(near, as: context)
                if (try? talker.shakeHands()) != nil {
                    // What was not changed by then may be
                    let said = [UInt8](repeating: 42, count: 600)
                    try? talker.send(said)
                    let heard = talker.receive(exactly: 600)
                    #expect(heard == Array(said.prefix(heard.count)))
                }
                near.close()
                _ = try? there.value()
                outer.close()
                far.close()
                _ = try? back.value()
            }
            #expect(remora.settles())
        }
    }
}
