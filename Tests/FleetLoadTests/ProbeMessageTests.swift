import GossipWire
import Testing
import Upstreams
import Vocabulary

@testable import FleetLoad

@Suite("Probe messages")
struct ProbeMessageTests {
    private func array(_ message: ProbeMessage) -> [UInt8] {
        let bytes = message.bytes
        return bytes.indices.map { bytes[$0] }
    }

    @Test("A question and an answer are these bytes, of one length")
    func bytes() {
        let service = ServiceDigest(bits: 0x0102_0304_0506_0708)
        let question = ProbeMessage(nonce: 0xA1A2_A3A4_A5A6_A7A8, service: service)
        let head: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8]
        let code = [UInt8](repeating: 0, count: 16)
        #expect(array(question) == [1, 1, 0, 0] + head + [0, 0, 0, 0, 0, 0, 0, 0] + code)
        var answer = question
        answer.kind = .answer(
            ServiceLoad(outstanding: 0x0102, connections: 0x01_0304, latency: CoarseLatency(code: 9)))
        #expect(array(answer) == [1, 2, 9, 0] + head + [0, 0, 1, 2, 0, 1, 3, 4] + code)
    }

    @Test("What was written is read", arguments: Seeds.sample)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            var message = ProbeMessage(nonce: random.next(), service: ServiceDigest(bits: random.next()))
            if random.below(2) == 0 {
                message.kind = .answer(
                    ServiceLoad(
                        outstanding: random.below(.max), connections: random.below(.max),
                        latency: CoarseLatency(code: UInt8(truncatingIfNeeded: random.next()))))
            }
            let read = try ProbeMessage(reading: array(message).span)
            #expect(read == message)
        }
    }

    @Test("Another length, version, kind or a bit without meaning is refused")
    func refusals() {
        let good = array(ProbeMessage(nonce: 1, service: ServiceDigest(of: "a")))
        func fault(_ change: (inout [UInt8]) -> Void) -> ProbeMessage.Fault? {
            var bytes = good
            change(&bytes)
            do throws(ProbeMessage.Fault) { _ = try ProbeMessage(reading: bytes.span) } catch { return error }
            return nil
        }
        #expect(fault { _ in } == nil)
        for length in 0..<44 { #expect(fault { $0.removeLast(44 - length) } == .length(length)) }
        #expect(fault { $0.append(0) } == .length(45))
        #expect(fault { $0[0] = 2 } == .version(2))
        #expect(fault { $0[1] = 3 } == .kind(3))
        #expect(fault { $0[3] = 1 } == .excess)
        // A question says no numbers.
        #expect(fault { $0[2] = 1 } == .excess)
        #expect(fault { $0[23] = 1 } == .excess)
        #expect(fault { $0[27] = 1 } == .excess)
        // An answer says none that no service has.
        #expect(
            fault {
                $0[1] = 2; $0[20] = 1
            } == .excess)
        #expect(
            fault {
                $0[1] = 2; $0[24] = 1
            } == .excess)
    }

    @Test("Whatever comes is read or refused, and what is read would be written the same", arguments: Seeds.sample)
    func anything(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<5000 {
            var bytes = (0..<44).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if random.below(2) == 0 { bytes.replaceSubrange(0..<4, with: [1, UInt8(random.below(4)), 0, 0]) }
            if random.below(2) == 0 { bytes[20] = 0; bytes[24] = 0 }
            if let message = try? ProbeMessage(reading: bytes.span) {
                #expect(array(message).prefix(28) == bytes.prefix(28))
            }
        }
    }
}

@Suite("Probe budget")
struct ProbeBudgetTests {
    private func moment(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("A worker's share is a part of the node's, and a pause is made up for by a tenth of a second")
    func share() {
        var budget = ProbeBudget(perSecond: 1000, share: 2)
        #expect(budget.allows(200, at: moment(5000)) == 50)
        budget.spend(50, at: moment(5000))
        #expect(budget.allows(3, at: moment(5000)) == 0)
        #expect(budget.allows(3, at: moment(5002)) == 1)
        #expect(budget.allows(3, at: moment(5006)) == 3)
        #expect(budget.allows(1000, at: moment(60_000)) == 50)
    }

    @Test("No stretch of time has more than its rate and one burst", arguments: Seeds.sample)
    func rate(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var budget = ProbeBudget(perSecond: 1000, share: 4)
        var sent: [(at: Int64, count: Int)] = []
        var now: Int64 = 1000
        for _ in 0..<2000 {
            now += Int64(random.below(random.below(20) == 0 ? 500 : 4))
            let count = budget.allows(Int(random.below(9)), at: moment(now))
            budget.spend(count, at: moment(now))
            sent.append((now, count))
        }
        for first in stride(from: 0, to: sent.count, by: 40) {
            var sum = 0
            for later in sent[first...] {
                sum += later.count
                #expect(Double(sum) <= 25 + 0.25 * Double(later.at - sent[first].at) + 1)
            }
        }
        #expect(sent.reduce(0) { $0 + $1.count } > 100)
    }
}
