// An instance of a service that does what a test tells it to, in the test's own thread: it is stepped by turns with the
// checker, so that nothing depends on who runs first.

import Foundation
import Glibc
import HealthChecks
import Reactor
import Testing
import Vocabulary

final class Instance {
    /// What it does with a connection.
    enum Manner {
        case answers(String)
        /// One byte for each step.
        case dribbles(String)
        case answersAndEnds(String)
        /// This again and again.
        case neverEnds(String)
        case resets
        case waits
    }

    struct Connection {
        let descriptor: Int32
        var received: [UInt8] = []
        /// How the other side ended, once it has: nil is cleanly.
        var ended: SystemError??
        var written = 0
        var hasEnded = false
        var sent = 0
    }

    let address: SocketAddress
    let manner: Manner
    private(set) var connections: [Connection] = []
    private let listener: Int32
    /// Keeps the port: one that the kernel chose is lost to a socket that stops listening.
    private let reservation: Int32

    /// - Parameter accepts: false: it is bound, and refuses.
    init(_ manner: Manner, at wanted: SocketAddress = .ipv4(.loopback, port: 0), accepts: Bool = true) throws {
        self.manner = manner
        reservation = wanted.port == nil ? -1 : try Kernel.bind(wanted, sharingPort: true)
        address = wanted.port == nil ? wanted : try #require(Kernel.localAddress(of: reservation))
        listener = try Kernel.bind(address, sharingPort: true)
        if accepts { try Kernel.listen(listener) }
    }

    deinit {
        for connection in connections where connection.descriptor >= 0 { Kernel.close(connection.descriptor) }
        Kernel.close(listener)
        if reservation >= 0 { Kernel.close(reservation) }
    }

    func listen(backlog: Int32? = nil) throws {
        try Kernel.listen(listener)
        if let backlog { _ = Glibc.listen(listener, backlog) }
    }

    /// From now on it refuses, at the same address.
    func stopListening() { _ = shutdown(listener, Int32(SHUT_RD)) }

    func step() {
        while case let accepted = Kernel.accept(listener), accepted.succeeded {
            if case .resets = manner {
                Kernel.abort(accepted.value)
            } else {
                connections.append(Connection(descriptor: accepted.value))
            }
        }
        for index in connections.indices { step(&connections[index]) }
    }

    private func step(_ connection: inout Connection) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while connection.ended == nil {
            let outcome = unsafe buffer.withUnsafeMutableBytes {
                unsafe Kernel.receive(connection.descriptor, into: $0)
            }
            if outcome.wouldBlock { break }
            if let error = outcome.error {
                connection.ended = .some(.some(error))
            } else if outcome.count == 0 {
                connection.ended = .some(.none)
            } else {
                connection.received += buffer.prefix(outcome.count)
            }
        }
        switch manner {
        case .answers(let text): write(text, all: true, &connection)
        case .dribbles(let text): write(text, all: false, &connection)
        case .answersAndEnds(let text):
            write(text, all: true, &connection)
            if connection.written == text.utf8.count, !connection.hasEnded {
                _ = Kernel.endStream(connection.descriptor)
                connection.hasEnded = true
            }
        case .neverEnds(let text):
            write(text, all: true, &connection)
            if connection.written == text.utf8.count { connection.written = 0 }
        case .resets, .waits: break
        }
    }

    private func write(_ text: String, all: Bool, _ connection: inout Connection) {
        let rest = Array(text.utf8.dropFirst(connection.written))
        let bytes = all ? rest : Array(rest.prefix(1))
        guard !bytes.isEmpty else { return }
        let outcome = unsafe bytes.withUnsafeBytes { unsafe Kernel.send(connection.descriptor, $0, more: false) }
        if outcome.succeeded {
            connection.written += outcome.count
            connection.sent += outcome.count
        }
    }
}

extension HealthChecker {
    /// Turns and steps until `isDone`, at most for some seconds.
    /// - Returns: all changes on the way.
    @discardableResult
    func run(
        _ instances: [Instance], until isDone: ([HealthChange]) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [HealthChange] {
        let poller = try Poller()
        poller.addLevel(of: descriptor, token: 0)
        let end = Kernel.now() + .seconds(20)
        var changes: [HealthChange] = []
        while true {
            changes += turn()
            for instance in instances { instance.step() }
            if isDone(changes) { return changes }
            guard Kernel.now() < end else {
                Issue.record("it has not come to that in 20 s", sourceLocation: sourceLocation)
                return changes
            }
            _ = poller.wait(milliseconds: 1)
        }
    }
}

/// A directory that goes with the test.
final class Scratch {
    let path = "/tmp/remora-health-\(UUID().uuidString.prefix(8))"
    init() { _ = unsafe mkdir(path, 0o700) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
