// `GET /events`: what changes, as it happens, to whoever listens; and what changed of late, to who comes after.
//
// Who tells never waits for who listens: each listener has a queue with a bound, and one that does not read as fast as
// things happen is dropped when it is full; it connects again and asks for the whole. Not taken: leaving events out for
// slow listeners, who would believe that they had seen everything.
//
// Every event has a number, one more than the one before it. So a page that first listens and then asks for what is
// kept puts both together without a gap, and sees in the numbers when it has missed something.

internal import FlyingSocks
import Foundation
package import Stats
import Synchronization
package import Vocabulary

package final class EventHub: Sendable {
    /// At once; one more is answered 503.
    package static let listeners = 16
    /// Events that wait for one listener.
    package static let depth = 1_024
    /// Without a word for so long, a listener gets a comment: whether it is still there shows in writing only.
    package static let beat = Duration.seconds(15)
    /// How long an event is kept, and how many are: with the longest tags, a megabyte.
    package static let memory = Duration.seconds(600)
    package static let kept = 1_024

    package enum Event: Hashable, Sendable {
        /// A member as it is now.
        case member(MemberReport)
        case endpoint(EndpointEvent)
        case view(ViewEvent)
        /// One beside this node.
        case service(ServiceReport)
        /// Another config is in force, or was refused.
        case config(ConfigReport)
        /// The node has gone a step on its way in or out.
        case stage(StageReport)
        /// A certificate or an authorities' file was read again, was refused, or is about to end.
        case certificate(CertificateReport)
        /// Nothing; see ``EventHub/beat``.
        case beat
    }

    /// An event and its number, from 1; a beat has that of the last event.
    struct Numbered: Hashable, Sendable {
        var number: UInt64
        var event: Event
    }

    private struct State {
        var listeners: [UInt64: AsyncStream<Numbered>.Continuation] = [:]
        var lastListener: UInt64 = 0
        var lastEvent: UInt64 = 0
        var recent = RecentEvents()
    }
    private let state = Mutex(State())
    private let now: @Sendable () -> Instant

    /// - Parameter now: of a clock that only goes forward.
    package init(now: @escaping @Sendable () -> Instant = EventHub.sinceStart()) {
        self.now = now
    }

    /// A clock that began with the call.
    package static func sinceStart() -> @Sendable () -> Instant {
        let start = ContinuousClock.now
        return { Instant(nanoseconds: start.duration(to: .now).wholeNanoseconds) }
    }

    /// Whether anybody listens.
    var isHeard: Bool { state.withLock { !$0.listeners.isEmpty } }

    /// Tells all who listen, and keeps it for those who will ask. Never waits.
    package func publish(_ event: Event) {
        let time = now()
        let tooSlow = state.withLock { state in
            if event != .beat {
                state.lastEvent += 1
                state.recent.keep(Numbered(number: state.lastEvent, event: event), at: time)
            }
            let told = Numbered(number: state.lastEvent, event: event)
            var tooSlow: [AsyncStream<Numbered>.Continuation] = []
            for (number, listener) in state.listeners {
                if case .dropped = listener.yield(told) {
                    state.listeners[number] = nil
                    tooSlow.append(listener)
                }
            }
            return tooSlow
        }
        // Ending one calls back, which takes the lock.
        for listener in tooSlow { listener.finish() }
    }

    /// What is published from now on; nil where there are ``listeners`` already.
    func listen() -> AsyncStream<Numbered>? {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Numbered.self, bufferingPolicy: .bufferingOldest(Self.depth))
        let number: UInt64? = state.withLock { state in
            guard state.listeners.count < Self.listeners else { return nil }
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        guard let number else { return nil }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.listeners[number] = nil }
        }
        return stream
    }

    /// What was published within ``memory``, the oldest first.
    func recent() -> RecentEventsReport {
        let time = now()
        let recent = state.withLock { $0.recent }
        return RecentEventsReport(
            coversSeconds: recent.covered(at: time).inSeconds,
            events: recent.events(at: time).map { .init($0.told, agoSeconds: max(0, (time - $0.at).inSeconds)) })
    }
}

/// The events of the last minutes, bounded in age and number.
private struct RecentEvents {
    /// Between one and two times as many as are kept, so that room is made for many at once.
    private var all: [(at: Instant, told: EventHub.Numbered)] = []
    private var lastExpelled: Instant?

    mutating func keep(_ told: EventHub.Numbered, at now: Instant) {
        if all.count == 2 * EventHub.kept {
            lastExpelled = all[EventHub.kept - 1].at
            all.removeFirst(EventHub.kept)
        }
        all.append((now, told))
    }

    func events(at now: Instant) -> [(at: Instant, told: EventHub.Numbered)] {
        all.suffix(EventHub.kept).filter { now - $0.at <= EventHub.memory }
    }

    /// For how long, up to now, nothing is missing.
    func covered(at now: Instant) -> Duration {
        let newestMissing = all.count > EventHub.kept ? all[all.count - EventHub.kept - 1].at : lastExpelled
        return newestMissing.map { min(now - $0, EventHub.memory) } ?? EventHub.memory
    }
}

/// `GET /events?recent`.
struct RecentEventsReport: Encodable {
    /// Everything that happened within so many seconds is here; of before, some may be missing.
    var coversSeconds: Double
    var events: [Entry]

    struct Entry: Encodable {
        /// As the stream's `id`.
        var number: UInt64
        var agoSeconds: Double
        var event: EventHub.Event

        init(_ told: EventHub.Numbered, agoSeconds: Double) {
            (number, event) = (told.number, told.event)
            self.agoSeconds = agoSeconds
        }

        private enum CodingKeys: String, CodingKey {
            case number, agoSeconds, event, data
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(number, forKey: .number)
            try container.encode(agoSeconds, forKey: .agoSeconds)
            guard let (name, report) = event.content else { return }
            try container.encode(name, forKey: .event)
            try report.encode(to: container.superEncoder(forKey: .data))
        }
    }
}

/// Events as the body of an answer: `text/event-stream` of the HTML standard, §9.2.
struct EventBody: AsyncBufferedSequence {
    typealias Element = UInt8

    let events: AsyncStream<EventHub.Numbered>

    func makeAsyncIterator() -> Iterator { Iterator(events: events.makeAsyncIterator()) }

    struct Iterator: AsyncBufferedIteratorProtocol {
        var events: AsyncStream<EventHub.Numbered>.Iterator
        /// Goes out at once, so that the client sees that it is heard.
        private var rest = Data(": remora\n\n".utf8)

        init(events: AsyncStream<EventHub.Numbered>.Iterator) { self.events = events }

        mutating func next() async throws -> UInt8? {
            try await fill()
            return rest.popFirst()
        }

        mutating func nextBuffer(suggested count: Int) async throws -> Data? {
            try await fill()
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Data(rest.prefix(count))
        }

        /// Sees to it that something is left, unless all has been said.
        private mutating func fill() async throws {
            guard rest.isEmpty, let told = await events.next() else { return }
            rest = try told.text
        }
    }
}

extension EventHub.Event {
    /// Its name and what it tells; nil for a beat.
    fileprivate var content: (name: String, report: any Encodable)? {
        switch self {
        case .beat: nil
        case .member(let report): ("member", report)
        case .endpoint(let report): ("endpoint", report)
        case .view(let report): ("view", report)
        case .service(let report): ("service", report)
        case .config(let report): ("config", report)
        case .stage(let report): ("stage", report)
        case .certificate(let report): ("certificate", report)
        }
    }
}

extension EventHub.Numbered {
    /// The report is one line with its end.
    fileprivate var text: Data {
        get throws {
            guard let (name, report) = event.content else { return Data(":\n\n".utf8) }
            return try Data("id: \(number)\nevent: \(name)\ndata: ".utf8) + ReportJSON.encode(report) + Data("\n".utf8)
        }
    }
}
