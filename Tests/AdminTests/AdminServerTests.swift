import Dispatch
import FlyingFox
import FlyingSocks
import Foundation
import Glibc
import Testing

@testable import Admin
import Stats
import Vocabulary

@Suite("The admin port")
struct AdminServerTests {
    @Test("GET /members is the members, with every field, and tags as they are called")
    func members() async throws {
        var source = AdminSource.example()
        source.members = { MembersReport.example.members }
        try await withServer(source: source) { address in
            let answer = try await ask(address, "GET /members")
            #expect(answer.status == 200)
            #expect(
                answer.body
                    == #"{"members":[{"address":"10.0.0.1:7946","incarnation":3,"listed":null,"name":"edge-001","reason":null,"remora":true,"since_seconds":61.5,"state":"alive","tags":{"camelCase":"x y","zone":"pacific"},"zone":"pacific"},{"address":"10.0.0.2:7946","incarnation":1,"listed":null,"name":"queue-1","reason":"edge-001 declared it dead.","remora":false,"since_seconds":0.25,"state":"dead","tags":{},"zone":null}]}"#
                    + "\n")
            #expect(try ReportJSON.decode(MembersReport.self, from: Array(answer.body.utf8)) == .example)
        }
    }

    @Test("Members are a table for people, in which no name moves the cursor")
    func membersTable() {
        var report = MembersReport.example
        report.members[1].name = "queue\u{1B}[2J"
        #expect(
            report.text == """
                NAME       ADDRESS        STATE      SINCE  INCARNATION  ZONE     REMORA  TAGS
                edge-001   10.0.0.1:7946  alive  1 min 2 s            3  pacific  yes     camelCase=x y,zone=pacific
                queue?[2J  10.0.0.2:7946  dead    250.0 ms            1  -        no      -

                """)
        #expect(MembersReport(members: []).text == "no members: this node's config has no membership\n")
    }

    @Test("GET /stats is the whole report, /listeners and /upstreams its parts")
    func reports() async throws {
        try await withServer { address in
            let stats = try await ask(address, "GET /stats")
            #expect(stats.status == 200)
            #expect(stats.fields["content-type"] == "application/json")
            #expect(try ReportJSON.decode(StatsReport.self, from: Array(stats.body.utf8)) == .example)
            let listeners = try await ask(address, "GET /listeners")
            #expect(listeners.body.hasPrefix(#"{"listeners":[{"#))
            #expect(listeners.body.hasSuffix("}]}\n"))
            let upstreams = try await ask(address, "GET /upstreams?x=1")
            #expect(upstreams.body.hasPrefix(#"{"upstreams":[{"#))
            #expect(upstreams.isComplete)
        }
    }

    @Test("/live and /ready are 200 or 503 with one line why", arguments: [true, false])
    func health(good: Bool) async throws {
        try await withServer(source: .example(ready: good, live: good)) { address in
            let live = try await ask(address, "GET /live")
            #expect(live.status == (good ? 200 : 503))
            #expect(live.body == (good ? "the workers turn\n" : "worker 1 is stuck\n"))
            let ready = try await ask(address, "GET /ready")
            #expect(ready.status == (good ? 200 : 503))
            #expect(ready.body == (good ? "every listener is bound\n" : "listener a is not bound\n"))
        }
    }

    @Test("A reason of several lines is told in one")
    func oneLine() async throws {
        let source = AdminSource(
            stats: { .example }, readiness: { (false, "a\nb\r\nc") }, liveness: { (true, "") })
        try await withServer(source: source) { address in
            let answer = try await ask(address, "GET /ready")
            #expect(answer.body == "a b c\n")
        }
    }

    @Test("GET /explain answers for one member or one upstream")
    func explain() async throws {
        var source = AdminSource.example()
        source.explain = { subject, name in
            guard name == "a b&c" || subject == .node else { return nil }
            return ExplanationReport(subject: subject, name: name, sentences: ["It is \(subject.rawValue)."])
        }
        try await withServer(source: source) { address in
            for subject in ["member", "upstream"] {
                let answer = try await ask(address, "GET /explain?\(subject)=a%20b%26c")
                #expect(answer.status == 200)
                #expect(
                    answer.body
                        == #"{"changes":[],"covers_seconds":600,"name":"a b&c","sentences":["It is \#(subject)."],"subject":"\#(subject)"}"#
                        + "\n")
                let unknown = try await ask(address, "GET /explain?\(subject)=z")
                #expect(unknown.status == 404)
                #expect(unknown.body == "there is no \(subject) of that name; /\(subject)s lists them\n")
            }
            for query in ["", "?"] {
                let answer = try await ask(address, "GET /explain\(query)")
                #expect(answer.status == 200 && answer.body.contains(#""sentences":["It is node."]"#))
            }
            for query in ["?node=a", "?member", "?member=", "?members=a", "?member=a&upstream=b"] {
                let answer = try await ask(address, "GET /explain\(query)")
                #expect(answer.status == 400, "\(query)")
                #expect(answer.body.hasPrefix("ask for one thing: /explain, /explain?member=NAME"))
            }
        }
    }

    @Test("An explanation is a line a sentence, and no name in it moves the cursor")
    func explanationText() {
        let report = ExplanationReport(
            subject: .member, name: "x", sentences: ["One.", "\u{1B}[31mtwo."], coversSeconds: 600)
        #expect(report.text == "One.\n?[31mtwo.\n")
    }

    @Test("What happened of late is told below it, the last things last, and what is missing is said")
    func changes() {
        var report = ExplanationReport(subject: .node, name: "x", sentences: ["One."], coversSeconds: 600)
        #expect(report.text == "One.\n\nNothing has changed in the last ten minutes.\n")
        report.changes = [
            .init(agoSeconds: 65, text: "member a\u{7} is dead"), .init(agoSeconds: 2, text: "it is back"),
        ]
        #expect(
            report.text == """
                One.

                In the last ten minutes:
                  1 min 5 s ago  member a? is dead
                     2.00 s ago  it is back

                """)
        report.coversSeconds = 30
        report.changes = (0..<50).map { .init(agoSeconds: Double(50 - $0), text: "change \($0)") }
        let lines = report.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 44 && lines[2] == "  10 changes before these" && lines[42].hasSuffix("change 49"))
        #expect(lines[43] == "Of more than 30.00 s ago some are missing: too much happened.")
        // Of one to which nothing happened in those 30 s, who knows what did before?
        for subject in [ExplanationReport.Subject.member, .upstream, .node] {
            let quiet = ExplanationReport(subject: subject, name: "x", sentences: ["One."], coversSeconds: 30)
            #expect(
                quiet.text
                    == "One.\n\nNothing has changed in the last 30.00 s; of before some is missing: too much happened.\n"
            )
        }
    }

    @Test("/explain tells what happened to the one that is asked about, and to a node all of it")
    func explainedChanges() async throws {
        var source = AdminSource.example()
        source.explain = { ExplanationReport(subject: $0, name: $1, sentences: []) }
        source.events.publish(
            .endpoint(EndpointEvent(upstream: "web", address: "10.0.0.1:1", member: "a", state: "dead", reason: "So.")))
        source.events.publish(.member(MembersReport.example.members[1]))
        source.events.publish(.view(ViewEvent(lastKnownGood: true, reason: "Most are gone.")))
        try await withServer(source: source) { address in
            func told(_ query: String) async throws -> [String] {
                let answer = try await ask(address, "GET /explain\(query)")
                return try ReportJSON.decode(ExplanationReport.self, from: Array(answer.body.utf8)).changes.map(\.text)
            }
            let endpoint = "upstream web: 10.0.0.1:1 of a is dead: So."
            let member = "member queue-1 is dead: edge-001 declared it dead."
            for (query, expected) in [
                ("", [endpoint, member, "Most are gone."]), ("?upstream=web", [endpoint]), ("?upstream=other", []),
                ("?member=a", [endpoint]), ("?member=queue-1", [member]),
            ] {
                let changes = try await told(query)
                #expect(changes == expected, "\(query)")
            }
        }
    }

    @Test("HEAD has the head that GET would have, and no body")
    func head() async throws {
        try await withServer { address in
            let get = try await ask(address, "GET /stats")
            let head = try await ask(address, "HEAD /stats")
            #expect(head.status == 200)
            #expect(head.fields == get.fields)
            #expect(head.body.isEmpty)
        }
    }

    @Test("Another method is told which ones there are", arguments: ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
    func methods(method: String) async throws {
        try await withServer { address in
            let answer = try await ask(address, "\(method) /stats")
            #expect(answer.status == 405)
            #expect(answer.fields["allow"] == "GET, HEAD")
            #expect(answer.body == "/stats takes GET, HEAD\n")
        }
    }

    @Test(
        "An unknown path is told which ones there are",
        arguments: ["/index.html", "/stat", "/stats/", "//stats", "/%73tats", "/Stats"])
    func paths(path: String) async throws {
        try await withServer { address in
            let answer = try await ask(address, "GET \(path)")
            #expect(answer.status == 404)
            #expect(
                answer.body
                    == "nothing at \(path); there are /, /stats, /listeners, /upstreams, /members, /explain, /config, /metrics, /events, /live, /ready, /log-level, /drain, /undrain, /reload\n"
            )
        }
    }

    @Test(
        "The gate stands before every path, known or not",
        arguments: ["/stats", "/listeners", "/upstreams", "/members", "/live", "/ready", "/", "/nowhere"])
    func gate(path: String) async throws {
        try await withServer(token: "s3cret") { address in
            let good = ["Authorization: Bearer s3cret"]
            #expect(try await ask(address, "GET \(path)", host: "evil.example", good).status == 403)
            #expect(try await ask(address, "POST \(path)", host: nil, good).status == 403)
            #expect(try await ask(address, "GET \(path)", good + ["Origin: http://evil.example"]).status == 403)
            let missing = try await ask(address, "GET \(path)")
            #expect(missing.status == 401)
            #expect(missing.fields["www-authenticate"] == "Bearer realm=\"remora\"")
            #expect(try await ask(address, "PUT \(path)", ["Authorization: Bearer wrong"]).status == 401)
            #expect(![401, 403].contains(try await ask(address, "GET \(path)", good).status))
        }
    }

    @Test("The dashboard is one page that runs its own script alone, and asks for a token where one is missing")
    func dashboard() async throws {
        try await withServer { address in
            let (first, second) = (try await ask(address, "GET /"), try await ask(address, "GET /"))
            #expect(first.status == 200)
            #expect(first.fields["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(first.fields["content-security-policy"])
            let nonce = try #require(policy.firstMatch(of: /script-src 'nonce-([0-9a-z]+)'/)).1
            #expect(first.body.contains("<script nonce=\"\(nonce)\">"))
            #expect(second.fields["content-security-policy"] != policy)
            #expect(first.body.contains("data-locked=\"false\"") && !first.body.contains("{{"))
        }
        try await withServer(token: "s3cret") { address in
            let locked = try await ask(address, "GET /")
            #expect(locked.status == 401)
            #expect(locked.fields["www-authenticate"] != nil)
            #expect(locked.body.contains("data-locked=\"true\""))
            #expect(!locked.body.contains("edge-001"))
            #expect(try await ask(address, "GET /", host: "evil.example").status == 403)
        }
    }

    @Test("Pages of other origins may lead here and not have anything fetched")
    func foreignPages() async throws {
        try await withServer { address in
            for site in ["cross-site", "same-site"] {
                let fields = ["Sec-Fetch-Site: \(site)"]
                let fetched = try await ask(address, "GET /stats", fields + ["Sec-Fetch-Mode: no-cors"])
                #expect(fetched.status == 403)
                let followed = try await ask(address, "GET /", fields + ["Sec-Fetch-Mode: navigate"])
                #expect(followed.status == 200)
            }
            let own = try await ask(address, "GET /stats", ["Sec-Fetch-Site: same-origin"])
            #expect(own.status == 200)
        }
    }

    @Test("/config is what the source has, /metrics is for Prometheus")
    func configAndMetrics() async throws {
        var source = AdminSource.example()
        source.configuration = { "{\"a\": 1}\n" }
        try await withServer(source: source) { address in
            #expect(try await ask(address, "GET /config").body == "{\"a\": 1}\n")
            let metrics = try await ask(address, "GET /metrics")
            #expect(metrics.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(metrics.body.contains("\nremora_ready 1\n"))
        }
    }

    @Test("POST /log-level takes a level there is, and nothing else; GET changes nothing")
    func logLevel() async throws {
        var source = AdminSource.example()
        source.logLevels = ["debug", "info"]
        source.setLogLevel = { ["debug", "info"].contains($0) }
        try await withServer(source: source) { address in
            #expect(try await ask(address, "POST /log-level?level=debug").body == "the log level is debug\n")
            for query in ["", "?level=loud", "?x=debug", "?level=info&level=debug"] {
                let refused = try await ask(address, "POST /log-level\(query)")
                #expect(refused.status == 400)
                #expect(refused.body == "ask for one of: /log-level?level=debug, /log-level?level=info\n")
            }
            #expect(try await ask(address, "GET /log-level?level=debug").status == 405)
        }
    }

    @Test("A request that is none is answered with what is wrong, and the connection ends")
    func malformed() async throws {
        try await withServer { address in
            for (bytes, status) in [
                ("\u{16}\u{3}\u{1}\u{2}\n", 400), ("GET /live HTTP/3.0\r\n\r\n", 505),
                ("POST /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
                ("POST /live HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", 413),
                ("GET /live HTTP/1.1\r\nA: \(String(repeating: "a", count: 20_000))", 431),
            ] {
                let text = try await onOwnThread {
                    let wire = try Wire(to: address)
                    try wire.send(bytes)
                    return try wire.receiveAll()
                }
                let answer = try #require(Answer(text))
                #expect(answer.status == status)
                #expect(answer.fields["connection"] == "close")
                #expect(answer.body.hasSuffix("\n"))
            }
        }
    }

    @Test("A client that is still sending when it is refused sees the answer")
    func refusedWhileSending() async throws {
        try await withServer { address in
            let text = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send("GET /live HTTP/1.1\r\nA: " + String(repeating: "a", count: 500_000) + "\r\n\r\n")
                return try wire.receiveAll()
            }
            #expect(Answer(text)?.status == 431)
        }
    }

    @Test("Fifty requests on one kept connection do not wait for acknowledgements")
    func keepAliveIsPrompt() async throws {
        try await withServer { address in
            let durations = try await onOwnThread {
                let wire = try Wire(to: address)
                return try (0..<50).map { _ in
                    try ContinuousClock().measure {
                        try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        guard try wire.receiveAnswer().body == "the workers turn\n" else {
                            throw Wire.Failure(errno: EPROTO)
                        }
                    }
                }
            }
            // An acknowledgement is delayed by 40 ms, each time once the kernel has found that the connection is a
            // dialogue. So several of the later ones below 20 ms tell that none is waited for, on a busy machine too.
            #expect(durations.suffix(30).sorted()[5] < .milliseconds(20))
        }
    }

    @Test("A short answer arrives in one piece, head and body")
    func onePiece() async throws {
        try await withServer { address in
            let first = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return try wire.receive()
            }
            #expect(Answer(String(decoding: first, as: UTF8.self))?.isComplete == true)
        }
    }

    @Test("Requests sent at once are answered in their order")
    func pipelining() async throws {
        try await withServer { address in
            let text = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send(
                    "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return try wire.receiveAll()
            }
            let live = try #require(text.range(of: "the workers turn\n"))
            let ready = try #require(text.range(of: "every listener is bound\n"))
            #expect(live.upperBound < ready.lowerBound)
        }
    }

    @Test("An answer larger than any socket buffer arrives whole")
    func largeAnswer() async throws {
        var report = StatsReport.example
        let endpoint = report.upstreams[0].endpoints[0]
        report.upstreams[0].endpoints = Array(repeating: endpoint, count: 20_000)
        let large = report
        try await withServer(source: .example(stats: { large })) { address in
            let answer = try await ask(address, "GET /stats")
            #expect(answer.body.utf8.count > 4 << 20)
            #expect(answer.isComplete)
            #expect(answer.body.hasSuffix("}\n"))
        }
    }

    @Test("An answer without a known length goes out in chunks as they come")
    func chunks() async throws {
        let route = AdminRoute(path: "/events") { _ in
            HTTPResponse(statusCode: .ok, body: HTTPBodySequence(from: ThreeLines()))
        }
        let server = AdminServer(bind: .anyLoopbackPort, token: nil, table: [route], limits: .standard)
        try await withServer(server) { address in
            let answer = try await ask(address, "GET /events")
            #expect(answer.fields["transfer-encoding"] == "chunked")
            #expect(answer.body == "07\r\nline 1\n\r\n07\r\nline 2\n\r\n07\r\nline 3\n\r\n0\r\n\r\n")
        }
    }

    @Test("A route that fails is answered 500 with its reason, and the next request is served")
    func failure() async throws {
        struct Oops: Error {}
        let table = [AdminRoute(path: "/oops") { _ in throw Oops() }]
        let server = AdminServer(bind: .anyLoopbackPort, token: nil, table: table, limits: .standard)
        try await withServer(server) { address in
            let answer = try await ask(address, "GET /oops")
            #expect(answer.status == 500)
            #expect(answer.body == "/oops failed: Oops()\n")
            #expect(try await ask(address, "GET /nowhere").status == 404)
        }
    }
}

private struct ThreeLines: AsyncBufferedSequence, AsyncBufferedIteratorProtocol {
    var line = 0

    func makeAsyncIterator() -> ThreeLines { self }

    mutating func next() async throws -> UInt8? { nil }

    mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? {
        guard line < 3 else { return nil }
        line += 1
        return Array("line \(line)\n".utf8)
    }
}
