// Bytes arrive: all of them, once, in order.

import Glibc
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Transfer")
    struct TransferTests {
        /// Sanitizers slow a copy down by a lot: `REMORA_TEST_SHARE=10` makes the large tests a tenth as large.
        static let share = unsafe getenv("REMORA_TEST_SHARE").flatMap { unsafe Int(String(cString: $0)) } ?? 1

        @Test("100 MiB echoed over TCP, both ways at once, come back byte for byte", arguments: [1, 2])
        func largeEcho(workers: Int) throws {
            try echo(Route.all[0], bytes: (100 << 20) / Self.share, seed: 1) { $0.workers = workers }
        }

        @Test("16 MiB echoed come back byte for byte, whatever the halves run over", arguments: Route.all)
        func echoOverEveryRoute(route: Route) throws {
            try echo(route, bytes: (16 << 20) / Self.share, seed: 2)
        }

        @Test("A bulk stream comes through byte for byte where no pipe is to be had", arguments: Route.all)
        func echoWithoutPipes(route: Route) throws {
            try echo(route, bytes: (16 << 20) / Self.share, seed: 3) { $0.limits.mostPipes = 0 }
        }

        @Test("Ten streams at once, through two workers, keep to themselves")
        func manyStreams() throws {
            let service = try Service.echo()
            let remora = try Sidecar(to: [service.address]) { $0.workers = 2 }
            let bytes = (8 << 20) / Self.share
            let streams = try (0..<10).map { try exchange(with: remora, bytes: bytes, seed: UInt64($0)) }
            for stream in streams { #expect(try stream.value() == .intact(bytes: bytes)) }
            #expect(remora.settles())
        }

        @Test("10,000 connections in bursts are all answered, and nothing of them is left", arguments: [1, 2])
        func bursts(workers: Int) throws {
            // Given a service that turns every request into its answer
            let service = try Service { wire in
                let request = try wire.receive(exactly: 8)
                try wire.send(request.reversed())
            }
            let remora = try Sidecar(to: [service.address]) { $0.workers = workers }
            // When clients come a hundred at a time, and each asks once
            let (bursts, clients) = (100 / Self.share, 100)
            var answered = 0
            for burst in 0..<bursts {
                let wires = try (0..<clients).map { _ in try remora.connect() }
                for (number, wire) in wires.enumerated() { try wire.send(question(burst, number)) }
                for (number, wire) in wires.enumerated() {
                    let answer = try wire.receiveToEnd()
                    if answer == question(burst, number).reversed() { answered += 1 }
                }
            }
            // Then each has had its own answer, and every gauge and descriptor is back
            #expect(answered == bursts * clients)
            #expect(remora.settles())
            let report = remora.listener
            #expect(report.connectionsTotal == UInt64(answered))
            #expect(report.refusedTotal == 0 && report.abortedTotal == 0)
            #expect(remora.endpoints[0].connectionsTotal == UInt64(answered))
            #expect(eventually { descriptors(touching: service.address.port).count == 1 })
            #expect(descriptors(touching: remora.address.port).count == workers)
            remora.end()
            #expect(descriptors(touching: remora.address.port).isEmpty)
        }

        private func question(_ burst: Int, _ number: Int) -> [UInt8] {
            [UInt8(burst), UInt8(number), 2, 3, 4, 5, 6, 7]
        }

        private func echo(
            _ route: Route, bytes: Int, seed: UInt64, _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws {
            let service = try Service.echo(route.endpoint)
            let remora = try Sidecar(route.client, to: [service.address], adjust)
            #expect(try exchange(with: remora, bytes: bytes, seed: seed).value() == .intact(bytes: bytes))
            #expect(remora.settles())
            #expect(remora.listener.receivedBytesTotal == UInt64(bytes))
            #expect(remora.listener.sentBytesTotal == UInt64(bytes))
            #expect(remora.listener.abortedTotal == 0)
        }

        /// Sends and reads back at once, on threads of their own.
        private func exchange(with remora: Sidecar, bytes: Int, seed: UInt64) throws -> Background<StreamVerdict> {
            let client = try remora.connect()
            return Background {
                let sender = Background {
                    var stream = SeededStream(seed: seed)
                    try client.send(bytes, of: &stream)
                    try client.endStream()
                }
                var expected = SeededStream(seed: seed)
                let verdict = Result { try client.verify(&expected) }
                try sender.value()
                return try verdict.get()
            }
        }
    }
}
