// A world for one flow: a source and a sink that behave as sockets under
// edge-triggered epoll do, and an owner that does what the flow says.
//
// Bytes are their positions in the stream, so that a range stands for a mebibyte
// and any loss, doubling or change of order shows at the sink. Everything the
// kernel leaves open is drawn from the seed: how much a call moves, what arrives
// between two calls, when an edge is looked at.

import Forwarding
import Vocabulary

/// A rule that the flow has broken.
struct Violation: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

struct FlowWorld {
    /// What a run came past; a simulation that never gets somewhere proves nothing about it.
    struct Coverage {
        var copies = 0, holds = 0, fills = 0, drains = 0, partDrains = 0, calmed = 0, refusedPipes = 0
        var endsWhileBlocked = 0, urgentStops = 0, spentBudgets = 0, arrivalsBetweenCalls = 0, putInFront = 0

        static func += (sum: inout Coverage, one: Coverage) {
            for field in fields { sum[keyPath: field.path] += one[keyPath: field.path] }
        }

        static var fields: [(name: String, path: WritableKeyPath<Coverage, Int>)] {
            [
                ("copies", \.copies), ("holds", \.holds), ("fills", \.fills), ("drains", \.drains),
                ("partDrains", \.partDrains), ("calmed", \.calmed), ("refusedPipes", \.refusedPipes),
                ("endsWhileBlocked", \.endsWhileBlocked), ("urgentStops", \.urgentStops),
                ("spentBudgets", \.spentBudgets),
                ("arrivalsBetweenCalls", \.arrivalsBetweenCalls), ("putInFront", \.putInFront),
            ]
        }
    }

    /// The largest read, as the worker's ``Worker.usualRead``.
    private static let usualRead = 64 << 10

    private(set) var flow: Flow
    private(set) var coverage = Coverage()
    private var random: SeededRandom

    // The source: positions below `arrived` are in this machine, those below `read` have been read.
    private let isTCP: Bool
    private let total: Int
    private let willEnd: Bool
    private let burst: Int
    private var arrived = 0
    private var read = 0
    private var endArrived = false
    private var urgent: Int?
    private var sourceEdge = false

    // Between the two.
    private var held: [Range<Int>] = []
    private var pipe: [Range<Int>] = []
    private let pipeCapacity: Int
    private let pipeIsRefused: Bool
    private let copyBudget: Int
    private let spliceBudget: Int
    private var isQueued = false

    // The sink: it has room, and owes an edge once it was found full.
    private var room: Int
    private var foundFull = false
    /// The owner was told so, and no edge has said otherwise since.
    private var isKnownFull = false
    private var sinkEdge: Bool
    private var delivered: Int
    private var finishes = 0
    private let isFast: Bool

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        isTCP = random.below(3) > 0
        let canSplice = random.below(4) > 0
        flow = Flow(shortReadMeansEmpty: isTCP, canSplice: canSplice)
        burst = [100, 20_000, 200_000, 2_000_000][Int(random.below(4))]
        total = Int(random.below(UInt32(burst * 8)))
        willEnd = random.below(8) > 0
        pipeCapacity = [4096, 65_536, 1 << 20][Int(random.below(3))]
        pipeIsRefused = random.below(8) == 0
        copyBudget = [1, 100_000, 1 << 30][Int(random.below(3))]
        spliceBudget = copyBudget * 4
        isFast = random.below(2) == 0
        room = isFast ? 1 << 22 : Int(random.below(100_000))
        sinkEdge = true
        delivered = 0
        if random.below(4) == 0 {
            // Bytes put in front bear the positions before the stream's own.
            let count = 1 + Int(random.below(500))
            delivered = -count
            held = random.below(2) == 0 ? [-count..<0] : [-count..<(-count / 2), (-count / 2)..<0]
            held.removeAll(where: \.isEmpty)
            flow.holds(count)
            coverage.putInFront = 1
        }
        self.random = random
    }

    // MARK: - Running

    /// Lets things happen in a random order, then until nothing can happen any more.
    /// - Throws: ``Violation``.
    mutating func run() throws {
        for _ in 0..<60 {
            switch random.below(8) {
            case 0, 1: arrive()
            case 2: if arrived == total { arriveEnd() }
            case 3: drainSink()
            case 4, 5: try deliverSourceEdge()
            case 6: try deliverSinkEdge()
            default: try runQueue()
            }
        }
        try settle()
    }

    /// The rest arrives, the sink takes everything, and every edge is delivered.
    private mutating func settle() throws {
        var turns = 0
        while true {
            if arrived < total { arrive() } else { arriveEnd() }
            if foundFull { drainSink() }
            guard sourceEdge || sinkEdge || isQueued || arrived < total || foundFull else { break }
            try deliverSourceEdge()
            try deliverSinkEdge()
            try runQueue()
            turns += 1
            if turns > 5_000_000 { throw Violation("never comes to rest") }
        }
        try demand(delivered == total, "quiet with \(delivered) of \(total) bytes delivered")
        try demand(finishes == (willEnd ? 1 : 0), "quiet with the end told \(finishes) times")
        try demand(flow.next == .rest, "quiet, but next is \(flow.next)")
    }

    // MARK: The peers

    private mutating func arrive() {
        guard arrived < total else { return }
        let count = 1 + Int(random.below(UInt32(burst)))
        if isTCP, urgent == nil, random.below(12) == 0 {
            urgent = min(arrived + Int(random.below(UInt32(count))), total - 1)
        }
        arrived = min(total, arrived + count)
        sourceEdge = true
    }

    private mutating func arriveEnd() {
        guard willEnd, !endArrived else { return }
        endArrived = true
        sourceEdge = true
        if flow.held > 0, flow.awaitsSink { coverage.endsWhileBlocked += 1 }
    }

    private mutating func drainSink() {
        room += 1 + Int(random.below(isFast ? 4_000_000 : 60_000))
        if foundFull {
            foundFull = false
            sinkEdge = true
        }
    }

    /// Something may happen between two system calls of one turn.
    private mutating func interfere() {
        guard random.below(6) == 0 else { return }
        coverage.arrivalsBetweenCalls += 1
        if random.below(2) == 0 { drainSink() } else if arrived < total { arrive() } else { arriveEnd() }
    }

    // MARK: The owner, as the worker does it

    private mutating func deliverSourceEdge() throws {
        // An edge of the other direction reports what is readable here too.
        guard sourceEdge || (random.below(16) == 0 && (arrived > read || endArrived)) else { return }
        sourceEdge = false
        flow.sourceIsReadable(ending: endArrived, urgent: urgent != nil)
        try pump()
    }

    private mutating func deliverSinkEdge() throws {
        guard sinkEdge || (random.below(16) == 0 && !foundFull && room > 0) else { return }
        sinkEdge = false
        isKnownFull = false
        guard flow.awaitsSink else { return }
        flow.sinkIsWritable()
        try pump()
    }

    private mutating func runQueue() throws {
        guard isQueued else { return }
        isQueued = false
        try pump()
    }

    private mutating func pump() throws {
        var moved = 0
        var idleSteps = 0
        while true {
            try demand(flow.held == (held + pipe).reduce(0) { $0 + $1.count }, "it counts \(flow.held) held bytes")
            try demand(read == delivered + flow.held, "in \(read), out \(delivered), held \(flow.held)")
            let before = (read, delivered)
            switch flow.next {
            case .rest:
                try demandThatRestIsJustified()
                return
            case .receive:
                if moved >= copyBudget { return enqueue() }
                try demand(!isKnownFull, "reads for a full sink")
                try demand(flow.held == 0, "reads while it holds \(flow.held)")
                try receive(&moved)
            case .sendHeld:
                try demand(!isKnownFull, "writes to a full sink")
                try demand(pipe.isEmpty, "sends held bytes while others lie in a pipe")
                try sendHeld()
            case .fillPipe:
                if moved >= spliceBudget { return enqueue() }
                try demand(flow.held == 0, "splices while it holds \(flow.held)")
                fillPipe(&moved)
            case .drainPipe:
                try demand(!isKnownFull, "splices to a full sink")
                try demand(held.isEmpty, "drains a pipe while others are held")
                try drainPipe()
            case .relay, .deliver:
                throw Violation("takes a plain stream through TLS")
            case .finish:
                try demand(endArrived && read == total, "finishes at \(read) of \(total)")
                try demand(delivered == total, "finishes with \(delivered) of \(total) delivered")
                finishes += 1
                flow.finish()
            }
            idleSteps = before == (read, delivered) ? idleSteps + 1 : 0
            try demand(idleSteps <= 4, "spins")
            interfere()
        }
    }

    private mutating func enqueue() {
        isQueued = true
        coverage.spentBudgets += 1
    }

    /// At rest with no edge to come, there must be nothing that could be done.
    private func demandThatRestIsJustified() throws {
        guard !sourceEdge, !sinkEdge, !isQueued, !foundFull else { return }
        try demand(flow.held == 0, "rests holding \(flow.held) bytes for a sink that is not full")
        try demand(read == arrived, "rests with \(arrived - read) bytes unread")
        try demand(!endArrived || finishes == 1, "rests without telling the end")
    }

    private func demand(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
        if !condition { throw Violation(otherwise()) }
    }

    // MARK: System calls

    /// Up to which position one call can get.
    private func readable(splicing: Bool) -> Int {
        guard let urgent, urgent < arrived, splicing || read < urgent else { return arrived }
        return urgent
    }

    private mutating func receive(_ moved: inout Int) throws {
        let asked = flow.isBulky ? 4 * Self.usualRead : Self.usualRead
        var count = min(asked, readable(splicing: false) - read)
        guard count > 0 else {
            if endArrived { flow.sourceEnded() } else { flow.sourceIsEmpty() }
            return
        }
        if !isTCP, random.below(3) == 0 { count = 1 + Int(random.below(UInt32(count))) }
        if let urgent, read + count == urgent { coverage.urgentStops += 1 }
        let bytes = read..<(read + count)
        read += count
        if let passed = urgent, passed < read { urgent = nil }
        moved += count
        coverage.copies += 1
        flow.received(count, of: asked)
        interfere()
        let taken = write(count)
        try deliver(bytes.prefix(taken))
        flow.sent(taken)
        if taken < count {
            held.append(contentsOf: split(bytes.dropFirst(taken)))
            coverage.holds += 1
        }
    }

    /// Held bytes lie in blocks, offered one by one.
    private func split(_ bytes: Range<Int>) -> [Range<Int>] {
        stride(from: bytes.lowerBound, to: bytes.upperBound, by: 16_384).map {
            $0..<min($0 + 16_384, bytes.upperBound)
        }
    }

    private mutating func sendHeld() throws {
        let first = held[0]
        let taken = write(first.count)
        guard taken > 0 else { return flow.sinkIsFull() }
        try deliver(first.prefix(taken))
        held[0] = first.dropFirst(taken)
        if held[0].isEmpty { held.removeFirst() }
        flow.sentHeld(taken, of: first.count)
    }

    private mutating func fillPipe(_ moved: inout Int) {
        if pipeIsRefused {
            coverage.refusedPipes += 1
            return flow.cannotSplice()
        }
        var count = min(pipeCapacity, readable(splicing: true) - read)
        guard count > 0 else {
            // At an urgent byte a splice answers what it answers at the end of all that has arrived.
            if endArrived { flow.spliceStopped() } else { flow.sourceIsEmpty() }
            return
        }
        if random.below(3) == 0 { count = 1 + Int(random.below(UInt32(count))) }
        pipe.append(read..<(read + count))
        read += count
        moved += count
        coverage.fills += 1
        flow.filledPipe(count)
        if !flow.isBulky { coverage.calmed += 1 }
    }

    private mutating func drainPipe() throws {
        let first = pipe[0]
        var taken = min(room, first.count)
        guard taken > 0 else {
            foundFull = true
            isKnownFull = true
            return flow.sinkIsFull()
        }
        if random.below(3) == 0 {
            taken = 1 + Int(random.below(UInt32(taken)))
            coverage.partDrains += 1
        }
        room -= taken
        try deliver(first.prefix(taken))
        pipe = [first.dropFirst(taken)].filter { !$0.isEmpty }
        coverage.drains += 1
        flow.drainedPipe(taken)
    }

    /// A send: it takes less than offered only where the sink is full.
    private mutating func write(_ count: Int) -> Int {
        let taken = min(room, count)
        room -= taken
        if taken < count {
            foundFull = true
            isKnownFull = true
        }
        return taken
    }

    private mutating func deliver(_ bytes: Range<Int>) throws {
        try demand(bytes.isEmpty || bytes.lowerBound == delivered, "\(bytes) follow \(delivered)")
        delivered += bytes.count
    }
}
