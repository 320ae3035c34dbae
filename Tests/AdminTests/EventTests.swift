import Stats
import Synchronization
import Testing
import Vocabulary

@testable import Admin

@Suite("Events")
struct EventTests {
    private func member(_ number: Int) -> MemberReport {
        var member = MembersReport.example.members[0]
        member.incarnation = UInt32(number)
        return member
    }

    @Test("Who listens is told what happens from then on, in order, as server-sent events")
    func stream() async throws {
        var source = AdminSource.example()
        let hub = EventHub()
        source.events = hub
        hub.publish(.member(member(1)))
        try await withServer(source: source) { address in
            let heard = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                var text = try wire.receive(until: ": remora\n\n")
                #expect(hub.isHeard)
                hub.publish(.member(member(2)))
                hub.publish(.beat)
                hub.publish(.member(member(3)))
                text += try wire.receive(until: #""incarnation":3"#)
                return text
            }
            #expect(heard.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(heard.contains("Content-Type: text/event-stream\r\n"))
            #expect(heard.contains("id: 2\nevent: member\ndata: {\"address\":\"10.0.0.1:7946\",\"incarnation\":2,"))
            #expect(heard.contains(":\n\n"))
            #expect(!heard.contains(#""incarnation":1"#))
        }
        // The connection's end is the listener's.
        #expect(!hub.isHeard)
    }

    @Test("Who does not read as fast as things happen is dropped, and nobody waits for it")
    func slow() async throws {
        let hub = EventHub()
        let slow = try #require(hub.listen())
        for number in 0...EventHub.depth { hub.publish(.member(member(number))) }
        #expect(!hub.isHeard)
        // What it had been given it still gets, and then the end.
        var seen: [UInt32] = []
        for await told in slow {
            if case .member(let member) = told.event { seen.append(member.incarnation) }
        }
        #expect(seen == (0..<EventHub.depth).map { UInt32($0) })
    }

    @Test("There are so many listeners at once, a client that asks for the head alone not among them")
    func bounded() async throws {
        var source = AdminSource.example()
        let hub = EventHub()
        source.events = hub
        try await withServer(source: source) { address in
            for _ in 0...EventHub.listeners {
                let answer = try await ask(address, "HEAD /events")
                #expect(answer.status == 200)
            }
            var others: [AsyncStream<EventHub.Numbered>] = []
            for _ in 0..<EventHub.listeners { others.append(try #require(hub.listen())) }
            let refused = try await ask(address, "GET /events")
            #expect(refused.status == 503)
            #expect(others.count == EventHub.listeners)
        }
    }

    @Test("A listener that goes makes room")
    func gone() {
        let hub = EventHub()
        for _ in 0..<3 * EventHub.listeners { #expect(hub.listen() != nil) }
    }

    @Test("What happened of late is told to who comes after, with how long ago, and no longer than it is kept")
    func recent() throws {
        let now = Mutex(Instant(nanoseconds: 0))
        let hub = EventHub(now: { now.withLock { $0 } })
        for seconds in [0, 100, 650] {
            now.withLock { $0 = Instant(nanoseconds: Int64(seconds) * 1_000_000_000) }
            hub.publish(.view(ViewEvent(lastKnownGood: true, reason: "\(seconds)")))
            hub.publish(.beat)
        }
        let text = String(decoding: try ReportJSON.encode(hub.recent()), as: UTF8.self)
        #expect(
            text
                == #"{"covers_seconds":600,"events":[{"ago_seconds":550,"data":{"last_known_good":true,"reason":"100"},"event":"view","number":2},{"ago_seconds":0,"data":{"last_known_good":true,"reason":"650"},"event":"view","number":3}]}"#
                + "\n")
    }

    @Test("Where more happens than is kept, the newest are, and since when nothing is missing is said")
    func tooMuch() {
        let now = Mutex(Instant(nanoseconds: 0))
        let hub = EventHub(now: { now.withLock { $0 } })
        for number in 0..<3 * EventHub.kept + 7 {
            hub.publish(.member(member(number)))
            now.withLock { $0 = $0 + .milliseconds(1) }
        }
        let report = hub.recent()
        #expect(report.events.count == EventHub.kept)
        #expect(report.events.last?.number == UInt64(3 * EventHub.kept + 7))
        // The newest that is missing was published so long ago.
        #expect(abs(report.coversSeconds - Double(EventHub.kept + 1) / 1000) < 1e-9)
    }
}
