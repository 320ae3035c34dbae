// What a misfortune has cost: every request that failed, and why it did.
//
//     failed ──► its instance wrote it down, or it was under way when its place died ──► in flight
//            ──► nobody wrote it down, and it began before the door was closed       ──► accepted by the dead one's sidecar
//            ──► nobody wrote it down, and its place stood still or was cut off      ──► in flight
//            ──► anything else                                                       ──► other
//
// Requests are traced by number through the instances' journals, not by what is likely: a request that an instance that
// is well has written down and that failed all the same counts as `other`, whenever it began.

import Vocabulary

struct TrafficFindings: Equatable {
    /// Who takes requests and answers none.
    enum Deafness {
        /// A sidecar whose instance is gone.
        case sidecar
        /// A node that stands still; the kernel takes connections for it.
        case node
        /// A node that is cut off, on connections that were there before.
        case connections
    }

    /// What a scenario has done to one node, and when.
    struct Misfortune {
        /// Nodes whose requests may be lost.
        var victims: Set<String> = []
        /// When it was done: before this no request was in danger, and what had begun before it was done was under way.
        var began: Instant
        var done: Instant
        /// Who took requests of those that nobody answered, and until when that was over.
        var deafness: (kind: Deafness, until: Instant)?
        /// When it was undone.
        var undone: Instant?
    }

    let sent: Int
    private(set) var answered = 0
    private(set) var inFlight = 0
    /// Of those the ones that began after the misfortune, on a connection to somebody who does not hear.
    private(set) var unheard = 0
    private(set) var accepted = 0
    private(set) var other = 0
    /// From the misfortune to the beginning of the last request that went to a victim before it was undone; nil: none did.
    private(set) var goneAfter: Duration?
    /// From its undoing to the first request that began later and that a victim answered, of the last of them.
    private(set) var backAfter: Duration?
    /// Of those that were answered.
    private(set) var slowest = Duration.zero
    /// Some of those that count as other, in words.
    private(set) var examples: [String] = []

    /// - Parameter journals: by node, the requests that came to its instance.
    init(_ records: [RequestRecord], journals: [String: Set<Int>], of misfortune: Misfortune) {
        sent = records.count
        var lastThere: Instant?
        var firstBack: [String: Instant] = [:]
        for record in records {
            let node: String?
            switch record.outcome {
            case .answered(let by):
                answered += 1
                slowest = max(slowest, record.latency)
                node = by
                if let undone = misfortune.undone, misfortune.victims.contains(by), record.begun >= undone {
                    firstBack[by] = min(firstBack[by] ?? record.ended, record.ended)
                }
            case .failed(let why):
                node = lose(record, why, journals: journals, misfortune)
            }
            if let node, misfortune.victims.contains(node), record.begun >= misfortune.began,
                record.begun < misfortune.undone ?? Instant(nanoseconds: .max)
            {
                lastThere = max(lastThere ?? record.begun, record.begun)
            }
        }
        goneAfter = lastThere.map { $0 - misfortune.began }
        if let undone = misfortune.undone, firstBack.count == misfortune.victims.count {
            backAfter = firstBack.values.max().map { $0 - undone }
        }
    }

    /// - Returns: the node that the request is put down to.
    private mutating func lose(
        _ record: RequestRecord, _ why: String, journals: [String: Set<Int>], _ misfortune: Misfortune
    ) -> String? {
        let node = journals.keys.sorted().first { journals[$0]?.contains(record.id) ?? false }
        let isEndangered = record.ended >= misfortune.began
        if isEndangered, let node, misfortune.victims.contains(node) {
            inFlight += 1
            return node
        }
        if isEndangered, node == nil, let victim = misfortune.victims.first {
            if record.begun <= misfortune.done {
                inFlight += 1
                return victim
            }
            if let (kind, until) = misfortune.deafness, record.begun <= until {
                switch kind {
                case .sidecar:
                    accepted += 1
                    return victim
                case .connections where !record.isOnKeptConnection: break
                case .node, .connections:
                    inFlight += 1
                    unheard += 1
                    return victim
                }
            }
        }
        other += 1
        if examples.count < 5 {
            let when = (record.begun - misfortune.began).seconds(3)
            examples.append(
                "request \(record.id) for s\(record.service)\(record.isOnKeptConnection ? " on a kept connection" : "") "
                    + "began \(when) s after, failed after \(record.latency.seconds(3)) s: \(why); "
                    + "instance: \(node ?? "none")")
        }
        return node
    }
}
