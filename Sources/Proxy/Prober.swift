// A worker's end of load probes: the socket it asks from, and what it has asked.
//
// Each worker has one of its own, in its own poller, so that no pick waits for another thread and no lock is taken. What
// a datagram can do is little: it is looked at only where it bears the number of a question that waits, and changes
// something only once its code is right. A table of fixed size holds the questions; one that is never answered is
// overwritten 256 questions later. Nothing is repeated.
//
// Not taken: to look at who sent an answer. A member with several addresses may answer from another than it was asked
// at, and whoever could forge the number and the code can forge an address.

import Balancing
import FleetLoad
import GossipWire
import Reactor
import Synchronization
import Upstreams
package import Vocabulary

/// How workers ask for loads.
package struct ProbeOptions: Sendable {
    /// An address of this machine to ask from; its port is not used.
    package var source: SocketAddress
    package var keys: ProbeKeyDesk
    /// Of all workers together.
    package var perSecond = ProbeBudget.perSecond

    package init(source: SocketAddress, keys: ProbeKeyDesk) {
        self.source = source
        self.keys = keys
    }
}

/// Where the control thread leaves the fleet's keys for those who probe and who answer.
package final class ProbeKeyDesk: Sendable {
    private let keys: Mutex<[[UInt8]]>
    /// Goes up with every change.
    private let revision = Atomic<UInt64>(1)

    /// - Parameter gossipKeys: raw, the first one first; none where the fleet has none.
    package init(gossipKeys: [[UInt8]] = []) { keys = Mutex(gossipKeys) }

    /// Waking those who use them is the caller's.
    package func replace(by gossipKeys: [[UInt8]]) {
        keys.withLock { $0 = gossipKeys }
        revision.add(1, ordering: .releasing)
    }

    /// The ring, where it is not the one of `known`, which then is the newer revision.
    package func ring(unlike known: inout UInt64) -> ProbeKeyring? {
        let current = revision.load(ordering: .acquiring)
        guard current != known else { return nil }
        known = current
        return ProbeKeyring(gossipKeys: keys.withLock { $0 })
    }
}

/// For one worker.
final class Prober {
    /// Answers taken in one turn of the loop; the poller reports the rest again.
    static let answersPerTurn = 64
    /// Questions that are remembered: a quarter of a second's, at the most that a node sends.
    private static let capacity = 256
    /// A few hundred answers; what finds no room is as good as lost under way.
    private static let receiveBuffer: Int32 = 64 << 10
    /// How often an upstream's mean answer is measured anew.
    private static let looks = Duration.milliseconds(100)
    /// After so many connections in a row that waited for nothing, none waits until somebody answers again.
    private static let patience = 3
    struct Question {
        /// The lowest bits are its place in the table.
        var nonce: UInt64 = 0
        var sent = Instant(nanoseconds: .min)
        var upstream: UInt32 = 0
        var service = ServiceDigest(bits: 0)
        var target = ProbeTargets.Target(place: 0, record: 0, cell: 0)
        /// Of the set that the target was drawn from.
        var version: UInt64 = 0
        /// The connection that waits for the answer, if any.
        var waiter: Waiter?
        var isOpen = false
    }

    struct Waiter {
        var index: UInt32
        /// Of its client's half, which no later connection in that slot has.
        var epoch: UInt32
    }

    enum Receipt {
        case answer(Question, EndpointLoad)
        /// To this question, but by a stranger, or about something else.
        case refused(Question)
        /// To no question that waits.
        case stray
    }

    private struct Upstream {
        var freshness = Freshness()
        var nextLook = Instant(nanoseconds: .min)
        /// Of late; nil before the first answer.
        var roundTrip: Duration?
        var vainWaits = 0
    }

    let descriptor: Int32
    private let desk: ProbeKeyDesk
    private var keys: ProbeKeyring
    private var keyRevision: UInt64 = 0
    private var budget: ProbeBudget
    private var questions = [Question](repeating: Question(), count: Prober.capacity)
    private var next = 0
    private var upstreams: [Upstream] = []
    /// Not the seeded one: whoever has seen a few of its numbers can tell the next.
    private var random = SystemRandomNumberGenerator()

    init(_ options: ProbeOptions, workers: Int) throws(SystemError) {
        descriptor = try Kernel.bindDatagrams(options.source.with(port: 0), receiveBuffer: Prober.receiveBuffer)
        desk = options.keys
        keys = options.keys.ring(unlike: &keyRevision) ?? ProbeKeyring(gossipKeys: [])
        budget = ProbeBudget(perSecond: options.perSecond, share: workers)
    }

    deinit { Kernel.close(descriptor) }

    /// Works with the keys that the fleet has now.
    func heedKeys() {
        if let ring = desk.ring(unlike: &keyRevision) { keys = ring }
    }

    // MARK: Asking

    /// How many may be asked now.
    func allows(_ wanted: Int, at now: Instant) -> Int { budget.allows(wanted, at: now) }

    /// Sends a question; the kernel may drop it, as may any network.
    /// - Precondition: ``allows(_:at:)`` has allowed it.
    func ask(_ question: Question, at address: UnsafeRawBufferPointer) {
        budget.spend(1, at: question.sent)
        var question = question
        question.isOpen = true
        question.nonce = random.next() & ~UInt64(Prober.capacity - 1) | UInt64(next)
        let message = ProbeMessage(nonce: question.nonce, service: question.service)
        questions[next] = question
        next = (next + 1) % Prober.capacity
        guard let bytes = keys.signed(message) else { return }
        unsafe bytes.span.withUnsafeBytes { _ = unsafe Kernel.sendDatagram(descriptor, $0, to: address) }
    }

    /// The next datagram; nil where there is none.
    func receive() -> Receipt? {
        // One byte more than a message has: a longer datagram is none.
        unsafe withUnsafeTemporaryAllocation(byteCount: ProbeMessage.length + 1, alignment: 8) { buffer in
            let outcome = unsafe Kernel.receive(descriptor, into: buffer)
            guard outcome.succeeded else { return nil }
            return unsafe judge(UnsafeRawBufferPointer(rebasing: buffer.prefix(outcome.count)))
        }
    }

    private func judge(_ bytes: UnsafeRawBufferPointer) -> Receipt {
        guard let message = try? unsafe ProbeMessage(reading: bytes.bindMemory(to: UInt8.self).span),
            case .answer(let load) = message.kind
        else { return .stray }
        let place = Int(message.nonce % UInt64(Prober.capacity))
        let question = questions[place]
        guard question.isOpen, question.nonce == message.nonce else { return .stray }
        // Still open after this: the true answer may be under way.
        guard message.service == question.service, unsafe keys.vouches(for: bytes) else { return .refused(question) }
        questions[place].isOpen = false
        return .answer(question, EndpointLoad(outstanding: load.outstanding, connections: load.connections))
    }

    // MARK: What is known of upstreams

    /// How old an answer may be, and the mean answer it follows from.
    /// - Parameter sums: of this worker's answers, and of the times that they were waited for.
    func freshness(
        of upstream: Int, at now: Instant, _ sums: () -> (answers: UInt64, nanoseconds: UInt64)
    ) -> Freshness {
        while upstreams.count <= upstream { upstreams.append(Upstream()) }
        if now >= upstreams[upstream].nextLook {
            upstreams[upstream].nextLook = now + Prober.looks
            let sums = sums()
            upstreams[upstream].freshness.look(answers: sums.answers, nanoseconds: sums.nanoseconds)
        }
        return upstreams[upstream].freshness
    }

    /// As it was last looked at.
    func freshness(of upstream: Int) -> Freshness {
        upstream < upstreams.count ? upstreams[upstream].freshness : Freshness()
    }

    /// Whether a connection may well wait for answers: they come, and no later than its own is to be expected. At 90 % load
    /// the truth is worth five services more than own counts, a round trip costs one at most.
    func isWorthWaiting(for upstream: Int) -> Bool {
        let upstream = upstreams[upstream]
        let roundTrip = upstream.roundTrip ?? .zero
        return upstream.vainWaits < Prober.patience && roundTrip <= upstream.freshness.period
    }

    func noteAnswer(of upstream: Int, after roundTrip: Duration) {
        guard upstream < upstreams.count else { return }
        let before = upstreams[upstream].roundTrip ?? roundTrip
        upstreams[upstream].roundTrip = before + (roundTrip - before) / 8
        upstreams[upstream].vainWaits = 0
    }

    func noteVainWait(for upstream: Int) { upstreams[upstream].vainWaits += 1 }
}
