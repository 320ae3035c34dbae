import Testing

@testable import Rig

@Suite("Lines of members' logs")
struct LogLineTests {
    @Test(
        "Both programs' lines about a member are understood, and its name is taken",
        arguments: [
            ("    2026/01/02 03:04:05 [INFO] serf: EventMemberJoin: s001 127.0.0.2", News.there),
            ("    2026/01/02 03:04:05 [INFO] serf: EventMemberFailed: s001 127.0.0.2", .dead),
            ("    2026/01/02 03:04:05 [INFO] serf: EventMemberLeave: s001 127.0.0.2", .left),
            ("2026-01-02T03:04:05.678Z info member s001 is there", .there),
            ("2026-01-02T03:04:05.678Z info member s001 is suspect", .suspect),
            ("2026-01-02T03:04:05.678Z info member s001 is alive after all", .cleared),
            ("2026-01-02T03:04:05.678Z warning member s001 is dead", .dead),
            ("2026-01-02T03:04:05.678Z info member s001 has left", .left),
            ("2026-01-02T03:04:05.678Z info member s001 is suspect: this node accused it: no answer", .suspect),
            ("2026-01-02T03:04:05.678Z warning member s001 is dead: s002 declared it dead", .dead),
        ])
    func news(line: String, news: News) {
        #expect(LogLine(line[...])?.content == .news(news, of: "s001"))
    }

    @Test("A remora's word of how many changes it left out is understood")
    func leftOut() {
        let line = "2026-01-02T03:04:05.678Z notice 29 more changes of members; remora members shows what is so now"
        #expect(LogLine(line[...])?.content == .leftOut(29))
    }

    @Test(
        "Other lines are none",
        arguments: [
            "", " ", "ready listeners=none@127.0.0.1:1 admin=127.0.0.1:2", "==> Serf agent running!",
            "    2026/01/02 03:04:05 [INFO] serf: EventMemberUpdate: s001",
            "    2026/01/02 03:04:05 [INFO] serf: EventMemberJoin:",
            "    2026/01/02 03:04:05 [INFO] agent: Received event: member-join",
            "2026-01-02T03:04:05.678Z info member s001 bears other tags or versions",
            "2026-01-02T03:04:05.678Z info member s001 is",
            "2026-01-02T03:04:05.678Z info joined the fleet through 127.0.0.1:7946",
        ])
    func others(line: String) {
        #expect(LogLine(line[...]) == nil)
    }
}
