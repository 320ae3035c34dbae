// How old the loads are that a fleet knows of itself, within each budget.

import FleetLoad
import GossipWire
import Vocabulary

extension Experiments {
    /// What the issue of telemetry asks for, in bytes a second.
    private static let budgets = [1024, 2048, 4096]
    /// A version byte, a nonce and a tag.
    private static let seal = 29

    static func telemetry(_ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport) {
        for budget in budgets {
            for overhead in [0, seal] {
                telemetry(
                    options, nodes: nodes,
                    TelemetryOptions(bytesPerSecond: ByteCount(budget), packetOverhead: overhead), into: &report)
            }
        }
    }

    private static func telemetry(
        _ options: ExperimentOptions, nodes: Int, _ telemetry: TelemetryOptions, into report: inout ExperimentReport
    ) {
        let budget = telemetry.bytesPerSecond.bytes
        let duration = options.duration ?? .seconds(20)
        var (ages, held, bytes, most, datagrams): ([Double], [Double], [Double], [Double], [Double]) =
            ([], [], [], [], [])
        var alike: [Double] = []
        for seed in options.seeds(of: .telemetry, nodes: nodes) {
            var world = TelemetryWorld(
                nodes: nodes, seed: seed, options: telemetry, loss: options.loss, latency: options.latency)
            // Until every lap was taken several times.
            world.run(for: .seconds(2 + 6 * freshestPeriod(nodes: nodes, telemetry)))
            let before = world.sent
            world.recordsDeliveries = true
            for _ in 0..<10 {
                world.run(for: duration / 10)
                let known = world.ages()
                ages += known
                held.append(Double(known.count) / Double(nodes * (nodes - 1)))
            }
            let sent = world.sent
            let nodeSeconds = duration.inSeconds * Double(nodes)
            bytes.append(Double(sent.bytes - before.bytes) / nodeSeconds)
            datagrams.append(Double(sent.datagrams - before.datagrams) / nodeSeconds)
            most.append(Double(world.mostInSecond))
            alike.append(world.shareAlikeInAnyOrder(seed: seed))
            report.virtualTime += .nanoseconds(world.now.nanoseconds)
        }
        let conditions: [Finding.Condition] = [.budget(budget), .sealed(telemetry.packetOverhead > 0)]
        report.add(
            .reportAge, of: .telemetry, nodes: nodes, ages, predicted: freshestPeriod(nodes: nodes, telemetry) / 2,
            note: "bound of the mean: no heads, no stops", conditions: conditions)
        report.add(.reportsHeld, of: .telemetry, nodes: nodes, held, predicted: 1, conditions: conditions)
        report.add(
            .telemetryBytes, of: .telemetry, nodes: nodes, bytes, predicted: Double(budget), note: "at most",
            conditions: conditions)
        report.add(
            .bytesInSecond, of: .telemetry, nodes: nodes, most, predicted: Double(budget), note: "at most, of any node",
            conditions: conditions)
        report.add(.telemetryDatagrams, of: .telemetry, nodes: nodes, datagrams, conditions: conditions)
        report.add(
            .alikeInAnyOrder, of: .telemetry, nodes: nodes, alike, predicted: 1,
            note: "what one node heard, shuffled and doubled", conditions: conditions)
    }

    /// The least time, in seconds, in which one node's budget, and so what one node is told, holds every other
    /// member's report once.
    static func freshestPeriod(nodes: Int, _ telemetry: TelemetryOptions) -> Double {
        Double((nodes - 1) * TelemetryWorld.usualReport.encodedLength) / Double(telemetry.bytesPerSecond.bytes)
    }
}

extension TelemetryWorld {
    /// A report of usual length.
    static let usualReport: LoadReport = {
        guard let age = ReportAge(.seconds(1)) else { preconditionFailure("a second is an age") }
        return LoadReport(
            subject: LoadSubject(digest: 0), version: LoadVersion(incarnation: 1, number: firstNumber), age: age,
            services: [ServiceLoad(outstanding: 50, connections: 1000)])
    }()

    /// Datagrams and bytes of all nodes since the start.
    var sent: (datagrams: UInt64, bytes: UInt64) {
        cores.reduce((0, 0)) { ($0.0 + $1.counters.sentDatagrams, $0.1 + $1.counters.sentBytes) }
    }

    /// Of every report that is held now, in seconds.
    func ages() -> [Double] {
        (0..<nodes).flatMap { viewer in
            (0..<nodes).compactMap { $0 == viewer ? nil : age(of: $0, at: viewer) }
        }
    }

    /// Tells new cores what node 0 was told, in other orders and some of it twice; the share of them that end like one
    /// that heard it as it came.
    func shareAlikeInAnyOrder(seed: UInt64) -> Double {
        var random = SeededRandom(seed: seed)
        let runs = 10
        let expected = outcome(of: deliveries)
        var alike = 0
        for _ in 0..<runs {
            var told = deliveries + deliveries.filter { _ in random.below(3) == 0 }
            told.shuffle(using: &random)
            if outcome(of: told) == expected { alike += 1 }
        }
        return Double(alike) / Double(runs)
    }

    /// Versions and loads of all members, once a core was told these at one moment.
    private func outcome(of deliveries: [Delivery]) -> [LoadOutcome] {
        var core = TelemetryWorld.core(of: 0, nodes: nodes, options: cores[0].options)
        for delivery in deliveries { core.receive(delivery.body.span, at: now) }
        return (0..<nodes).map { node in
            let name = TelemetryWorld.name(of: node)
            return LoadOutcome(
                version: core.version(of: name, at: now),
                known: core.load(of: TelemetryWorld.service, on: name, at: now))
        }
    }
}

/// What one core ended with of one member.
private struct LoadOutcome: Hashable {
    let version: LoadVersion?
    let known: LoadReports.Known?
}
