// Reads the logs of all members as they are written, and keeps what they say of each other.
//
// One thread waits on all pipes, so a line's moment is when it was written, on one clock for every program; Serf's own
// stamps are whole seconds. Members never wait for a full pipe. Polling their views instead would cost them more than
// all else they do.

import Glibc
import Reactor
import Synchronization
package import Vocabulary

/// Somebody's word about a member.
package struct Sighting: Equatable, Sendable {
    /// The number of the one whose log it is.
    package let observer: Int
    package let subject: String
    package let news: News
    package let at: Instant
}

package final class LogReader: Sendable {
    /// Sightings that are kept; a fleet of 250 that starts makes 62,500. What comes later is counted, and lost.
    static let capacity = 4_000_000
    /// Lines that are kept of each log, to show how a process ended.
    private static let linesKept = 8
    /// A longer line is none of ours and dropped.
    private static let longestLine = 1 << 16

    private struct Source {
        let descriptor: Int32
        let observer: Int
        var unread: [UInt8] = []
    }

    private struct State {
        var arriving: [Source] = []
        var sightings: [Sighting] = []
        var last: [Int: [String]] = [:]
        var leftOut = 0
        var lost = 0
        var thread: KernelThread?
        var isOver = false
    }

    private let state = Mutex(State())
    private let wake: Wake

    package init() throws {
        do {
            wake = try Wake()
        } catch {
            throw RunFailure(description: "no descriptor for the reader of logs: \(error)")
        }
        let thread = KernelThread.start(name: "logs") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    /// Reads this pipe to its end, and closes it; at once after ``stop()``.
    package func adopt(_ descriptor: Int32, of observer: Int) {
        let isTaken = state.withLock { state in
            guard !state.isOver else { return false }
            state.arriving.append(Source(descriptor: descriptor, observer: observer))
            return true
        }
        if isTaken { wake.signal() } else { Kernel.close(descriptor) }
    }

    /// Ends the thread and waits for it: every pipe is closed then.
    package func stop() {
        let thread = state.withLock { state in
            state.isOver = true
            defer { state.thread = nil }
            return state.thread
        }
        wake.signal()
        thread?.join()
    }

    // MARK: What was read

    /// Of all sightings, those from number `first` on.
    package func sightings(from first: Int = 0) -> ArraySlice<Sighting> { state.withLock { $0.sightings[first...] } }

    package var count: Int { state.withLock { $0.sightings.count } }

    /// Lines about members that were not written or not kept; where it is 0, nothing was overlooked.
    package var missing: Int { state.withLock { $0.leftOut + $0.lost } }

    package func lastLines(of observer: Int) -> [String] { state.withLock { $0.last[observer] ?? [] } }

    // MARK: The thread

    private func run() {
        var sources: [Source] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let isOver = state.withLock { state in
                sources += state.arriving
                state.arriving = []
                return state.isOver
            }
            guard !isOver else { break }
            var polled = [pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)]
            polled += sources.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            guard unsafe poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[0].revents != 0 { wake.clear() }
            var open: [Source] = []
            for (index, source) in sources.enumerated() {
                guard polled[index + 1].revents != 0 else {
                    open.append(source)
                    continue
                }
                var source = source
                let count = unsafe read(source.descriptor, &buffer, buffer.count)
                if count > 0 {
                    take(buffer.prefix(count), from: &source)
                    open.append(source)
                } else if count < 0, errno == EINTR {
                    open.append(source)
                } else {
                    _ = close(source.descriptor)
                }
            }
            sources = open
        }
        for source in sources { _ = close(source.descriptor) }
    }

    private func take(_ bytes: ArraySlice<UInt8>, from source: inout Source) {
        let now = Kernel.now()
        source.unread += bytes
        guard let end = source.unread.lastIndex(of: UInt8(ascii: "\n")) else {
            if source.unread.count > Self.longestLine { source.unread = [] }
            return
        }
        let text = String(decoding: source.unread[...end], as: UTF8.self)
        source.unread.removeSubrange(...end)
        let lines = text.split(separator: "\n")
        let observer = source.observer
        let contents = lines.compactMap { LogLine($0)?.content }
        state.withLock { state in
            state.last[observer] = ((state.last[observer] ?? []) + lines.map(String.init)).suffix(Self.linesKept)
            for content in contents {
                switch content {
                case .leftOut(let count): state.leftOut += count
                case .news(let news, let subject):
                    guard state.sightings.count < Self.capacity else {
                        state.lost += 1
                        continue
                    }
                    state.sightings.append(Sighting(observer: observer, subject: subject, news: news, at: now))
                }
            }
        }
    }
}
