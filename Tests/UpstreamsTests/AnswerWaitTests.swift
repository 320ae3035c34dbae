import Testing
import Upstreams

@Suite("Whether a connection waits for an answer")
struct AnswerWaitTests {
    typealias Event = AnswerWait.Event

    /// Every sequence of `length` events.
    static func sequences(of length: Int) -> [[Event]] {
        guard length > 0 else { return [[]] }
        return sequences(of: length - 1).flatMap { start in Event.allCases.map { start + [$0] } }
    }

    /// CONTRACT.md's words, read off the whole history instead of kept as a state.
    static func waits(after history: [Event]) -> Bool {
        // Silence counts only once established, and any byte ends it.
        var established = false
        var silent = false
        for event in history {
            switch event {
            case .established: established = true
            case .endpointBytes: (established, silent) = (true, false)
            case .clientBytes: silent = false
            case .silence: silent = established
            }
        }
        if silent { return false }
        guard let lastAnswer = history.lastIndex(of: .endpointBytes) else { return true }
        return history[lastAnswer...].contains(.clientBytes)
    }

    @Test("It waits exactly when the contract says so, after every sequence of up to 7 events")
    func allSequences() {
        for length in 0...7 {
            for sequence in Self.sequences(of: length) {
                var wait = AnswerWait()
                for event in sequence { _ = wait.observe(event) }
                #expect(wait.isWaiting == Self.waits(after: sequence), "after \(sequence)")
            }
        }
    }

    @Test("The changes add up to whether it waits, and never leave 0...1")
    func changesAddUp() {
        for sequence in Self.sequences(of: 6) {
            var wait = AnswerWait()
            var outstanding = 1
            for event in sequence {
                outstanding += Int(wait.observe(event).rawValue)
                #expect(outstanding == (wait.isWaiting ? 1 : 0), "in \(sequence)")
            }
        }
    }

    @Test("A keep-alive connection rests between an answer and the next question")
    func keepAlive() {
        var wait = AnswerWait()
        #expect(wait.observe(.established) == .none)
        #expect(wait.observe(.clientBytes) == .none)
        #expect(wait.observe(.endpointBytes) == .stops)
        #expect(wait.observe(.silence) == .none)
        #expect(wait.observe(.clientBytes) == .starts)
    }

    @Test("Silence does not end the wait for a connect")
    func connecting() {
        var wait = AnswerWait()
        #expect(wait.observe(.silence) == .none)
        #expect(wait.isWaiting)
        #expect(wait.observe(.established) == .none)
        #expect(wait.observe(.silence) == .stops)
    }

    @Test("In pass-through it counts for as long as it is open, and rests all the same once it is answered")
    func passThrough() {
        for sequence in Self.sequences(of: 5) {
            var (wait, usual) = (AnswerWait(isPassThrough: true), AnswerWait())
            for event in sequence {
                #expect(wait.observe(event) == .none, "in \(sequence)")
                _ = usual.observe(event)
                #expect(wait.isWaiting)
                #expect(wait.isResting == !usual.isWaiting, "in \(sequence)")
            }
        }
    }

    @Test("It takes two bytes of a connection's state")
    func size() {
        #expect(MemoryLayout<AnswerWait>.size == 2)
    }
}
