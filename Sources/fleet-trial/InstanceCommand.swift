import ArgumentParser
import Foundation
import Glibc
import Reactor
import Rig
import Vocabulary

/// An instance of a service under test: a small server of HTTP/1.1 that says who it is, and writes down which requests
/// have reached it before it answers, so that a lost one can be traced.
struct InstanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instance", abstract: "Be an instance of a service; what traffic starts.", shouldDisplay: false)

    /// Connections at once; who comes then waits in the kernel's queue.
    private static let mostConnections = 400
    /// A request that is longer is none of the trial's, and its connection closed.
    private static let longestHead = 4096

    @Option(help: "Where it listens.") var address: String
    @Option(help: "What its answers say.") var name: String
    @Option(help: "The file for requests that came, one number a line.") var journal: String
    @Option(help: "While this file exists, /healthz answers 503.") var ill: String
    @Option(help: "The mean of the time until an answer, which is exponential.") var meanMilliseconds = 4.0
    @Option(help: "Of those times.") var seed: UInt64 = 1

    private struct Connection {
        let descriptor: Int32
        var unread: [UInt8] = []
        /// What is to be said, and when; nil while a request is awaited.
        var answer: (bytes: [UInt8], at: Instant, isLast: Bool)?
    }

    func run() throws {
        Kernel.ignoreBrokenPipes()
        let listener = try Kernel.bind(try SocketAddress(parsing: address), sharingPort: false)
        try Kernel.listen(listener)
        let journal = unsafe open(self.journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard journal >= 0 else { throw RunFailure(description: "\(self.journal) cannot be written") }
        var connections: [Connection] = []
        var random = SeededRandom(seed: seed)
        while true {
            let accepts = connections.count < Self.mostConnections
            var polled = [pollfd(fd: listener, events: Int16(accepts ? POLLIN : 0), revents: 0)]
            // One that is being answered may have been given up by its client; the answer's failure says so.
            polled += connections.map {
                pollfd(fd: $0.answer == nil ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0)
            }
            let due = connections.compactMap { $0.answer?.at }.min()
            guard unsafe poll(&polled, nfds_t(polled.count), Self.milliseconds(until: due)) >= 0 else { continue }
            let now = Kernel.now()
            var kept: [Connection] = []
            for (index, var connection) in connections.enumerated() {
                let isReadable = polled[index + 1].revents != 0
                if (isReadable ? hear(&connection, journal: journal, &random, at: now) : true),
                    answer(&connection, at: now)
                {
                    kept.append(connection)
                } else {
                    Kernel.close(connection.descriptor)
                }
            }
            connections = kept
            while polled[0].revents != 0, connections.count < Self.mostConnections {
                let accepted = Kernel.accept(listener)
                guard accepted.succeeded else { break }
                _ = Kernel.disableNagle(accepted.value)
                connections.append(Connection(descriptor: accepted.value))
            }
        }
    }

    /// Rounded up: a wake that comes too early is followed by many more.
    private static func milliseconds(until due: Instant?) -> Int32 {
        due.map { Int32(max(0, ($0 - Kernel.now()).inSeconds * 1000).rounded(.up)) } ?? -1
    }

    /// - Returns: false where the connection is over.
    private func hear(
        _ connection: inout Connection, journal: Int32, _ random: inout SeededRandom, at now: Instant
    ) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.longestHead)
        let count = unsafe recv(connection.descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        connection.unread += buffer.prefix(count)
        guard connection.unread.suffix(4) == [13, 10, 13, 10] else { return connection.unread.count < Self.longestHead }
        let head = String(decoding: connection.unread, as: UTF8.self)
        connection.unread = []
        guard let path = head.split(separator: " ").dropFirst().first else { return false }
        var (status, body, wait) = ("200 OK", "\(name)\n", Duration.zero)
        if path == "/healthz" {
            if unsafe access(ill, F_OK) == 0 { status = "503 Service Unavailable" }
        } else {
            let line = Array("\(path.dropFirst())\n".utf8)
            _ = unsafe write(journal, line, line.count)
            // At most the tenfold of the mean.
            let part = Double(random.next() >> 11) / Double(1 << 53)
            wait = .microseconds(Int64(meanMilliseconds * 1000 * min(10, -log(1 - part))))
        }
        body = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        connection.answer = (Array(body.utf8), now + wait, head.contains("Connection: close"))
        return true
    }

    private func answer(_ connection: inout Connection, at now: Instant) -> Bool {
        guard let answer = connection.answer, answer.at <= now else { return true }
        connection.answer = nil
        let count = unsafe send(connection.descriptor, answer.bytes, answer.bytes.count, 0)
        return count == answer.bytes.count && !answer.isLast
    }
}
