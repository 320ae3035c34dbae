import Gossip
import Testing
import Vocabulary

@Suite("Suspicion")
struct SuspicionTests {
    let start = Instant(nanoseconds: 5_000_000_000)

    private func suspicion(wanted: Int, minimum: Duration = .seconds(4), maximum: Duration = .seconds(24)) -> Suspicion
    {
        Suspicion(
            of: 7, accuser: "starter", evidence: .probe(indirectAsked: 3, nacksReceived: 2, streamTried: true),
            at: start, confirmationsWanted: wanted, minimum: minimum, maximum: maximum)
    }

    @Test("A suspicion that wants no confirmation lasts its minimum, and takes none")
    func none() {
        var suspicion = suspicion(wanted: 0)
        #expect(suspicion.deadline == start + .seconds(4))
        let taken = suspicion.confirm(by: "a", at: start)
        #expect(!taken)
        #expect(suspicion.deadline == start + .seconds(4))
        #expect(suspicion.confirmations == 0)
    }

    @Test("Only the first word of each confirmer counts, and the starter's never")
    func repeats() {
        var suspicion = suspicion(wanted: 3)
        let answers = ["starter", "a", "a", "starter", "b", "a"].map { suspicion.confirm(by: $0, at: start) }
        #expect(answers == [false, true, false, false, true, false])
        #expect(suspicion.accusations.map(\.name) == ["starter", "a", "b"])
    }

    @Test("Names that look alike but are other bytes are other confirmers")
    func lookalikes() {
        var suspicion = suspicion(wanted: 3)
        let composed = suspicion.confirm(by: "caf\u{E9}", at: start)
        let decomposed = suspicion.confirm(by: "cafe\u{301}", at: start)
        #expect(composed && decomposed)
    }

    @Test("No more are kept than were wanted, and each with its time and evidence")
    func provenance() {
        var suspicion = suspicion(wanted: 2)
        let peer = PeerAddress(.loopback as SocketAddress.IPv4, port: 7946)
        for (second, name) in ["a", "b", "c", "d"].enumerated() {
            let evidence: Evidence = second == 0 ? .pushPull(via: peer) : .gossip
            let taken = suspicion.confirm(by: name, evidence: evidence, at: start + .seconds(second + 1))
            #expect(taken == (second < 2))
        }
        let accusations = suspicion.accusations
        #expect(accusations.map(\.name) == ["starter", "a", "b"])
        #expect(accusations.map { $0.time - start } == [.zero, .seconds(1), .seconds(2)])
        #expect(
            accusations.map(\.evidence) == [
                .probe(indirectAsked: 3, nacksReceived: 2, streamTried: true), .pushPull(via: peer), .gossip,
            ])
        #expect(suspicion.incarnation == 7)
    }

    @Test("A stall of our own moves the deadline, then and for later confirmations, but no time that was told")
    func postponed() {
        var suspicion = suspicion(wanted: 1)
        suspicion.postpone(by: .seconds(10))
        #expect(suspicion.deadline == start + .seconds(34))
        let taken = suspicion.confirm(by: "a", at: start + .seconds(11))
        #expect(taken)
        #expect(suspicion.deadline == start + .seconds(14))
        #expect(suspicion.accusations[0].time == start)
    }

    @Test("A minimum that is no whole millisecond is kept to the nanosecond")
    func fineMinimum() {
        var suspicion = suspicion(wanted: 1, minimum: .nanoseconds(1_234_567), maximum: .nanoseconds(7_654_321))
        #expect(suspicion.deadline - start == .nanoseconds(7_654_321))
        let taken = suspicion.confirm(by: "a", at: start)
        #expect(taken)
        #expect(suspicion.deadline - start == .nanoseconds(1_234_567))
    }

    @Test(
        "Confirmations never prolong a suspicion, nor shorten it below its minimum, and who gives them is all one",
        arguments: Seeds.sample)
    func monotone(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            let wanted = Int(random.below(9))
            let minimum = Duration.nanoseconds(Int64(random.below(.max)) * 3)
            let maximum = minimum + .nanoseconds(Int64(random.below(.max)) * Int64(random.below(20)))
            var suspicion = suspicion(wanted: wanted, minimum: minimum, maximum: maximum)
            var shuffled = suspicion
            let names = (0..<wanted).map { "c\($0)" }
            for (name, other) in zip(names, names.shuffled(using: &random)) {
                let before = suspicion.deadline
                let (taken, otherTaken) = (
                    suspicion.confirm(by: name, at: start), shuffled.confirm(by: other, at: start)
                )
                #expect(taken && otherTaken)
                #expect(suspicion.deadline <= before)
                #expect(suspicion.deadline >= start + minimum)
                #expect(suspicion.deadline == shuffled.deadline)
            }
            // The last one brings it to the minimum, but for the milliseconds' rounding.
            #expect(suspicion.deadline - start - minimum <= .milliseconds(1))
            let oneMore = suspicion.confirm(by: "one more", at: start)
            #expect(!oneMore)
        }
    }
}
