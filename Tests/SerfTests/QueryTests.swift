import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Queries")
struct QueryTests {
    private func query(
        _ name: String = "uptime", time: UInt64 = 4, id: UInt32 = 7, filters: [SerfFilter] = [],
        flags: SerfQuery.Flags = [], relayFactor: UInt8 = 0, timeout: Duration = .seconds(15), payload: [UInt8] = []
    ) -> SerfQuery {
        SerfQuery(
            time: LamportTime(time), id: id, source: Lab.address(of: "a"), sourceNode: "a",
            filters: filters.map { filter in
                var bytes: [UInt8] = []
                filter.append(to: &bytes)
                return bytes
            }, flags: flags, relayFactor: relayFactor, timeout: timeout, name: name, payload: payload)
    }

    private func response(_ bytes: [UInt8]?) throws -> SerfResponse {
        guard case .response(let response) = try SerfMessage(try #require(bytes)) else { throw Lab.NoAnswer() }
        return response
    }

    @Test("A query reaches our user once and is told on byte for byte, whoever it is for")
    func once() throws {
        var lab = try Lab(others: ["a"])
        let ours = query()
        let others = query(time: 5, filters: [.nodes(["b"])])
        for query in [ours, others, ours, others] { lab.hear(.query(query)) }
        #expect(lab.effects.queries.map(\.ticket.time.value) == [4])
        #expect(Set(lab.told()) == [SerfMessage.query(ours).bytes, SerfMessage.query(others).bytes])
        #expect(lab.agent.queryTime.value == 6)
        // Another one of the same time is another one.
        lab.hear(.query(query(id: 8)))
        #expect(lab.take().queries.map(\.ticket.id) == [8])
    }

    @Test("A query that is not to be told on is not")
    func staysHere() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(.query(query(flags: .staysHere)))
        #expect(lab.effects.queries.count == 1)
        #expect(lab.told() == [])
    }

    @Test("Older than 512 times is too old")
    func tooOld() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(.query(query(time: 1000)))
        lab.hear(.query(query(time: 487)))
        #expect(lab.take().ignored == [.tooOld])
        lab.hear(.query(query(time: .max)))
        #expect(lab.take().ignored == [.endOfTime])
        #expect(lab.agent.queryTime.value == 1001)
    }

    @Test(
        "A query is for us if all of its filters match",
        arguments: [
            ([.nodes(["a", "self"])], true), ([.nodes(["a", "b"])], false), ([.nodes([])], false),
            ([.tag("role", expression: "^we")], true), ([.tag("role", expression: "^eb")], false),
            ([.tag("none", expression: "x")], false), ([.tag("none", expression: "^$")], true),
            ([.nodes(["self"]), .tag("role", expression: "eb$"), .tag("dc", expression: "eu")], true),
            ([.nodes(["self"]), .tag("role", expression: "eb$"), .tag("dc", expression: "us")], false),
        ] as [([SerfFilter], Bool)])
    func filters(filters: [SerfFilter], isForUs: Bool) throws {
        var lab = try Lab(others: ["a"], tags: ["role": "web", "dc": "eu-1"])
        lab.hear(.query(query(filters: filters, flags: .wantsAck)))
        #expect(lab.effects.queries.isEmpty == !isForUs)
        #expect(lab.effects.sentAlone.isEmpty == !isForUs)
        #expect(lab.told().contains { $0[0] == 4 })
    }

    @Test("A filter follows a change of our tags")
    func changedTags() throws {
        var lab = try Lab(others: ["a"], tags: ["role": "web"])
        try lab.agent.update(tags: Lab.tags(["role": "db"]), at: lab.now, into: &lab.effects)
        lab.hear(.query(query(filters: [.tag("role", expression: "db")])))
        #expect(lab.effects.queries.count == 1)
    }

    @Test("A filter that is not understood matches nobody, and the query is told on all the same")
    func badFilters() throws {
        var lab = try Lab(others: ["a"], tags: ["role": "web"])
        for (id, filters) in [[[9, 0x90]], [[]], [[1, 0xC3]], [[0]], [[UInt8]](repeating: [0, 0x90], count: 17)]
            .enumerated()
        {
            var query = query(id: UInt32(id))
            query.filters = filters
            lab.hear(.query(query))
        }
        lab.hear(.query(query(id: 99, filters: [.tag("role", expression: "(web")])))
        #expect(lab.effects.ignored == [IgnoredReason](repeating: .filterNotUnderstood, count: 6))
        #expect(lab.effects.queries.isEmpty)
        #expect(lab.told().count == 6)
    }

    @Test("An ack is sent at once, straight to who asked, and not by gossip")
    func ack() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.hear(.query(query("_serf_ping", flags: .wantsAck)), from: "b")
        let sent = lab.effects.sentAlone
        #expect(sent.map(\.to) == [Lab.address(of: "a")])
        #expect(
            try response(sent.first?.bytes)
                == SerfResponse(time: LamportTime(4), id: 7, from: "self", isAck: true))
        #expect(lab.effects.queries.isEmpty)
        lab.run(for: .seconds(10))
        #expect(lab.take().serfMessages.filter { $0[0] == 5 }.count == 1)
    }

    @Test("An answer is sent before the deadline, within 1024 bytes, or refused")
    func answer() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(.query(query(timeout: .seconds(2))))
        let ticket = try #require(lab.take().queries.first?.ticket)
        try lab.agent.answer(ticket, with: [1, 2], at: lab.now, into: &lab.effects)
        let sent = lab.take().sentAlone
        #expect(sent.map(\.to) == [Lab.address(of: "a")])
        #expect(
            try response(sent.first?.bytes)
                == SerfResponse(time: LamportTime(4), id: 7, from: "self", isAck: false, payload: [1, 2]))
        // The type, the map, keys and values, and the payload's header of three bytes are 41.
        let longest = [UInt8](repeating: 0, count: 1024 - 41)
        try lab.agent.answer(ticket, with: longest, at: lab.now, into: &lab.effects)
        #expect(lab.take().sentAlone.map(\.bytes.count) == [1024])
        #expect(throws: AgentRefusal.answerTooLong(1025)) {
            try lab.agent.answer(ticket, with: longest + [0], at: lab.now, into: &lab.effects)
        }
        #expect(throws: AgentRefusal.tooLate) {
            try lab.agent.answer(ticket, with: [], at: lab.now + .seconds(2), into: &lab.effects)
        }
        #expect(lab.effects.gossip.isEmpty)
    }

    // MARK: Relays

    @Test(
        "An answer goes through others too, as many as are asked for, each once",
        arguments: Array(0..<6 as Range<UInt8>))
    func relayed(factor: UInt8) throws {
        var lab = try Lab(others: ["a", "b", "c", "d"])
        lab.hear(.query(query("_serf_ping", flags: .wantsAck, relayFactor: factor)))
        let sent = lab.effects.sentAlone
        let direct = try #require(sent.first { $0.bytes[0] == 5 })
        #expect(direct.to == Lab.address(of: "a"))
        let relays = sent.filter { $0.bytes[0] == 9 }
        // Five are listed: more than four others there are not, and none where more would be needed.
        #expect(relays.count == (factor > 4 ? 0 : Int(factor)))
        #expect(Set(relays.map(\.to)).count == relays.count)
        #expect(!relays.contains { $0.to == Lab.address(of: "self") })
        for relay in relays {
            let expected = SerfRelay(destination: direct.to, destinationName: "a", message: direct.bytes)
            #expect(try SerfMessage(relay.bytes) == .relay(expected))
        }
    }

    @Test("Only members that are alive and know relays are relays", arguments: seeds)
    func relayChoice(seed: UInt64) throws {
        var lab = try Lab(others: ["a", "dead", "leaving", "good"], seed: seed)
        var old = MemberVersions.serf
        old.protocolMaximum = 4
        lab.hear(alive: "old", record: Lab.record("old", versions: old))
        lab.hear(dead: "dead")
        lab.hear(leave: "leaving", 4)
        _ = lab.told()
        lab.hear(.query(query("_serf_ping", flags: .wantsAck, relayFactor: 4)))
        let relays = lab.effects.sentAlone.filter { $0.bytes[0] == 9 }
        #expect(Set(relays.map(\.to)) == Set(["a", "good"].map(Lab.address(of:))))
    }

    @Test("A factor of 255 makes sixteen datagrams")
    func relayBound() throws {
        var lab = try Lab(others: (0..<300).map { "n\($0)" })
        lab.hear(.query(query("_serf_ping", flags: .wantsAck, relayFactor: 255)))
        #expect(lab.effects.sentAlone.count == 1 + 16)
    }

    @Test("An answer that we are asked to relay goes on byte for byte, to members only")
    func relay() throws {
        var lab = try Lab(others: ["a", "b", "dead"])
        lab.hear(dead: "dead")
        _ = lab.take()
        let answer = SerfMessage.response(
            SerfResponse(time: LamportTime(1), id: 2, from: "b", isAck: true)
        ).bytes
        func relay(_ name: String, at place: String, _ message: [UInt8]) -> SerfMessage {
            .relay(SerfRelay(destination: Lab.address(of: place), destinationName: name, message: message))
        }
        lab.hear(relay("a", at: "a", answer))
        lab.hear(relay("", at: "b", answer))
        #expect(lab.effects.sentAlone.map(\.to) == ["a", "b"].map(Lab.address(of:)))
        #expect(lab.take().sentAlone.map(\.bytes) == [answer, answer])
        let join = SerfMessage.join(SerfJoin(time: LamportTime(9), node: "b")).bytes
        for refused in [
            relay("a", at: "b", answer), relay("", at: "stranger", answer), relay("stranger", at: "stranger", answer),
            relay("dead", at: "dead", answer), relay("a", at: "a", join),
            relay("a", at: "a", relay("b", at: "b", answer).bytes),
        ] {
            lab.hear(refused)
        }
        lab.hear(relay("a", at: "a", [5, 0xC1]))
        #expect(lab.effects.gossip.datagrams.isEmpty)
        #expect(lab.effects.ignored == [IgnoredReason](repeating: .relayRefused, count: 6))
        #expect(lab.effects.refused.count == 1)
        #expect(lab.told() == [])
    }

    // MARK: Serf's own

    @Test("Who bears a name is told, or that nobody does; of our own name nothing")
    func conflict() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.hear(leave: "b", 3)
        _ = lab.told()
        func ask(_ name: String, id: UInt32) throws -> SerfMessage? {
            lab.hear(.query(query("_serf_conflict", id: id, payload: Array(name.utf8))))
            let sent = lab.take().sentAlone
            guard let first = sent.first else { return nil }
            return try SerfMessage(response(first.bytes).payload)
        }
        let known = SerfMember(
            name: "b", address: Lab.address(of: "b"), tags: SerfTags(), status: .leaving, versions: .serf)
        #expect(try ask("b", id: 1) == .conflict(known))
        #expect(try ask("nobody", id: 2) == .conflict(nil))
        #expect(try ask("self", id: 3) == nil)
    }

    @Test("Key queries become commands, and their outcome the answer, without an ack")
    func keys() throws {
        var lab = try Lab(others: ["a"])
        let key = [UInt8](repeating: 7, count: 16)
        let request = SerfMessage.keyRequest(key).bytes
        for (id, name) in ["install-key", "use-key", "remove-key", "list-keys"].enumerated() {
            lab.hear(.query(query("_serf_" + name, id: UInt32(id), payload: name == "list-keys" ? [] : request)))
        }
        let commands = lab.effects.commands
        #expect(commands.map(\.command) == [.install(key), .use(key), .remove(key), .list])
        // No log shows a key.
        #expect(commands.map { "\($0.command)" }.contains("use a key of 16 bytes"))
        #expect(!"\(commands[0])".contains("7, 7"))
        #expect(lab.effects.queries.isEmpty)
        #expect(lab.take().sentAlone.isEmpty)
        let outcome = SerfKeyResponse(succeeded: false, message: "the key that seals cannot be removed")
        try lab.agent.answer(commands[2].ticket, keys: outcome, at: lab.now, into: &lab.effects)
        let answer = try response(lab.take().sentAlone.first?.bytes)
        #expect(answer.id == 2 && !answer.isAck)
        #expect(try SerfMessage(answer.payload) == .keyResponse(outcome))
        // Eight keys of 32 bytes, as many as a keyring holds, fit.
        let base64 = String(repeating: "A", count: 44)
        let full = SerfKeyResponse(
            succeeded: true, keys: [String](repeating: base64, count: 8), primaryKey: base64)
        try lab.agent.answer(commands[3].ticket, keys: full, at: lab.now, into: &lab.effects)
        #expect(lab.effects.sentAlone.count == 1)
    }

    @Test("A key query without a key is answered with a failure")
    func malformedKeyQuery() throws {
        var lab = try Lab(others: ["a"])
        for (id, payload) in [[], [7], [8, 0x80], [7, 0xC3]].enumerated() as EnumeratedSequence<[[UInt8]]> {
            lab.hear(.query(query("_serf_use-key", id: UInt32(id), payload: payload)))
            let answer = try response(lab.take().sentAlone.first?.bytes)
            guard case .keyResponse(let outcome) = try SerfMessage(answer.payload) else { throw Lab.NoAnswer() }
            #expect(!outcome.succeeded && !outcome.message.isEmpty)
        }
    }

    @Test("What Serf may ask one day is not our user's business")
    func unknownInternal() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(.query(query("_serf_newest")))
        #expect(lab.effects.events.isEmpty && lab.effects.sentAlone.isEmpty)
        #expect(lab.told().count == 1)
    }

    @Test("An answer to what we did not ask is ignored")
    func notAsked() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(.response(SerfResponse(time: LamportTime(1), id: 2, from: "b", isAck: true)))
        #expect(lab.take().ignored == [.notAsked])
        #expect(lab.told() == [])
    }
}
