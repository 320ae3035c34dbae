// `remora wait`: for scripts that start something once a remora can carry it.

import Admin
import ArgumentParser
import Stats
import Vocabulary

struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until a remora is ready, has joined its fleet, and has a fit endpoint for each upstream named.",
        discussion: """
            It may be started before the remora is. Exit codes: 0 when all is so; 75 when the time is over, and stderr \
            says what was missing; 69 where what answers is not to be waited for, such as a wrong token.
            """)

    @Option(
        name: .customLong("upstream"),
        help: ArgumentHelp("An upstream that is to have a fit endpoint; may be given several times.", valueName: "NAME")
    )
    var upstreams: [String] = []

    @Option(help: ArgumentHelp("How long to wait at most.", valueName: "30s"))
    var timeout = TimeArgument(.seconds(30))

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print one JSON object: what is missing, if anything, and how long it took.")
    var json = false

    /// From one question to the next.
    private static let pause = Duration.milliseconds(100)
    /// How long one answer may take: a port that is bound, and not served yet, is asked again.
    private static let patience = Duration.seconds(2)
    /// And how long even where the time is over: one look is always worth waiting for.
    private static let leastPatience = Duration.milliseconds(500)

    private struct Outcome: Encodable {
        var missing: [String]
        var waitedSeconds: Double
    }

    func run() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let deadline = start + timeout.duration
        var missing: [String]
        repeat {
            missing = try await ask(
                within: min(Self.patience, max(Self.leastPatience, clock.now.duration(to: deadline))))
            if missing.isEmpty { break }
            try await Task.sleep(for: min(Self.pause, max(.zero, clock.now.duration(to: deadline))))
        } while clock.now < deadline
        if json {
            let outcome = Outcome(missing: missing, waitedSeconds: start.duration(to: clock.now).inSeconds)
            StandardStreams.output(try ReportJSON.bytes(of: outcome))
        }
        guard !missing.isEmpty else { return }
        if !json {
            StandardStreams.complain("error: not so within \(timeout.duration.inWords):")
            for line in missing { StandardStreams.complain("  \(TextTable.printable(line))") }
        }
        throw ExitStatus.tooLate.code
    }

    /// - Returns: what is missing.
    private func ask(within patience: Duration) async throws -> [String] {
        let reply: AdminReply
        do {
            reply = try await admin.client().get("/stats", timeout: patience)
        } catch let failure as AdminClient.Failure {
            switch failure {
            case .unreachable(let address, let reason): return ["no remora answers at \(address): \(reason)"]
            case .tooSlow(let address, _): return ["the admin port at \(address) does not answer in time"]
            case .notUnderstood, .tooLong: throw AdminOptions.silent(failure.description)
            }
        }
        // Too many ask at the same time, which passes.
        if reply.status == 503 { return ["the admin port at \(admin.admin) is busy"] }
        if let refusal = reply.refusal(from: admin.admin, tokenFile: admin.tokenFile) {
            throw AdminOptions.silent(refusal)
        }
        guard let stats = try? ReportJSON.decode(StatsReport.self, from: reply.body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        return stats.missing(for: upstreams)
    }
}

extension StatsReport {
    /// What keeps a node from being ready, member of its fleet, and able to reach these upstreams; a line each.
    func missing(for names: [String]) -> [String] {
        var missing: [String] = []
        if let stage, !stage.ready { missing.append("it is not ready: \(stage.line)") }
        if let membership, !membership.joined {
            missing.append("it has not joined its fleet: no seed has answered yet")
        }
        for name in names {
            guard let upstream = upstreams.first(where: { $0.name == name }) else {
                missing.append("there is no upstream \(name)")
                continue
            }
            guard !upstream.endpoints.contains(where: { $0.state == "fit" }) else { continue }
            missing.append("upstream \(name) has no fit endpoint: \(upstream.tally)")
        }
        return missing
    }
}

extension UpstreamReport {
    /// How many endpoints are in which state, the most frequent first: "2 dead, 1 ejected".
    var tally: String {
        let counts = Dictionary(grouping: endpoints, by: \.state).mapValues(\.count)
        let parts = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
        return parts.isEmpty ? "it has none at all" : parts.joined(separator: ", ")
    }
}
