// Flow against a world that does everything sockets may do, over thousands of seeds.

import Foundation
import Testing

@Suite("Flow: simulation")
struct FlowSimulationTests {
    /// Seeds of one batch; `REMORA_SEEDS` asks for more.
    static let batch = ProcessInfo.processInfo.environment["REMORA_SEEDS"].flatMap(UInt64.init) ?? 1000
    /// One seed to replay: `REMORA_SEED`.
    static let only = ProcessInfo.processInfo.environment["REMORA_SEED"].flatMap(UInt64.init)

    @Test("Every byte and the end get through, once, in order, whatever the sockets do", arguments: 0..<UInt64(8))
    func everythingGetsThrough(number: UInt64) {
        var coverage = FlowWorld.Coverage()
        let seeds = Self.only.map { $0...$0 } ?? (number * Self.batch)...((number + 1) * Self.batch - 1)
        for seed in seeds {
            var world = FlowWorld(seed: seed)
            do {
                try world.run()
            } catch {
                Issue.record(
                    "seed \(seed): \(error); REMORA_SEED=\(seed) swift test --filter FlowSimulation replays it")
                return
            }
            coverage += world.coverage
        }
        guard Self.batch >= 1000, Self.only == nil else { return }
        for field in FlowWorld.Coverage.fields {
            #expect(coverage[keyPath: field.path] > 0, "no seed of the batch came past \(field.name)")
        }
    }
}
