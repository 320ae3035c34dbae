// Answers those who ask how busy the services beside this node are.
//
// It has a thread, a poller and a socket of its own: neither the failure detector nor the workers wait for it, and who
// floods it makes nobody late but those who ask as well. What it says is what the workers count at that moment in the load
// cells of the services' instances; all questions of a turn get the same sample.
//
// Only who knows a key of the fleet's gossip is answered, with as many bytes as it sent, at the address it sent from. A
// question that is sent again is answered again: that tells nobody anything and makes no more traffic than it is.

import FleetLoad
import GossipWire
import Proxy
import Reactor
import Stats
import Synchronization
import Upstreams
import Vocabulary

final class ProbeResponder: Sendable {
    /// Questions answered before the thread looks whether it is to end, or what it answers for is another.
    private static let questionsPerTurn = 64
    /// A few thousand questions; what finds no room is lost, as if it had been on the way.
    private static let receiveBuffer: Int32 = 1 << 20

    /// As bound.
    let address: SocketAddress
    private let descriptor: Int32
    private let keys: ProbeKeyDesk
    private let wake: Wake
    private let answered = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)
    private let orders = Mutex(Orders())

    private struct Orders: Sendable {
        /// Their names, and the upstreams of their instances.
        var services: [(name: String, upstream: String)] = []
        /// Goes up whenever they are others.
        var revision = 0
        var isOver = false
        var thread: KernelThread?
    }

    private enum Token: UInt64 {
        case wake, questions
    }

    /// - Parameter address: of IP; with port 0 the kernel chooses one.
    init(binding address: SocketAddress, keys: ProbeKeyDesk) throws(SystemError) {
        self.keys = keys
        wake = try Wake()
        descriptor = try Kernel.bindDatagrams(address, receiveBuffer: ProbeResponder.receiveBuffer)
        self.address = Kernel.localAddress(of: descriptor) ?? address
    }

    deinit { Kernel.close(descriptor) }

    /// Begins to answer; questions that came before are answered now.
    /// - Parameter services: the names of those with an inbound listener, and the upstreams of their instances.
    func start(answeringFor services: [(name: String, upstream: String)], of plane: DataPlane) {
        answer(for: services)
        let thread = KernelThread.start(name: "probes") { [self] in run(plane) }
        orders.withLock { $0.thread = thread }
    }

    /// Answers for these services from now on.
    func answer(for services: [(name: String, upstream: String)]) {
        orders.withLock {
            $0.services = services
            $0.revision += 1
        }
        wake.signal()
    }

    /// Returns when nothing is answered any more.
    func stop() {
        let thread = orders.withLock { orders -> KernelThread? in
            orders.isOver = true
            defer { orders.thread = nil }
            return orders.thread
        }
        wake.signal()
        thread?.join()
    }

    var answeredTotal: UInt64 { answered.load(ordering: .relaxed) }
    var refusedTotal: UInt64 { refused.load(ordering: .relaxed) }

    // MARK: - On its thread

    /// What the thread works with.
    private struct Desk {
        var revision = 0
        var digests: [ServiceDigest: String] = [:]
        var sampler: LoadSampler
        var keyRevision: UInt64 = 0
        var ring = ProbeKeyring(gossipKeys: [])
    }

    private func run(_ plane: DataPlane) {
        // Out of memory or descriptors at the start: nobody here is asked then, and callers go by their own counts.
        guard let poller = try? Poller(capacity: 2) else { return }
        poller.addLevel(of: wake.descriptor, token: Token.wake.rawValue)
        poller.addLevel(of: descriptor, token: Token.questions.rawValue)
        var desk = Desk(sampler: LoadSampler([], plane: plane, at: Kernel.now()))
        while heed(&desk, plane) {
            for index in 0..<poller.wait(milliseconds: -1) {
                switch Token(rawValue: poller.event(at: index).token) {
                case .wake, nil: wake.clear()
                case .questions: answerQuestions(&desk)
                }
            }
        }
    }

    /// - Returns: false when it is over.
    private func heed(_ desk: inout Desk, _ plane: DataPlane) -> Bool {
        let (services, revision, isOver) = orders.withLock { ($0.services, $0.revision, $0.isOver) }
        if revision != desk.revision {
            desk.revision = revision
            desk.digests = Dictionary(services.map { (ServiceDigest(of: $0.name), $0.name) }) { first, _ in first }
            desk.sampler = LoadSampler(services, plane: plane, at: Kernel.now())
        }
        return !isOver
    }

    private func answerQuestions(_ desk: inout Desk) {
        var sample: [String: ServiceLoad]?
        // One byte more than a message has: a longer datagram is none.
        unsafe withUnsafeTemporaryAllocation(byteCount: ProbeMessage.length + 1, alignment: 8) { buffer in
            for _ in 0..<ProbeResponder.questionsPerTurn {
                let (outcome, sender) = unsafe Kernel.receiveDatagram(descriptor, into: buffer)
                guard outcome.succeeded else { return }
                // For each: whoever has learnt of a key that was installed here before may ask with it at once.
                if let ring = keys.ring(unlike: &desk.keyRevision) { desk.ring = ring }
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer.prefix(outcome.count))
                guard let sender, let question = unsafe question(in: bytes, desk.ring),
                    let name = desk.digests[question.service]
                else {
                    refused.add(1, ordering: .relaxed)
                    continue
                }
                let loads = sample ?? desk.sampler.sample(at: Kernel.now())
                sample = loads
                send(question, loads[name] ?? .idle, to: sender, desk.ring)
            }
        }
    }

    /// Nil where it is none, or nobody vouches for it.
    private func question(in bytes: UnsafeRawBufferPointer, _ ring: ProbeKeyring) -> ProbeMessage? {
        guard let message = try? unsafe ProbeMessage(reading: bytes.bindMemory(to: UInt8.self).span),
            message.kind == .question, unsafe ring.vouches(for: bytes)
        else { return nil }
        return message
    }

    private func send(_ question: ProbeMessage, _ load: ServiceLoad, to sender: SocketAddress, _ ring: ProbeKeyring) {
        var answer = question
        answer.kind = .answer(load)
        guard let bytes = ring.signed(answer) else { return }
        answered.add(1, ordering: .relaxed)
        let form = sender.kernelForm
        unsafe bytes.span.withUnsafeBytes { bytes in
            unsafe form.withUnsafeBytes { _ = unsafe Kernel.sendDatagram(descriptor, bytes, to: $0) }
        }
    }
}

extension AnsweredProbesReport {
    init(_ responder: ProbeResponder?, strayAnswers: UInt64) {
        self.init()
        address = responder.map { "\($0.address)" } ?? ""
        answeredTotal = responder?.answeredTotal ?? 0
        refusedTotal = responder?.refusedTotal ?? 0
        strayAnswersTotal = strayAnswers
    }
}
