import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@testable import Stores

private typealias Script = ScriptedEtcd

/// Runs a source against a server that follows `script`.
private func against(
    pace: EtcdPace = RunningSource.hasty, _ script: @escaping @Sendable (Script.Question) -> Script.Answer,
    _ body: (RunningSource) throws -> Void
) throws {
    let etcd = try ScriptedEtcd(script)
    defer { etcd.end() }
    let source = try RunningSource(.etcd(etcd.options), pace: pace)
    defer { source.stop() }
    try body(source)
}

@Suite("A server that is not, or not quite, etcd")
struct MisbehavingEtcdTests {
    @Test("A watch whose history was compacted away is followed by reading everything again, without trouble")
    func compacted() throws {
        try against { question in
            switch (question.path, question.number) {
            case ("/v3/watch", 1):
                #expect(question.body.contains(#""start_revision":"6""#))
                return .messages([
                    Script.created, #"{"result":{"header":{},"canceled":true,"compact_revision":"9"}}"#,
                ])
            case ("/v3/watch", _): return .messages([Script.created])
            case (_, 1): return .json(Script.range("a"))
            default: return .json(Script.range("a", "b"))
            }
        } _: { source in
            try source.wait(forNames: "a", "b")
            let complaints = source.notices.filter { $0.level == .warning || $0.level == .error }
            #expect(complaints.isEmpty)
        }
    }

    @Test("A watch that is compacted again and again is trouble, and no busy loop")
    func alwaysCompacted() throws {
        try against { question in
            question.path == "/v3/watch"
                ? .messages([#"{"result":{"canceled":true,"compact_revision":"9"}}"#]) : .json(Script.range("a"))
        } _: { source in
            try source.wait(forTrouble: "compacts its history faster")
        }
    }

    @Test("Compactions that are far apart are no trouble, however many there are")
    func compactedNowAndThen() throws {
        try against { question in
            switch (question.path, question.number) {
            case ("/v3/watch", ...5):
                // Longer than the pause between two checks
                poll(nil, 0, 250)
                return .messages([Script.created, #"{"result":{"canceled":true,"compact_revision":"9"}}"#])
            case ("/v3/watch", _): return .messages([Script.created])
            case (_, ...5): return .json(Script.range("a"))
            default: return .json(Script.range("a", "b"))
            }
        } _: { source in
            try source.wait(forNames: "a", "b")
            let complaints = source.notices.filter { $0.level == .warning || $0.level == .error }
            #expect(complaints.isEmpty)
        }
    }

    @Test("A watch that misses changes is noticed by the count, and given up")
    func deaf() throws {
        try against { question in
            if question.path == "/v3/watch" { return .messages([Script.created]) }
            return .json(question.number == 1 ? Script.range("a") : Script.range("a", "b"))
        } _: { source in
            try source.wait(forNames: "a")
            try source.wait(forNames: "a", "b")
            #expect(source.notices.contains { $0.text.contains("misses changes: 1 keys are known, and 2 are there") })
        }
    }

    @Test("A canceled watch is trouble with its reason")
    func canceled() throws {
        try against { question in
            question.path == "/v3/watch"
                ? .messages([
                    Script.created, #"{"result":{"canceled":true,"cancel_reason":"etcdserver: permission\ndenied"}}"#,
                ]) : .json(Script.range("a"))
        } _: { source in
            try source.wait(forTrouble: "etcdserver: permission denied")
        }
    }

    @Test(
        "An error within a watch, or instead of it, is told in etcd's words",
        arguments: [
            Script.Answer.messages([#"{"error":{"grpc_code":14,"http_code":503,"message":"no leader"}}"#]),
            .json(#"{"error":"no leader","message":"no leader","code":14}"#, status: 503),
        ])
    private func watchError(answer: Script.Answer) throws {
        try against {
            $0.path == "/v3/watch" ? answer : .json(Script.range("a"))
        } _: { source in
            let update = try source.wait(forTrouble: "no leader")
            #expect(update.names == ["a"])
        }
    }

    @Test(
        "What is no answer of etcd's is trouble, and lists nobody",
        arguments: [
            (Script.Answer.json("{}"), "no JSON of the expected shape"), (.json("[1"), "no JSON"),
            (.json(#"{"header":{}}"#), "it has no revision"),
            (.json(#"{"header":{"revision":"x"}}"#), "no JSON"),
            (.json(#"{"header":{"revision":"5"},"kvs":[{"key":"L290aGVyL2E="}]}"#), "a key that was not asked for"),
            (.json(#"{"header":{"revision":"5"},"kvs":[{}]}"#), "a key is missing"),
            (.json(#"{"header":{"revision":"5"},"more":true}"#), "a page without an end"),
            (.json("no such page", status: 404), "is it etcd 3.4 or later"),
            (.json("secret page", status: 500), "status 500"),
            (.bytes(Array("SSH-2.0-x\r\n\r\n".utf8)), "there is no status line"),
            (.last("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), "ended by the other side"), (.last(""), "ended"),
            (.bytes([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x0A, 0x0A]), "not HTTP/1.1"),
        ] as [(Script.Answer, String)])
    private func garbage(answer: Script.Answer, part: String) throws {
        try against { _ in
            answer
        } _: { source in
            let update = try source.wait(forTrouble: part)
            #expect(!update.isKnown && update.names.isEmpty)
            #expect(!"\(update)".contains("secret"))
        }
    }

    @Test("A page that gives the same key for ever ends")
    func endlessPages() throws {
        let page = #"{"header":{"revision":"5"},"more":true,"kvs":[{"key":"L3Jvc3Rlci9h"}]}"#
        try against { _ in
            .json(page)
        } _: { source in
            try source.wait(forTrouble: "a page without an end")
        }
    }

    @Test("An answer longer than 16 MiB is given up, and so is a message of a watch")
    func tooLong() throws {
        let spaces = String(repeating: " ", count: EtcdClient.longestMessage + 1)
        try against { _ in
            .json(spaces)
        } _: { source in
            try source.wait(forTrouble: "longer than \(EtcdClient.longestMessage) bytes")
        }
        try against {
            $0.path == "/v3/watch" ? .messages([Script.created, spaces]) : .json(Script.range("a"))
        } _: {
            try $0.wait(forTrouble: "longer than \(EtcdClient.longestMessage) bytes")
        }
    }

    @Test("One that says nothing, or too little, is given up in time")
    func silent() throws {
        var pace = RunningSource.hasty
        pace.exchange = .milliseconds(300)
        for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"] {
            try against(pace: pace) { _ in
                .bytes(Array(bytes.utf8))
            } _: { source in
                try source.wait(forTrouble: "an answer took too long")
            }
        }
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for bytes in ["", head] {
            try against(pace: pace) { question in
                question.path == "/v3/watch" ? .bytes(Array(bytes.utf8)) : .json(Script.range("a"))
            } _: { source in
                try source.wait(forTrouble: "the watch's first answer took too long")
            }
        }
    }

    @Test("A connection that takes long to stand leaves the question all of its time")
    func slowToConnect() throws {
        var pace = RunningSource.hasty
        (pace.connect, pace.exchange) = (.seconds(20), .milliseconds(700))
        // TCP knocks again after a second at the earliest.
        let etcd = try ScriptedEtcd(busy: .milliseconds(500)) { question in
            question.path == "/v3/watch" ? .messages([Script.created]) : .json(Script.range("a"))
        }
        defer { etcd.end() }
        let source = try RunningSource(.etcd(etcd.options), pace: pace)
        defer { source.stop() }
        try source.wait(forNames: "a")
        let complaints = source.notices.filter { $0.level == .warning || $0.level == .error }
        #expect(complaints.isEmpty)
    }

    @Test("A token that would end our head early is not sent")
    func token() throws {
        let etcd = try ScriptedEtcd { _ in .json(#"{"token":"a\r\nX: y"}"#) }
        defer { etcd.end() }
        let directory = try TestDirectory()
        var options = etcd.options
        (options.username, options.passwordFile) = ("u", try directory.write("p", as: "password"))
        let source = try RunningSource(.etcd(options))
        try source.wait(forTrouble: "its token cannot be sent back")
    }

    @Test("A kept connection that the server has closed meanwhile is no trouble")
    func closedMeanwhile() throws {
        try against { question in
            if question.path == "/v3/watch" { return .messages([Script.created]) }
            let text = Script.range("a")
            // Closes without having said so
            return .last("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
        } _: { source in
            try source.wait(forNames: "a")
            // Some counts later
            #expect(throws: TooLate.self) {
                try source.wait(for: "trouble", within: .milliseconds(500)) { $0.standing.trouble != nil }
            }
        }
    }
}
