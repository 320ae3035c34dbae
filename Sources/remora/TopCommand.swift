// `remora top`: the numbers of a running remora, again and again.

import Admin
import ArgumentParser
import Stats

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract:
            "Watch a running remora: listeners, upstreams with rates and latencies, the worst endpoints, members.",
        discussion: """
            Ends with q. P50 and P99 are times to the first byte since the remora's start. Where stdout is no terminal \
            it prints what a screen of 80 by 24 would show, once, with the rates of one interval.
            """)

    @Option(help: ArgumentHelp("From one look to the next.", valueName: "1s"))
    var interval = TimeArgument(.seconds(1))

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /stats answers, as it is, once.")
    var json = false

    func validate() throws {
        if interval.duration < .milliseconds(100) {
            throw ValidationError("--interval \(interval.duration) is too short; write 100ms or more")
        }
    }

    func run() async throws {
        if json { return StandardStreams.output(try await admin.get("/stats")) }
        var looks = Looks(try await look(), at: .now)
        guard Terminal.isThere else {
            try await Task.sleep(for: interval.duration)
            looks.take(try await look(), at: .now)
            let frame = TopFrame(looks.sample(nil), width: 80, height: 24, colours: false)
            return StandardStreams.output(frame.lines.map { "\($0)\n" }.joined())
        }
        try await watch(&looks)
    }

    private func watch(_ looks: inout Looks) async throws {
        let screen = Screen()
        var silence: String?
        while true {
            let next = ContinuousClock.now + interval.duration
            repeat {
                // Anew each time: the window may have another size by now.
                let (width, height) = Terminal.size
                screen.show(
                    TopFrame(looks.sample(silence), width: width, height: height, colours: Terminal.showsColours).lines)
                if screen.isToEnd(within: 100) { return }
            } while ContinuousClock.now < next
            do throws(AdminClient.Failure) {
                if let answer = try await answer() { looks.take(answer, at: .now) }
                silence = nil
            } catch {
                silence = error.description.split(separator: "\n").first.map(String.init) ?? ""
            }
        }
    }

    /// One look; complains and ends with the exit code where there is nothing to see.
    private func look() async throws -> Looks.Answer {
        guard let stats = try? ReportJSON.decode(StatsReport.self, from: try await admin.get("/stats")),
            let members = try? ReportJSON.decode(MembersReport.self, from: try await admin.get("/members"))
        else { throw AdminOptions.unreadable(at: admin.admin) }
        return (stats, members.members)
    }

    /// One look, without a word where there is nothing; nil where the answer is that it is busy.
    private func answer() async throws(AdminClient.Failure) -> Looks.Answer? {
        // The token was read at the first look.
        guard let client = try? admin.client() else { return nil }
        let (stats, members) = (try await client.get("/stats"), try await client.get("/members"))
        guard let stats = try? ReportJSON.decode(StatsReport.self, from: stats.body),
            let members = try? ReportJSON.decode(MembersReport.self, from: members.body)
        else { return nil }
        return (stats, members.members)
    }
}

/// The last two looks at a remora.
private struct Looks {
    typealias Answer = (stats: StatsReport, members: [MemberReport])

    private var last: (answer: Answer, at: ContinuousClock.Instant)
    private var before: (answer: Answer, at: ContinuousClock.Instant)?

    init(_ answer: Answer, at now: ContinuousClock.Instant) { last = (answer, now) }

    mutating func take(_ answer: Answer, at now: ContinuousClock.Instant) {
        before = last
        last = (answer, now)
    }

    func sample(_ silence: String?) -> TopFrame.Sample {
        TopFrame.Sample(
            stats: last.answer.stats, before: before?.answer.stats,
            seconds: before.map { $0.at.duration(to: last.at) / .seconds(1) } ?? 0, members: last.answer.members,
            silence: silence)
    }
}
