// Bytes through TLS arrive as they were sent, whichever halves speak it and however they are cut.

import Foundation
import TLS
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Transfers through TLS")
    struct SecureTransferTests {
        /// Bytes each way; fewer for the sanitizers, which are built without the outer modules.
        static let bulk = (ProcessInfo.processInfo.environment["REMORA_SANITIZED"] == nil ? 100 : 16) << 20

        /// Lets both ends say their streams at once, and checks what each hears.
        private func exchange(
            over path: SecurePath, bytes: Int, _ adjust: (SecurePath.Side, inout Talker.Script) -> Void = { _, _ in }
        ) throws {
            var scripts: [Talker.Script] = []
            for side in SecurePath.Side.allCases {
                let isClient = side == .client
                var script = Talker.Script(
                    sendSeed: isClient ? 1 : 2, receiveSeed: isClient ? 2 : 1, sends: bytes)
                adjust(side, &script)
                scripts.append(script)
            }
            let (client, server) = (path.client, path.server)
            let (clientScript, serverScript) = (scripts[0], scripts[1])
            let heard = Background { try server.exchange(serverScript) }
            let answered = Result { try client.exchange(clientScript) }
            #expect(try heard.value() == .intact(bytes: clientScript.sends))
            #expect(try answered.get() == .intact(bytes: serverScript.sends))
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
            #expect(path.remora.listener.receivedBytesTotal == UInt64(clientScript.sends))
            #expect(path.remora.listener.sentBytesTotal == UInt64(serverScript.sends))
        }

        @Test("Both directions at once arrive to the byte", arguments: Sealing.allCases)
        func bothWays(sealing: Sealing) throws {
            try exchange(over: try SecurePath(sealing), bytes: Self.bulk)
        }

        @Test("Records of a few bytes arrive to the byte", arguments: Sealing.secured)
        func tinyRecords(sealing: Sealing) throws {
            try exchange(over: try SecurePath(sealing), bytes: 300_000) { $1.pieces = 1...50 }
        }

        @Test("Records of one byte arrive to the byte, and so do those as long as may be", arguments: Sealing.secured)
        func extremeRecords(sealing: Sealing) throws {
            try exchange(over: try SecurePath(sealing), bytes: 20_000) { $1.pieces = 1...1 }
            // The longest record has 16 KiB (RFC 8446 §5.1); one direction whole ones alone, the other with a rest
            try exchange(over: try SecurePath(sealing), bytes: 4 << 20) {
                $1.pieces = $0 == .client ? (16 << 10)...(16 << 10) : (16 << 10) + 1...(16 << 10) + 1
            }
        }

        @Test(
            "A side that ends its stream first hears a long one to its end", arguments: Sealing.secured,
            SecurePath.Side.allCases)
        func halfClose(sealing: Sealing, last: SecurePath.Side) throws {
            try exchange(over: try SecurePath(sealing), bytes: 4 << 20) { side, script in
                if side != last { script.sends = 1000 }
            }
            // And where the other waits for that end before it says the last of its own
            try exchange(over: try SecurePath(sealing), bytes: 1 << 20) { $1.endsLast = $0 == last }
        }

        @Test(
            "A slow reader stops its source, and gets everything", arguments: Sealing.secured, SecurePath.Side.allCases)
        func slowReader(sealing: Sealing, side: SecurePath.Side) throws {
            try exchange(over: try SecurePath(sealing), bytes: 6 << 20) {
                if $0 == side { $1.readsBetweenPauses = 3000 }
            }
        }

        @Test("Only what is plain at both ends is spliced", arguments: Sealing.allCases)
        func splicing(sealing: Sealing) throws {
            let path = try SecurePath(sealing)
            try exchange(over: path, bytes: 4 << 20)
            #expect((path.remora.plane.splicedBytes > 0) == (sealing == .tcpToTCP))
        }

        @Test("Many connections at once, over every kind, are each as if alone", arguments: Sealing.secured)
        func many(sealing: Sealing) throws {
            let certificates = try Certificates.shared.get()
            let context = try certificates.server()
            let service = try Service { wire in
                let talker = sealing.endpoint ? Talker(wire, as: context) : Talker(wire)
                try talker.shakeHands()
                _ = try talker.exchange(Talker.Script(sendSeed: 2, receiveSeed: 1, sends: 500_000))
            }
            let contexts = try sealing.contexts()
            let remora = try Sidecar(to: [service.address]) {
                $0.tls = contexts
                $0.workers = 2
                // Forty servers' handshakes on a machine that has other things to do.
                $0.upstream.connectTimeout = .seconds(20)
            }
            let clients = try (0..<40).map { _ in
                let wire = try remora.connect()
                let talker = sealing.client ? Talker(wire, as: try certificates.client()) : Talker(wire)
                return Background {
                    try talker.shakeHands()
                    return try talker.exchange(Talker.Script(sendSeed: 1, receiveSeed: 2, sends: 500_000))
                }
            }
            for client in clients { #expect(try client.value() == .intact(bytes: 500_000)) }
            #expect(remora.settles())
        }
    }
}
