// TLS against plain: whatever the peers do, two sidecars with TLS between them give the same bytes and endings as one
// without.

import Foundation
import Testing
import Vocabulary

@testable import Proxy

@Suite("TLS against plain")
struct SecureDifferentialTests {
    /// Schedules for each kind of connection; `REMORA_SEEDS` asks for more.
    static let schedules = ProcessInfo.processInfo.environment["REMORA_SEEDS"].flatMap(UInt64.init) ?? 200
    /// One seed to replay: `REMORA_SEED`.
    static let only = ProcessInfo.processInfo.environment["REMORA_SEED"].flatMap(UInt64.init)

    /// Runs `body` for every seed, and says which one it failed for.
    private func forEachSeed(_ count: UInt64, of kind: RelayKind, _ body: (UInt64) throws -> Void) {
        for seed in Self.only.map({ $0..<($0 + 1) }) ?? 0..<count {
            do {
                try body(seed)
            } catch {
                Issue.record(
                    "\(kind), seed \(seed): \(error); replay: REMORA_SEED=\(seed) swift test --filter SecureDifferential"
                )
                return
            }
        }
    }

    @Test(
        "Through TLS and plainly, the same schedule gives the same bytes and the same endings",
        arguments: RelayKind.allCases)
    func sameOutcome(kind: RelayKind) throws {
        let sealed = try DifferentialRelay(kind, throughTLS: true)
        let plain = try DifferentialRelay(kind)
        forEachSeed(Self.schedules, of: kind) { seed in
            let schedule = Schedule(seed: seed, kind: kind, aborts: false)
            let throughTLS = try sealed.run(schedule)
            let plainly = try plain.run(schedule)
            guard throughTLS == plainly else { throw RelayFault("through TLS \(throughTLS), plainly \(plainly)") }
            guard throughTLS.received == throughTLS.sent.reversed(), throughTLS.endings == [.end, .end] else {
                throw RelayFault("\(throughTLS) is not what was sent")
            }
        }
        #expect(sealed.plane.splicedBytes == 0)
    }

    @Test("An aborted schedule gives a prefix through TLS, and over TCP a reset", arguments: RelayKind.allCases)
    func aborts(kind: RelayKind) throws {
        let sealed = try DifferentialRelay(kind, throughTLS: true)
        forEachSeed(Self.schedules / 2, of: kind) { seed in
            let schedule = Schedule(seed: seed, kind: kind, aborts: true)
            // That it is a prefix is checked as it is read.
            let outcome = try sealed.run(schedule)
            guard let survivor = schedule.aborter?.other else { throw RelayFault("nobody aborts") }
            guard !kind.clientIsTCP || !kind.serverIsTCP || outcome.endings[survivor.rawValue] == .reset else {
                throw RelayFault("\(survivor) saw \(outcome) for an abort")
            }
        }
    }
}
