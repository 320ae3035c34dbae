// Splicing against copying: whatever the peers do, both give the same bytes and the same endings.

import Foundation
import Testing
import Vocabulary

@testable import Proxy

@Suite("Splice against copy")
struct SpliceDifferentialTests {
    /// Schedules for each kind of connection; `REMORA_SEEDS` asks for more.
    static let schedules = ProcessInfo.processInfo.environment["REMORA_SEEDS"].flatMap(UInt64.init) ?? 1000
    /// One seed to replay: `REMORA_SEED`.
    static let only = ProcessInfo.processInfo.environment["REMORA_SEED"].flatMap(UInt64.init)

    /// Runs `body` for every seed, and says which one it failed for.
    private func forEachSeed(_ count: UInt64, of kind: RelayKind, _ body: (UInt64) throws -> Void) {
        for seed in Self.only.map({ $0..<($0 + 1) }) ?? 0..<count {
            do {
                try body(seed)
            } catch {
                Issue.record(
                    "\(kind), seed \(seed): \(error); replay: REMORA_SEED=\(seed) swift test --filter SpliceDifferential"
                )
                return
            }
        }
    }

    @Test(
        "Spliced and copied, the same schedule gives the same bytes and the same endings", arguments: RelayKind.allCases
    )
    func sameOutcome(kind: RelayKind) throws {
        let splicing = try DifferentialRelay(kind)
        let copying = try DifferentialRelay(kind) { $0.mostPipes = 0 }
        forEachSeed(Self.schedules, of: kind) { seed in
            let schedule = Schedule(seed: seed, kind: kind, aborts: false)
            let spliced = try splicing.run(schedule)
            let copied = try copying.run(schedule)
            guard spliced == copied else { throw RelayFault("spliced \(spliced), copied \(copied)") }
            guard spliced.received == spliced.sent.reversed(), spliced.endings == [.end, .end] else {
                throw RelayFault("\(spliced) is not what was sent")
            }
        }
        #expect(copying.plane.splicedBytes == 0)
        // Less would mean that hardly anything was compared.
        if Self.only == nil { #expect(splicing.plane.splicedBytes > Self.schedules * 50_000) }
    }

    @Test("An aborted schedule gives a prefix, and over TCP a reset, spliced or copied", arguments: RelayKind.allCases)
    func aborts(kind: RelayKind) throws {
        let splicing = try DifferentialRelay(kind)
        let copying = try DifferentialRelay(kind) { $0.mostPipes = 0 }
        forEachSeed(Self.schedules / 2, of: kind) { seed in
            let schedule = Schedule(seed: seed, kind: kind, aborts: true)
            for relay in [splicing, copying] {
                // That it is a prefix is checked as it is read.
                let outcome = try relay.run(schedule)
                guard let survivor = schedule.aborter?.other else { throw RelayFault("nobody aborts") }
                guard !kind.clientIsTCP || !kind.serverIsTCP || outcome.endings[survivor.rawValue] == .reset else {
                    throw RelayFault("\(survivor) saw \(outcome) for an abort")
                }
            }
        }
        if Self.only == nil { #expect(splicing.plane.splicedBytes > Self.schedules * 10_000) }
    }

    // MARK: Where no pipe is to be had

    @Test(
        "A kernel that refuses a pipe of the size wanted makes streams copied, and nothing else",
        arguments: RelayKind.allCases)
    func refusedPipes(kind: RelayKind) throws {
        // More than any kernel gives; an unprivileged user beyond pipe-user-pages-soft is refused less already.
        let relay = try DifferentialRelay(kind) { $0.pipeCapacity = .max }
        forEachSeed(50, of: kind) { seed in
            let outcome = try relay.run(Schedule(seed: seed, kind: kind, aborts: false))
            guard outcome.received == outcome.sent.reversed(), outcome.endings == [.end, .end] else {
                throw RelayFault("\(outcome) is not what was sent")
            }
        }
        #expect(relay.plane.splicedBytes == 0)
    }

    @Test("A stream that finds the last pipe lent is copied; the pipe stays with the bytes that lie in it")
    func lentPipe() throws {
        let relay = try DifferentialRelay(.tcpToUnix) { $0.mostPipes = 1 }
        let (blocked, other) = (try relay.converse(), try relay.converse())
        // Given a bulky stream whose sink is full, so that bytes lie in the only pipe
        try blocked.perform(.write(.client, 600_000))
        try blocked.perform(.read(.server, .max))
        try blocked.perform(.write(.client, 1_000_000))
        try blocked.waitUntilWritten(by: .client)
        try relay.waitUntilBlocked()
        // When another stream is just as bulky
        let spliced = relay.plane.splicedBytes
        #expect(spliced > 0)
        try other.perform(.write(.client, 3_000_000))
        try other.perform(.read(.server, .max))
        // Then it gets through, copied
        #expect(relay.plane.splicedBytes == spliced)
        // And the first goes on, through its pipe
        try blocked.perform(.read(.server, .max))
        // Bytes arrive before they are counted.
        #expect(eventually { relay.plane.splicedBytes > spliced })
    }

    @Test("A stream that has become an exchange of messages gives its pipe to others")
    func calmedPipe() throws {
        let relay = try DifferentialRelay(.tcpToTCP) { $0.mostPipes = 1 }
        let (calm, bulky) = (try relay.converse(), try relay.converse())
        // Given a stream that was bulky, and is idle after some messages
        try calm.perform(.write(.client, 1_000_000))
        try calm.perform(.read(.server, .max))
        for _ in 0..<8 {
            try calm.perform(.write(.client, 100))
            try calm.perform(.read(.server, .max))
        }
        let spliced = relay.plane.splicedBytes
        #expect(spliced > 0)
        // When another one moves in bulk
        try bulky.perform(.write(.client, 2_000_000))
        try bulky.perform(.halfClose(.client))
        try bulky.perform(.read(.server, .max))
        // Then it is spliced. Bytes arrive before they are counted.
        #expect(eventually { relay.plane.splicedBytes > spliced })
    }
}
