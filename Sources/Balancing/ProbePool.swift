// What one balancer was told of its endpoints' load when it asked, kept for the next connections.
//
// After Prequal (Wydrowski et al., *Load is not what you should balance*, NSDI 2024): answers come too late for the
// connection that asked and serve the next. Each stands for a draw made in advance, so the least loaded of a few is a
// choice between that many draws. An answer is used twice at most, each use counting as one more connection there, and
// not for long; a younger one takes the place of an older one of the same endpoint.
//
// Not taken of Prequal: the rule of hot and cold, which weighs latency against outstanding requests, and dropping the
// worst answer every other time. Where the queue is all that there is to latency neither wins.
//
// By cell, as records and places are numbered anew with each snapshot.

package import Upstreams
package import Vocabulary

/// A few answers, none about the same endpoint as another.
package struct ProbePool: Sendable {
    /// How it is filled and used up. The defaults were best in the simulation of 250 sidecars and 250 endpoints.
    package struct Shape: Hashable, Sendable {
        /// Answers that are kept, at most ``ProbePool/mostAnswers``; the oldest goes first.
        package var capacity = 4
        /// Endpoints asked with each connection, at most ``ProbeTargets/most``.
        package var probes = 3
        /// How often an answer may be used.
        package var uses = 2

        package init() {}
    }

    package static let mostAnswers = 16

    package struct Answer: Sendable {
        package var cell: LoadCells.Index
        /// Where its endpoint stands among those of the pool's owner.
        package var place: UInt32
        package var load: EndpointLoad
        package var measured: Instant
        var usesLeft: UInt8

        init(cell: LoadCells.Index = 0, place: UInt32 = 0, load: EndpointLoad, measured: Instant, usesLeft: UInt8) {
            self.cell = cell
            self.place = place
            self.load = load
            self.measured = measured
            self.usesLeft = usesLeft
        }
    }

    package let shape: Shape
    /// The first ``count`` of them are there, the oldest first.
    private var answers: InlineArray<16, Answer>
    package private(set) var count = 0

    /// - Precondition: the shape keeps to its limits, and every answer may be used.
    package init(_ shape: Shape = Shape()) {
        precondition((1...Self.mostAnswers).contains(shape.capacity) && (1...255).contains(shape.uses))
        self.shape = shape
        let nothing = EndpointLoad(outstanding: 0, connections: 0)
        answers = InlineArray(
            repeating: Answer(load: nothing, measured: Instant(nanoseconds: .min), usesLeft: 0))
    }

    /// Takes in an answer, in place of an older one about the same endpoint, or else of the oldest of all.
    package mutating func insert(
        _ load: EndpointLoad, of cell: LoadCells.Index, at place: UInt32, measured: Instant
    ) {
        removeAll { $0.cell == cell }
        if count == shape.capacity { remove(at: 0) }
        answers[count] = Answer(
            cell: cell, place: place, load: load, measured: measured, usesLeft: UInt8(shape.uses))
        count += 1
    }

    /// Drops what was measured before then.
    package mutating func expire(before oldest: Instant) { removeAll { $0.measured < oldest } }

    /// Finds the endpoints anew, after another snapshot; those that are gone go.
    package mutating func relocate(_ place: (LoadCells.Index) -> UInt32?) {
        for index in 0..<count {
            if let place = place(answers[index].cell) {
                answers[index].place = place
            } else {
                answers[index].usesLeft = 0
            }
        }
        removeAll { $0.usesLeft == 0 }
    }

    /// Which answer has the least outstanding/weight, then connections/weight; the youngest of equals.
    /// - Parameters:
    ///   - choice: how many answers there have to be to choose from.
    ///   - weight: of an answer's endpoint; nil where it cannot be had now.
    /// - Returns: what ``use(_:)`` takes; nil where there are fewer.
    package func least(ofAtLeast choice: Int, weight: (Answer) -> UInt32?) -> Int? {
        var best: (index: Int, load: WeighedLoad)?
        var found = 0
        for index in 0..<count {
            guard let weight = weight(answers[index]) else { continue }
            found += 1
            let load = WeighedLoad(load: answers[index].load, weight: weight)
            if let best, best.load.isLess(than: load) { continue }
            best = (index, load)
        }
        return found >= choice ? best?.index : nil
    }

    /// Places a connection by an answer, which from then on counts it.
    /// - Returns: the answer as it was.
    package mutating func use(_ index: Int) -> Answer {
        let used = answers[index]
        answers[index].load.outstanding &+= 1
        answers[index].load.connections &+= 1
        answers[index].usesLeft -= 1
        if answers[index].usesLeft == 0 { remove(at: index) }
        return used
    }

    private mutating func removeAll(where isGone: (Answer) -> Bool) {
        var kept = 0
        for index in 0..<count where !isGone(answers[index]) {
            answers[kept] = answers[index]
            kept += 1
        }
        count = kept
    }

    private mutating func remove(at index: Int) {
        for next in index + 1..<max(count, index + 1) { answers[next - 1] = answers[next] }
        count -= 1
    }
}

/// Endpoints to be asked, distinct.
package struct ProbeTargets: Sendable {
    package static let most = 8

    package struct Target: Sendable {
        /// Among the candidates that the pool is about.
        package var place: UInt32
        /// Of the snapshot adopted last.
        package var record: UInt32
        package var cell: LoadCells.Index
        /// Whose pool it is, where the upstream's connections go to several zones.
        var zone: UInt32 = 0

        package init(place: UInt32, record: UInt32, cell: LoadCells.Index) {
            self.place = place
            self.record = record
            self.cell = cell
        }
    }

    private var targets = InlineArray<8, Target>(repeating: Target(place: 0, record: 0, cell: 0))
    package private(set) var count = 0

    package init() {}

    package subscript(index: Int) -> Target { targets[index] }

    func contains(place: Int) -> Bool {
        for index in 0..<count where targets[index].place == UInt32(place) { return true }
        return false
    }

    /// Makes all of them those of a zone.
    mutating func move(toZone zone: Int) {
        for index in 0..<count { targets[index].zone = UInt32(truncatingIfNeeded: zone) }
    }

    mutating func append(_ target: Target) {
        targets[count] = target
        count += 1
    }
}
