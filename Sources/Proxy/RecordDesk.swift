// Records of ended connections, between the workers that make them and the one thread that reads them.
//
//     DataPlane.record(_:) ── share ──► RecordDesk ──► its worker, at a wake-up
//     takeRecords(_:) ◄── ring ── RecordDesk ◄─────── its worker, at a connection's end
//
// The reader is not woken for each record: the first one after it has emptied a ring rings the bell, and then it has time
// to let more gather (`RecordBell.gather(for:)`) unless a ring is half full. So a busy worker makes some twenty system
// calls a second for the log, and none for a connection.

package import Reactor
import Synchronization
import TLS
import Upstreams
import Vocabulary

/// Which of the connections to come are recorded: so many of 2⁶⁴ draws.
struct RecordShare: AtomicRepresentable, Hashable {
    /// A draw below it is recorded; zero: nobody is, and nobody draws.
    let threshold: UInt64

    static let none = RecordShare(threshold: 0)

    private init(threshold: UInt64) { self.threshold = threshold }

    /// - Parameter fraction: 0 to 1.
    init(_ fraction: Double) {
        precondition((0...1).contains(fraction), "a share is a part of the whole")
        threshold = fraction < 1 ? UInt64(fraction * 0x1p64) : .max
    }

    /// All draw nothing: the draws of a share are the same whatever else is drawn.
    func isDrawn(by random: inout SeededRandom) -> Bool { threshold == .max || random.next() < threshold }

    typealias AtomicRepresentation = UInt64.AtomicRepresentation

    static func encodeAtomicRepresentation(_ value: consuming RecordShare) -> AtomicRepresentation {
        UInt64.encodeAtomicRepresentation(value.threshold)
    }

    static func decodeAtomicRepresentation(_ storage: consuming AtomicRepresentation) -> RecordShare {
        RecordShare(threshold: UInt64.decodeAtomicRepresentation(storage))
    }
}

/// Tells the reader of records that there are some.
package final class RecordBell: Sendable {
    private let wake: Wake
    private let isUrgent = Atomic<Bool>(false)

    package init() throws(SystemError) { wake = try Wake() }

    /// There is something to read.
    func ring() { wake.signal() }

    /// The reader is to wait for nothing more.
    package func hurry() {
        isUrgent.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Waits until the bell has rung.
    package func wait() {
        _ = Kernel.waitToRead(wake.descriptor, milliseconds: -1)
        wake.clear()
    }

    /// Waits for `duration`, or until somebody is in a hurry.
    package func gather(for duration: Duration) {
        let end = Kernel.now() + duration
        while !isUrgent.exchange(false, ordering: .acquiring) {
            let left = (end - Kernel.now()).wholeNanoseconds
            guard left > 0 else { return }
            if Kernel.waitToRead(wake.descriptor, milliseconds: Int32(clamping: left / 1_000_000 + 1)) { wake.clear() }
        }
    }
}

/// What a worker shares with the reader of its records.
final class RecordDesk: Sendable {
    /// Of a worker; some 2 MiB, resident once they were used.
    static let capacity = 4096

    let share = Atomic<RecordShare>(.none)
    private let ring = BoundedRing<ConnectionRecord>(capacity: RecordDesk.capacity)
    private let bell: RecordBell

    init(bell: RecordBell) { self.bell = bell }

    /// - Precondition: only the worker calls this.
    func add(_ record: ConnectionRecord) {
        switch ring.push(record, within: Self.capacity) {
        case 0: bell.ring()
        case Self.capacity / 2: bell.hurry()
        case nil, .some: break
        }
    }

    /// Hands over what is there, a full ring at most; for the rest the bell rings again.
    /// - Returns: how many records were lost because the ring was full.
    /// - Precondition: only the one reader calls this.
    func take(_ body: (ConnectionRecord) -> Void) -> UInt64 {
        var left = Self.capacity
        while left > 0, let record = ring.pop() {
            body(record)
            left -= 1
        }
        if !ring.isEmpty { bell.ring() }
        return ring.takeLost()
    }
}

/// What a worker keeps of connections that are recorded while they last, apart from what it keeps of all.
struct RecordKeeping: ~Copyable {
    /// Plain memory, touched for none that is not recorded.
    struct Facts {
        var accepted = Instant(nanoseconds: 0)
        var client = PlainAddress.none
        var attempts: UInt8 = 0
        /// Of the cell it was placed on last.
        var tenancy: UInt64 = 0
        var connected: Instant?
        /// What it waited for the endpoint's first byte.
        var firstByte: Duration?
        /// Why the last attempt failed, or the handshake with the client did.
        var error: SystemError?
    }

    /// What is no plain memory, of the few that have any.
    struct Texts {
        var serverName: String?
        var fault: PipeFault?
    }

    /// An address as plain memory.
    enum PlainAddress {
        case none
        case ipv4(SocketAddress.IPv4, port: UInt16)
        case ipv6(SocketAddress.IPv6, port: UInt16)

        init(_ address: SocketAddress?) {
            switch address {
            case .ipv4(let ip, let port): self = .ipv4(ip, port: port)
            case .ipv6(let ip, let port): self = .ipv6(ip, port: port)
            case .unix, nil: self = .none
            }
        }

        var address: SocketAddress? {
            switch self {
            case .none: nil
            case .ipv4(let ip, let port): .ipv4(ip, port: port)
            case .ipv6(let ip, let port): .ipv6(ip, port: port)
            }
        }
    }

    var share = RecordShare.none
    let facts: Reservation<Facts>
    /// By connection.
    var texts: [UInt32: Texts] = [:]
    /// Of its own: what is recorded changes nobody's endpoint.
    var random: SeededRandom

    init(capacity: Int, seed: UInt64) {
        facts = Reservation(capacity: capacity)
        random = SeededRandom(seed: seed)
    }

    /// Whether some connections are recorded.
    var isOn: Bool { share != .none }

    mutating func draw() -> Bool { share.isDrawn(by: &random) }
}
