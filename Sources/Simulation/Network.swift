// What is between the nodes: what passes, how late, and how often.
//
// Its random numbers are its own, so that a core that draws one number more does not change who loses a datagram, and
// a replay, which has no network, needs none.

import Vocabulary

/// Decides the fate of every datagram and of every leg of a stream.
struct Network {
    private struct Cut {
        let from: [Bool]
        let to: [Bool]
        let scope: Fault.Scope
    }

    private var random: SeededRandom
    private var latency: LatencySampler
    private var cuts: [Cut] = []
    /// Which side of the partition each node is on; empty while there is none.
    private var sides: [UInt16] = []
    /// Probabilities, in 2⁻⁶⁴; all ones is certain.
    private var lossThreshold: UInt64 = 0
    private var duplicationThreshold: UInt64 = 0
    private let nodes: Int

    init(nodes: Int, loss: Double, duplication: Double, latency: Latency, random: SeededRandom) {
        self.nodes = nodes
        self.random = random
        self.latency = LatencySampler(latency)
        setLoss(loss)
        setDuplication(duplication)
    }

    /// Whether anything keeps these two apart in this direction, datagrams or streams.
    func passes(from: Int, to: Int, isDatagram: Bool) -> Bool {
        if !sides.isEmpty, sides[from] != sides[to] { return false }
        for cut in cuts where isDatagram || cut.scope == .everything {
            if cut.from[from], cut.to[to] { return false }
        }
        return true
    }

    /// Whether nothing is cut at all.
    var isWhole: Bool { sides.isEmpty && cuts.isEmpty }

    /// How many copies of a datagram arrive: 0, 1 or 2.
    mutating func copies(from: Int, to: Int) -> Int {
        guard isWhole || passes(from: from, to: to, isDatagram: true) else { return 0 }
        if lossThreshold > 0, random.next() <= lossThreshold { return 0 }
        if duplicationThreshold > 0, random.next() <= duplicationThreshold { return 2 }
        return 1
    }

    /// One delay in nanoseconds.
    mutating func delay() -> Int64 { latency.draw(using: &random) }

    // MARK: Faults

    mutating func setLoss(_ probability: Double) { lossThreshold = Network.threshold(probability) }
    mutating func setDuplication(_ probability: Double) { duplicationThreshold = Network.threshold(probability) }
    mutating func setLatency(_ latency: Latency) { self.latency = LatencySampler(latency) }

    mutating func cut(from: NodeSet, to: NodeSet, _ scope: Fault.Scope) {
        cuts.append(Cut(from: marks(from), to: marks(to), scope: scope))
    }

    mutating func partition(_ groups: [NodeSet]) {
        sides = [UInt16](repeating: 0, count: nodes)
        for (index, group) in groups.enumerated() {
            for node in group.nodes { sides[node] = UInt16(index + 1) }
        }
    }

    mutating func heal() {
        cuts.removeAll()
        sides.removeAll()
    }

    private func marks(_ set: NodeSet) -> [Bool] {
        var marks = [Bool](repeating: false, count: nodes)
        for node in set.nodes { marks[node] = true }
        return marks
    }

    private static func threshold(_ probability: Double) -> UInt64 {
        probability >= 1 ? .max : UInt64(probability * 0x1p64)
    }
}
