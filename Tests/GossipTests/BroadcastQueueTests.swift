import Gossip
import Testing
import Vocabulary

@Suite("Broadcast queue")
struct BroadcastQueueTests {
    struct Script: Decodable {
        struct Scenario: Decodable { let steps: [Step] }
        struct Step: Decodable {
            let op: String
            let name: String?
            let len: Int?
            let limit: Int?
            let overhead: Int?
            let sent: [String]?
            /// Null where nothing is left.
            let after: [Queued]?
        }
        struct Queued: Decodable, Equatable {
            let name: String
            let len: Int
            let transmits: Int
        }
        let scenario: Scenario
    }

    @Test("The reference's script leaves the reference's queue after every step")
    func script() throws {
        let steps = try VectorFile.load("broadcast-queue.json", as: Script.self).scenario.steps
        let directory = Directory()
        var queue = BroadcastQueue(directory: directory)
        func name(_ message: Message) -> String {
            guard case .suspect(let accusation) = message else { return "?" }
            return directory.name(of: accusation.node)
        }
        var (queued, drawn) = (0, 0)
        for (number, step) in steps.enumerated() {
            switch step.op {
            case "queue":
                let member = directory.intern(try #require(step.name))
                let message = Message.suspect(Accusation(node: member, incarnation: 1, from: member))
                queue.add(message, about: member, length: try #require(step.len))
                queued += 1
            case "get":
                var budget = try #require(step.limit)
                var messages: [Message] = []
                // 10 members, multiplier 2: 4 transmissions, as the file says.
                let limit = FleetSize(10).transmissions(multiplier: 2)
                queue.take(
                    budget: &budget, partOverhead: try #require(step.overhead), parts: 100, limit: limit,
                    into: &messages)
                let sent = (step.sent ?? []).map { $0.split(separator: ":").first.map(String.init) }
                #expect(messages.map(name) == sent, "step \(number)")
                drawn += 1
            default:
                Issue.record("a step of no known kind: \(step.op)")
            }
            var after: [Script.Queued] = []
            queue.forEach { after.append(Script.Queued(name: name($0), len: $2, transmits: $1)) }
            #expect(after == step.after ?? [], "step \(number)")
        }
        #expect((queued, drawn) == (5, 7), "every step of the file was taken")
    }

    @Test("Whatever is added, replaced, withdrawn and told, a plain search of all agrees", arguments: Seeds.sample)
    func againstModel(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var pair = QueuePair()
        func name() -> String { "member-\(random.below(40))" }
        for step in 0..<4_000 {
            switch random.below(20) {
            case 0..<8:
                // Few lengths, so that many are equal.
                let length = random.below(4) == 0 ? Int(random.below(90)) : 30 + Int(random.below(3))
                pair.add(about: name(), from: random.below(3) == 0 ? nil : name(), length: length)
            case 8, 9:
                pair.add(about: nil, from: nil, length: Int(random.below(60)))
            case 10:
                pair.remove(about: name())
            case 11:
                let asked = name()
                #expect(
                    pair.queue.contains(about: pair.directory.intern(asked))
                        == pair.model.entries.contains { $0.about == asked })
            case 12:
                pair.directory.sweep()
                #expect(pair.directory.count == pair.model.mentioned.count, "a name is held too long, or too short")
            default:
                let drawn = pair.take(
                    budget: Int(random.below(400)), partOverhead: Int(random.below(4)), parts: Int(random.below(12)),
                    limit: Int(random.below(8)))
                #expect(drawn.real == drawn.expected)
                #expect(drawn.left == drawn.leftExpected && drawn.left >= 0)
            }
            #expect(pair.queue.count == pair.model.entries.count)
            if step % 10 == 0 { #expect(pair.orders.real == pair.orders.expected) }
        }
        #expect(pair.orders.real == pair.orders.expected)
        // When all is told
        while !pair.queue.isEmpty { _ = pair.take(budget: 10_000, partOverhead: 2, parts: .max, limit: 3) }
        // Then nobody's name is kept
        pair.directory.sweep()
        #expect(pair.directory.count == 0)
    }

    @Test("Thousands are told in the same order, and their room and names go when all is told", arguments: Seeds.sample)
    func crowd(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var pair = QueuePair()
        for member in 0..<2_000 { pair.add(about: "m\(member)", from: nil, length: 30 + Int(random.below(40))) }
        for _ in 0..<30 {
            let drawn = pair.take(budget: 1_400, partOverhead: 2, parts: 255, limit: 3)
            #expect(drawn.real == drawn.expected)
        }
        let orders = pair.orders
        #expect(orders.real == orders.expected)
        pair.queue.removeAll()
        #expect(pair.queue.isEmpty)
        pair.directory.sweep()
        #expect(pair.directory.count == 0)
    }

    @Test("Each message is told exactly as often as the limit says", arguments: 1...9)
    func transmissions(limit: Int) {
        let directory = Directory()
        var queue = BroadcastQueue(directory: directory)
        for number in 0..<50 as Range<UInt32> {
            let member = directory.intern("m\(number)")
            queue.add(
                .dead(Accusation(node: member, incarnation: number, from: member)), about: member,
                length: 20 + Int(number) % 7)
        }
        var told: [UInt32: Int] = [:]
        while !queue.isEmpty {
            var budget = 100
            var messages: [Message] = []
            queue.take(budget: &budget, partOverhead: 2, parts: 255, limit: limit, into: &messages)
            #expect(!messages.isEmpty)
            for case .dead(let accusation) in messages { told[accusation.incarnation, default: 0] += 1 }
        }
        #expect(told.count == 50 && told.values.allSatisfy { $0 == limit })
    }

    @Test("A message larger than every budget waits, and lets the others pass")
    func oversized() {
        var queue = BroadcastQueue(directory: Directory())
        queue.add(.user([1]), about: nil, length: 100_000)
        queue.add(.user([2]), about: nil, length: 10)
        var budget = 70_000
        var messages: [Message] = []
        queue.take(budget: &budget, partOverhead: 0, parts: 255, limit: 1, into: &messages)
        #expect(messages.count == 1 && budget == 69_990)
        #expect(queue.count == 1)
    }

    @Test("What replaces the last message comes before what is added after it")
    func newestAfterReplacing() {
        // Given a queue whose only message is replaced
        let directory = Directory()
        var queue = BroadcastQueue(directory: directory)
        let (a, b) = (directory.intern("a"), directory.intern("b"))
        for member in [a, a, a, b] {
            queue.add(.suspect(Accusation(node: member, incarnation: 1, from: member)), about: member, length: 9)
        }
        // Then the other, newer one is told first
        var order: [MemberID] = []
        queue.forEach { message, _, _ in
            if case .suspect(let accusation) = message { order.append(accusation.node) }
        }
        #expect(order == [b, a])
    }

    @Test("Messages about nobody beyond the limit push out those told most often, and nothing about a member")
    func uniqueLimit() {
        // Given as many as there may be, a sixteenth of them told once, and a message about a member told as often
        let directory = Directory()
        var queue = BroadcastQueue(directory: directory)
        let member = directory.intern("m")
        queue.add(.suspect(Accusation(node: member, incarnation: 1, from: member)), about: member, length: 50)
        let dropped = BroadcastQueue.uniquesDropped
        for _ in 0..<dropped { queue.add(.user([1]), about: nil, length: 50) }
        var (budget, messages) = (Int.max, [Message]())
        queue.take(budget: &budget, partOverhead: 2, parts: dropped + 1, limit: 9, into: &messages)
        while queue.count < BroadcastQueue.uniqueLimit + 1 { queue.add(.user([0]), about: nil, length: 5) }
        // When there is one more
        queue.add(.user([0]), about: nil, length: 5)
        // Then those told once are gone
        #expect(queue.count == BroadcastQueue.uniqueLimit + 2 - dropped)
        #expect(queue.contains(about: member))
        var toldUniques = 0
        queue.forEach { message, transmissions, _ in
            if case .user = message, transmissions > 0 { toldUniques += 1 }
        }
        #expect(toldUniques == 0)
    }
}
