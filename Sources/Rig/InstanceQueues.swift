// The instances of a service under test, as queueing theory has them: each one server that takes requests in the order
// in which they come, one at a time, and as long for each as the request says.
//
//     accepted ─► request read ─► waits for those before it ─► is served ─► answered, with the instance's number
//
// When a request will be done is known when it comes (Lindley 1952): the later of now and the end of the one before it,
// and its demand after that. An answer that the machine sends late therefore delays no other one, and how late answers
// are is the measure of whether the machine keeps up. All instances of a run live on one thread, as there is nothing to
// compute. Not taken: a process for each, which would have two dozen more to be woken on two cores.

import Reactor
import Synchronization
package import Vocabulary

package final class InstanceQueues: Sendable {
    /// A request that is longer is none of the trial's, and its connection closed.
    private static let longestHead = 1024

    private struct State {
        var thread: KernelThread?
        var slowness: [Double]
        /// By instance, whether it is to be there.
        var isUp: [Bool]
        var lateness: [Int64] = []
        var isOver = false
        var fault: String?
    }

    private struct Connection {
        let descriptor: Int32
        let instance: Int
        /// The head's bytes that have come, while it is not whole.
        var unread: [UInt8] = []
        /// Whether its connection ends with the answer that it waits for.
        var isLast = false
    }

    private struct Waiting {
        let departure: Instant
        let connection: Int
    }

    /// What is known on the thread alone.
    private struct Rooms {
        var connections: [Connection?] = []
        var free: [Int] = []
        /// By instance, in the order of their departures.
        var queues: [[Waiting]]
        /// By instance, when it will have nothing to do.
        var idleFrom: [Instant]
        var slowness: [Double]
        var isUp: [Bool]
        var lateness: [Int64] = []
        var buffer = [UInt8](repeating: 0, count: InstanceQueues.longestHead)
    }

    private let listeners: [Int32]
    private let state: Mutex<State>
    private let wake: Wake

    /// Binds an instance to each address, and serves until ``stop()``.
    /// - Throws: a ``RunFailure`` that names the address where it cannot; nothing is bound then.
    package init(at addresses: [SocketAddress]) throws {
        do {
            wake = try Wake()
        } catch {
            throw RunFailure(description: "no descriptor for the instances: \(error)")
        }
        listeners = try Self.listeners(at: addresses)
        state = Mutex(
            State(
                slowness: Array(repeating: 1, count: addresses.count),
                isUp: Array(repeating: true, count: addresses.count)))
        let thread = KernelThread.start(name: "instances") { [self] in
            do {
                try run()
            } catch {
                state.withLock { $0.fault = "the instances stopped: \(error)" }
            }
        }
        state.withLock { $0.thread = thread }
    }

    private static func listeners(at addresses: [SocketAddress]) throws -> [Int32] {
        var listeners: [Int32] = []
        for address in addresses {
            do throws(SystemError) {
                let listener = try Kernel.bind(address, sharingPort: false)
                listeners.append(listener)
                try Kernel.listen(listener)
                // What it accepts inherits it.
                Kernel.disableNagle(listener)
            } catch {
                for listener in listeners { Kernel.close(listener) }
                throw RunFailure(description: "no instance can listen at \(address): \(error)")
            }
        }
        return listeners
    }

    /// - Parameter slowness: how many times as long each takes, from the next request on.
    package func set(slowness: [Double]) {
        precondition(slowness.count == listeners.count)
        state.withLock { $0.slowness = slowness }
        wake.signal()
    }

    /// Ends an instance with all that it owes, or brings it back with nothing to do; its address is kept meanwhile.
    package func set(_ instance: Int, isUp: Bool) {
        state.withLock { $0.isUp[instance] = isUp }
        wake.signal()
    }

    /// How late each answer was since the last call, in nanoseconds.
    package func takeLateness() throws -> [Int64] {
        let (lateness, fault) = state.withLock { state in
            defer { state.lateness = [] }
            return (state.lateness, state.fault)
        }
        if let fault { throw RunFailure(description: fault) }
        return lateness
    }

    /// Ends the thread and waits for it: every address is free again then.
    package func stop() {
        let thread = state.withLock { state in
            state.isOver = true
            defer { state.thread = nil }
            return state.thread
        }
        wake.signal()
        thread?.join()
    }

    // MARK: The thread

    /// - Throws: where it cannot go on; nothing of it is open then, as after its end.
    private func run() throws {
        defer { for listener in listeners { Kernel.close(listener) } }
        let poller = try Poller()
        // Tokens: listeners by number, the wake, then connections.
        for (number, listener) in listeners.enumerated() { poller.addLevel(of: listener, token: UInt64(number)) }
        poller.addLevel(of: wake.descriptor, token: UInt64(listeners.count))
        var rooms = Rooms(
            queues: Array(repeating: [], count: listeners.count),
            idleFrom: Array(repeating: Kernel.now(), count: listeners.count),
            slowness: Array(repeating: 1, count: listeners.count),
            isUp: Array(repeating: true, count: listeners.count))
        defer { for connection in rooms.connections { if let connection { Kernel.close(connection.descriptor) } } }
        while true {
            let due = rooms.queues.compactMap { $0.first?.departure }.min()
            let count = poller.wait(atMost: due.map { $0 - Kernel.now() })
            let now = Kernel.now()
            for index in 0..<count {
                let token = Int(poller.event(at: index).token)
                if token < listeners.count {
                    accept(for: token, poller, &rooms, at: now)
                } else if token == listeners.count {
                    wake.clear()
                } else {
                    hear(token - listeners.count - 1, &rooms, at: now)
                }
            }
            answer(&rooms, at: now)
            let (isOver, isUp) = state.withLock { state in
                state.lateness += rooms.lateness
                rooms.slowness = state.slowness
                return (state.isOver, state.isUp)
            }
            rooms.lateness.removeAll(keepingCapacity: true)
            if isOver { break }
            for instance in isUp.indices where isUp[instance] != rooms.isUp[instance] {
                rooms.isUp[instance] = isUp[instance]
                try isUp[instance] ? rise(instance, poller, &rooms) : fall(instance, poller, &rooms)
            }
        }
    }

    /// As a process that is killed: whoever waited there sees its connection end.
    private func fall(_ instance: Int, _ poller: borrowing Poller, _ rooms: inout Rooms) {
        poller.remove(listeners[instance])
        Kernel.stopListening(listeners[instance])
        rooms.queues[instance].removeAll()
        for (place, connection) in rooms.connections.enumerated() where connection?.instance == instance {
            close(place, &rooms)
        }
    }

    private func rise(_ instance: Int, _ poller: borrowing Poller, _ rooms: inout Rooms) throws {
        try Kernel.listenAgain(listeners[instance])
        poller.addLevel(of: listeners[instance], token: UInt64(instance))
        rooms.idleFrom[instance] = Kernel.now()
    }

    private func accept(for instance: Int, _ poller: borrowing Poller, _ rooms: inout Rooms, at now: Instant) {
        // A budget: those who are due must not wait for all who come.
        for _ in 0..<64 {
            let accepted = Kernel.accept(listeners[instance])
            guard accepted.succeeded else { return }
            let connection = Connection(descriptor: accepted.value, instance: instance)
            let place: Int
            if let free = rooms.free.popLast() {
                place = free
                rooms.connections[place] = connection
            } else {
                place = rooms.connections.count
                rooms.connections.append(connection)
            }
            poller.addEdges(
                of: accepted.value, token: UInt64(listeners.count + 1 + place), writes: false)
        }
    }

    private func hear(_ place: Int, _ rooms: inout Rooms, at now: Instant) {
        guard var connection = rooms.connections[place] else { return }
        while true {
            let count = unsafe rooms.buffer.withUnsafeMutableBytes {
                unsafe Kernel.receive(connection.descriptor, into: $0)
            }
            if count.wouldBlock { break }
            guard count.count > 0, connection.unread.count + count.count <= Self.longestHead else {
                // One that waits for its answer is closed with it: its place is not to be another's before.
                if rooms.queues[connection.instance].contains(where: { $0.connection == place }) {
                    rooms.connections[place]?.isLast = true
                } else {
                    close(place, &rooms)
                }
                return
            }
            connection.unread += rooms.buffer.prefix(count.count)
        }
        if let request = InstanceRequest(connection.unread) {
            connection.unread.removeAll()
            connection.isLast = request.isLast
            let instance = connection.instance
            let begin = max(now, rooms.idleFrom[instance])
            let demand = Double(request.demand) * rooms.slowness[instance]
            rooms.idleFrom[instance] = begin + .nanoseconds(Int64(demand))
            rooms.queues[instance].append(Waiting(departure: rooms.idleFrom[instance], connection: place))
        }
        rooms.connections[place] = connection
    }

    /// Sends what is due.
    private func answer(_ rooms: inout Rooms, at now: Instant) {
        for instance in rooms.queues.indices {
            while let next = rooms.queues[instance].first, next.departure <= now {
                rooms.queues[instance].removeFirst()
                rooms.lateness.append((now - next.departure).wholeNanoseconds)
                guard let connection = rooms.connections[next.connection] else { continue }
                let bytes = InstanceAnswer.bytes(from: instance, isLast: connection.isLast)
                // The end shares a segment with the last answer. One that fails has lost its client, who tells of it.
                let sent = unsafe bytes.withUnsafeBytes {
                    unsafe Kernel.send(connection.descriptor, $0, more: connection.isLast)
                }
                if connection.isLast || sent.count != bytes.count { close(next.connection, &rooms) }
            }
        }
    }

    private func close(_ place: Int, _ rooms: inout Rooms) {
        guard let connection = rooms.connections[place] else { return }
        Kernel.close(connection.descriptor)
        rooms.connections[place] = nil
        rooms.free.append(place)
    }
}

// MARK: - What is said

/// A request to an instance: its path is the time that it takes at full speed, in nanoseconds.
struct InstanceRequest: Equatable {
    let demand: Int64
    /// The connection ends with its answer.
    let isLast: Bool

    init(demand: Int64, isLast: Bool) { (self.demand, self.isLast) = (demand, isLast) }

    /// - Parameter head: what has come; nil where it is not whole, or none of ours.
    init?(_ head: [UInt8]) {
        guard head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.starts(with: "GET /".utf8) else { return nil }
        let digits = head.dropFirst(5).prefix { $0 != UInt8(ascii: " ") }
        guard let demand = Int64(String(decoding: digits, as: UTF8.self)), demand >= 0 else { return nil }
        self.demand = demand
        isLast = head.firstRange(of: Array("\r\nConnection: close\r\n".utf8)) != nil
    }

    var bytes: [UInt8] {
        Array("GET /\(demand) HTTP/1.1\r\nHost: trial\r\n\(isLast ? "Connection: close\r\n" : "")\r\n".utf8)
    }
}

/// An instance's answer, whose body is its number and an end of line.
enum InstanceAnswer {
    static func bytes(from instance: Int, isLast: Bool) -> [UInt8] {
        let body = "\(instance)\n"
        let close = isLast ? "Connection: close\r\n" : ""
        return Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(close)\r\n\(body)".utf8)
    }

    enum Reading: Equatable {
        case unfinished
        case from(instance: Int)
        case foreign
    }

    static func read(_ bytes: [UInt8]) -> Reading {
        let start = Array("HTTP/1.1 200 OK\r\n".utf8)
        guard bytes.starts(with: start.prefix(bytes.count)) else { return .foreign }
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)), bytes.last == UInt8(ascii: "\n"),
            end.upperBound < bytes.count
        else { return .unfinished }
        let body = String(decoding: bytes[end.upperBound..<bytes.count - 1], as: UTF8.self)
        return Int(body).map { .from(instance: $0) } ?? .foreign
    }
}
