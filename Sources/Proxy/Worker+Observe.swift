// What a worker has seen of an endpoint: how it speaks of failures, and how many there were in a row.
//
// Failures are told one by one, answers only where failures came before: an endpoint that is well costs a counter for
// each connection and no notice. A streak is one worker's; another worker's answers neither end nor hide it.

import Glibc
import Reactor
import TLS
package import Upstreams
import Vocabulary

/// One worker's memory of how an endpoint has failed. Plain memory; all zeroes is no failure.
struct FailureStreak {
    /// Of the cell's endpoint, so that the next one is not blamed for the last.
    var tenancy: UInt64 = 0
    /// Time-outs and resets since the last answer.
    var softFailures: UInt32 = 0
    /// Some failure, hard or soft, was told since the last answer.
    var hasFailed = false
}

extension Worker {
    /// Takes note of a connect that failed.
    mutating func observeFailure(_ error: SystemError, _ index: UInt32) {
        let kind = Observation.Kind(ofConnect: error)
        tell(.connectFailed, about: index, error, streak: lengthen(connections[index].cell, by: kind))
    }

    /// Takes note of an established connection's half that has failed: before its first byte that speaks against the
    /// endpoint.
    ///
    /// Not after the endpoint's end: it had nothing to say, and said so.
    mutating func observeFailure(of half: Slot) {
        let index = half.index
        guard half.isServer, connections[index].stage == .established, !connections[index].isAnswered,
            !lanes[half].flow.hasEnded
        else { return }
        let streak = lengthen(connections[index].cell, by: .reset)
        if lanes[half].flow.isSealed, let fault = secured[half]?.fault, case .alert = fault {
            // In TLS 1.3 an endpoint judges our certificate when the handshake is over for us.
            tell(fault, about: index, streak: streak)
        } else {
            tell(.endpointReset, about: index, streak: streak)
        }
    }

    /// Takes note of an endpoint that has accepted, and with which no TLS came about.
    /// - Parameter fault: nil where it took too long.
    mutating func observeHandshake(_ fault: PipeFault?, _ index: UInt32) {
        record(fault, index)
        count(.failuresTotal, cell: connections[index].cell)
        tell(fault, about: index, streak: lengthen(connections[index].cell, by: fault == nil ? .timedOut : .reset))
    }

    private mutating func tell(_ fault: PipeFault?, about index: UInt32, streak: UInt32) {
        let connection = connections[index]
        desk.tell(
            Notice(
                kind: .handshakeFailed, listener: connection.listener, upstream: connection.upstream,
                cell: connection.cell, detail: 0, streak: streak, tenancy: board.tenancy(of: connection.cell),
                fault: fault))
    }

    /// - Returns: the streak, this failure included.
    private mutating func lengthen(_ cell: LoadCells.Index, by kind: Observation.Kind?) -> UInt32 {
        let tenancy = board.tenancy(of: cell)
        if streaks[cell].tenancy != tenancy { streaks[cell] = FailureStreak(tenancy: tenancy) }
        switch kind {
        case nil, .answered: break
        case .refused, .unreachable: streaks[cell].hasFailed = true
        case .timedOut, .reset:
            streaks[cell].hasFailed = true
            streaks[cell].softFailures &+= 1
            count(.softFailuresTotal, cell: cell)
        }
        return streaks[cell].softFailures
    }

    /// A connection's first byte from its endpoint.
    mutating func observeAnswer(_ index: UInt32) {
        let cell = connections[index].cell
        count(.answeredTotal, cell: cell)
        let (row, waited) = (Int(connections[index].upstream), now - connections[index].asked)
        recordAnswer(index, after: waited)
        desk.firstByteTimes.record(waited, row: row)
        desk.upstreams.add(1, row: row, column: UpstreamColumn.answersTotal.rawValue)
        desk.upstreams.add(
            UInt64(max(0, waited.wholeNanoseconds)), row: row, column: UpstreamColumn.answerNanosecondsTotal.rawValue)
        guard streaks[cell].hasFailed else { return }
        streaks[cell].hasFailed = false
        streaks[cell].softFailures = 0
        tell(.endpointAnswered, about: index)
    }
}

// MARK: - Words for it

extension Notice {
    /// What the notice says for or against an endpoint; nil where it says nothing of one.
    package var observation: Observation? {
        switch kind {
        case .connectFailed:
            Observation.Kind(ofConnect: SystemError(code: detail)).map {
                Observation(cell: cell, kind: $0, streak: Int(streak))
            }
        case .handshakeFailed where fault == nil: Observation(cell: cell, kind: .timedOut, streak: Int(streak))
        case .endpointReset, .handshakeFailed: Observation(cell: cell, kind: .reset, streak: Int(streak))
        case .endpointAnswered: Observation(cell: cell, kind: .answered, streak: 0)
        case .instanceRefused, .listenFailed, .noEndpoint, .listenerFull, .badPreface, .handshakeRefused,
            .heldBytesExhausted, .acceptPaused, .acceptResumed:
            nil
        }
    }
}

extension Observation.Kind {
    /// What a failed connect says of the endpoint; nil where the fault is this machine's.
    init?(ofConnect error: SystemError) {
        switch error.code {
        case ECONNREFUSED, ENOENT: self = .refused
        case ETIMEDOUT: self = .timedOut
        // Found by the first write: accepted, and reset at once.
        case ECONNRESET, EPIPE: self = .reset
        // No local port is left to connect from.
        case EADDRNOTAVAIL: return nil
        default: self = .unreachable
        }
    }

    /// The endpoint is not there, and the next connect would find the same.
    var isHard: Bool {
        switch self {
        case .refused, .unreachable: true
        case .timedOut, .reset, .answered: false
        }
    }
}
