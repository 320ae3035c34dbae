// `GET /events`: what changes, as it happens, to whoever listens.
//
// Who tells never waits for who listens: each listener has a queue with a bound, and one that does not read as fast as
// things happen is dropped when it is full; it connects again and asks for the whole. Not taken: leaving events out for
// slow listeners, who would believe that they had seen everything.

internal import FlyingSocks
import Foundation
package import Stats
import Synchronization

package final class EventHub: Sendable {
    /// At once; one more is answered 503.
    package static let listeners = 16
    /// Events that wait for one listener.
    package static let depth = 1_024
    /// Without a word for so long, a listener gets a comment: whether it is still there shows in writing only.
    package static let beat = Duration.seconds(15)

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

    private struct State {
        var listeners: [UInt64: AsyncStream<Event>.Continuation] = [:]
        var lastNumber: UInt64 = 0
    }
    private let state = Mutex(State())

    package init() {}

    /// Whether anybody listens; nothing need be said otherwise.
    package var isHeard: Bool { state.withLock { !$0.listeners.isEmpty } }

    /// Tells all who listen. Never waits.
    package func publish(_ event: Event) {
        let tooSlow = state.withLock { state in
            var tooSlow: [AsyncStream<Event>.Continuation] = []
            for (number, listener) in state.listeners {
                if case .dropped = listener.yield(event) {
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
    func listen() -> AsyncStream<Event>? {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(Self.depth))
        let number: UInt64? = state.withLock { state in
            guard state.listeners.count < Self.listeners else { return nil }
            state.lastNumber += 1
            state.listeners[state.lastNumber] = continuation
            return state.lastNumber
        }
        guard let number else { return nil }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.listeners[number] = nil }
        }
        return stream
    }
}

/// Events as the body of an answer: `text/event-stream` of the HTML standard, §9.2.
struct EventBody: AsyncBufferedSequence {
    typealias Element = UInt8

    let events: AsyncStream<EventHub.Event>

    func makeAsyncIterator() -> Iterator { Iterator(events: events.makeAsyncIterator()) }

    struct Iterator: AsyncBufferedIteratorProtocol {
        var events: AsyncStream<EventHub.Event>.Iterator
        /// Goes out at once, so that the client sees that it is heard.
        private var rest = Data(": remora\n\n".utf8)

        init(events: AsyncStream<EventHub.Event>.Iterator) { self.events = events }

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
            guard rest.isEmpty, let event = await events.next() else { return }
            rest = try event.text
        }
    }
}

extension EventHub.Event {
    fileprivate var text: Data {
        get throws {
            switch self {
            case .beat: Data(":\n\n".utf8)
            case .member(let report): try Self.text("member", report)
            case .endpoint(let report): try Self.text("endpoint", report)
            case .view(let report): try Self.text("view", report)
            case .service(let report): try Self.text("service", report)
            case .config(let report): try Self.text("config", report)
            case .stage(let report): try Self.text("stage", report)
            case .certificate(let report): try Self.text("certificate", report)
            }
        }
    }

    /// The report is one line with its end.
    private static func text(_ name: String, _ report: some Encodable) throws -> Data {
        try Data("event: \(name)\ndata: ".utf8) + ReportJSON.encode(report) + Data("\n".utf8)
    }
}
