// Plain sockets for tests: a client, and a server that does only what the test tells it.
//
// A test plays both ends of a proxied connection step by step in one thread, so nothing depends on timing.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

enum Wait {
    enum Direction {
        case toRead, toWrite
    }

    /// Waits until a descriptor is ready (an end or an error counts).
    /// - Returns: false when the deadline came first.
    static func until(_ descriptor: Int32, isReady direction: Direction, deadline: Instant) -> Bool {
        var wanted = pollfd(
            fd: descriptor, events: Int16(direction == .toRead ? POLLIN : POLLOUT), revents: 0)
        while true {
            let left = (deadline - Kernel.now()).wholeNanoseconds / 1_000_000
            if unsafe poll(&wanted, 1, Int32(clamping: max(0, left))) == 1 { return true }
            if left <= 0 { return false }
        }
    }

    /// Asks again and again, until the answer is the wanted one.
    static func until<Answer: Equatable>(_ question: @autoclosure () throws -> Answer, is wanted: Answer) throws {
        try forAnswer {
            let answer = try question()
            if answer != wanted { throw TooLate(description: "\(answer) and not \(wanted)") }
        }
    }

    /// Asks again and again, until there is an answer.
    static func forAnswer<Answer>(to question: () throws -> Answer) throws -> Answer {
        let deadline = Kernel.now() + patience
        while true {
            do {
                return try question()
            } catch  where Kernel.now() < deadline {
                // Whether a process listens yet can only be asked.
                poll(nil, 0, 5)
            }
        }
    }
}

/// One end of a connection; closed when it is let go.
final class Peer {
    enum Ending: Equatable {
        case end, reset
    }

    private let descriptor: Int32
    private var isOpen = true

    /// Connects.
    init(to address: SocketAddress) throws {
        descriptor = try Kernel.socket(family: address.family).get()
        let outcome = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
        if outcome.error == .inProgress {
            try wait(.toWrite)
            if let error = Kernel.connectError(descriptor) { throw error }
        } else {
            try outcome.get()
        }
    }

    fileprivate init(accepted descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let outcome = unsafe rest.withUnsafeBytes { unsafe Kernel.send(descriptor, $0, more: false) }
            if outcome.wouldBlock { try wait(.toWrite) } else { rest = rest.dropFirst(Int(try outcome.get())) }
        }
    }

    /// Exactly `count` bytes, as text.
    func receive(_ count: Int) throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try receive(atMost: count - bytes.count)
            if more.isEmpty { throw TooLate(description: "the stream ended after \(bytes.count) of \(count) bytes") }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What comes up to and with `end`, byte by byte, so that what follows is left.
    func receive(until end: String) throws -> String {
        var text = ""
        while !text.hasSuffix(end) { text += try receive(1) }
        return text
    }

    /// Everything until the end.
    func receiveAll() throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try receive(atMost: 65536)
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// How the stream ends that has nothing more to read.
    func ending() throws -> Ending {
        do {
            let bytes = try receive(atMost: 64)
            try #require(bytes.isEmpty, "there was something to read: \(bytes)")
            return .end
        } catch let error as SystemError where error.code == ECONNRESET {
            return .reset
        }
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Kernel.close(descriptor)
    }

    /// Closes with a reset.
    func abort() {
        guard isOpen else { return }
        isOpen = false
        Kernel.abort(descriptor)
    }

    /// - Returns: none at the end of the stream.
    private func receive(atMost count: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        while true {
            let outcome = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(descriptor, into: $0) }
            if !outcome.wouldBlock { return Array(buffer.prefix(Int(try outcome.get()))) }
            try wait(.toRead)
        }
    }

    private func wait(_ direction: Wait.Direction) throws {
        guard Wait.until(descriptor, isReady: direction, deadline: Kernel.now() + patience) else {
            throw TooLate(description: "the socket is not ready \(direction)")
        }
    }
}

/// A listening socket on loopback; closed when it is let go.
final class Server {
    let descriptor: Int32
    let address: SocketAddress

    /// - Parameter listens: where not, the port is taken but refuses connections.
    init(listens: Bool = true) throws {
        descriptor = try Kernel.bind(.ipv4(.loopback, port: 0), sharingPort: false)
        if listens { try Kernel.listen(descriptor) }
        address = try #require(Kernel.localAddress(of: descriptor))
    }

    deinit { Kernel.close(descriptor) }

    /// The next connection; waits for it.
    func accept() throws -> Peer {
        guard let peer = try accept(within: patience) else { throw TooLate(description: "nobody connected") }
        return peer
    }

    /// The next connection, or nil if none comes within `duration`.
    func accept(within duration: Duration) throws -> Peer? {
        guard Wait.until(descriptor, isReady: .toRead, deadline: Kernel.now() + duration) else { return nil }
        return Peer(accepted: try Kernel.accept(descriptor).get())
    }
}

/// A client and the server's end of its connection, with bytes seen to pass both ways.
func connectedPair(through listener: SocketAddress, to server: Server) throws -> (client: Peer, server: Peer) {
    let client = try Peer(to: listener)
    try client.send("ping")
    let accepted = try server.accept()
    #expect(try accepted.receive(4) == "ping")
    try accepted.send("pong")
    #expect(try client.receive(4) == "pong")
    return (client, accepted)
}

/// `GET path` on the admin port.
func get(_ path: String, from admin: SocketAddress) throws -> (status: Int, body: String) {
    try exchange("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", with: admin)
}

/// One request on a connection of its own, and its answer.
func exchange(_ request: String, with admin: SocketAddress) throws -> (status: Int, body: String) {
    let peer = try Peer(to: admin)
    try peer.send(request)
    let answer = try peer.receiveAll()
    let match = try #require(answer.wholeMatch(of: /(?s)HTTP\/1\.1 (\d{3}) .*?\r\n\r\n(.*)/), "no HTTP: \(answer)")
    return (try #require(Int(match.1)), String(match.2))
}
