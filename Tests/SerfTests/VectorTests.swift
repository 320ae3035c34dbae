import Foundation
import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

/// What a real agent wrote, against what this one says in the same situation, and does when it hears it.
@Suite("The reference's bytes")
struct VectorTests {
    private struct File: Decodable {
        struct Vector: Decodable { let id, hex: String }
        let vectors: [Vector]
    }

    static let bytes: [String: [UInt8]] = {
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/serf.json")
            .standardized
        do {
            let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: url))
            return Dictionary(
                uniqueKeysWithValues: file.vectors.map { vector in
                    let digits = Array(vector.hex.utf8)
                    let bytes = stride(from: 0, to: digits.count, by: 2).map { place in
                        UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) ?? 0
                    }
                    return (vector.id, bytes)
                })
        } catch {
            fatalError("serf.json: \(error)")
        }
    }()

    private func vector(_ id: String) throws -> [UInt8] { try #require(Self.bytes[id]) }

    /// The codec's alone, which `GossipWireTests` hold: what they say is read, and nothing follows from it here.
    static let codecOnly: Set = [
        "tags-nil", "tags-many", "tags-16", "tags-long-value", "role-only-v2", "role-empty-meta", "join-u64",
        "user-event-nil-payload",
    ]
    static let used: Set = [
        "tags-empty", "tags-one", "leave", "leave-prune", "join", "user-event", "query-reachability", "query-filters",
        "query-ack", "query-response", "relay", "pp-minimal", "pp-full", "pp-agent-512-nils", "ack-coordinate-initial",
        "ack-coordinate", "conflict-response", "key-response", "key-request",
    ]

    @Test("Every vector is used here, or the codec's alone")
    func nothingSkipped() {
        #expect(Set(Self.bytes.keys).subtracting(Self.codecOnly) == Self.used)
        #expect(Self.bytes.count == 27)
    }

    @Test("Our meta says our tags")
    func tags() throws {
        let bare = try Lab()
        #expect(bare.agent.view(of: bare.agent.id)?.record.meta == (try vector("tags-empty")))
        let web = try Lab(tags: ["role": "web"])
        #expect(web.agent.view(of: web.agent.id)?.record.meta == (try vector("tags-one")))
        #expect(web.agent.view(of: web.agent.id)?.record.versions.bytes == [1, 5, 2, 2, 5, 5])
    }

    @Test("Our intents are an agent's")
    func intents() throws {
        var lab = try Lab("a", others: ["b"])
        _ = try lab.exchange([2, 0x80])
        #expect(lab.told() == [try vector("join")])
        lab.hear(join: "b", 11)
        _ = lab.told()
        lab.agent.leave(at: lab.now, into: &lab.effects)
        #expect(lab.told() == [try vector("leave")])
        var operating = try Lab(others: ["a"])
        operating.hear(dead: "a")
        operating.hear(join: "a", 299)
        try operating.agent.forceLeave(operating.id("a"), isPrune: true, at: operating.now, into: &operating.effects)
        operating.hear(alive: "b")
        #expect(operating.told().contains(try vector("leave-prune")))
    }

    @Test("An intent of an agent's is taken and told on")
    func heardIntents() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.hear(try vector("leave"))
        #expect(lab.status("a") == .leaving)
        #expect(lab.told() == [try vector("leave")])
        lab.hear(try vector("leave-prune"))
        lab.hear(dead: "a")
        #expect(lab.status("a") == nil)
    }

    @Test("Our event is an agent's")
    func event() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(event: "earlier", 6)
        _ = lab.told()
        try lab.agent.emit(event: "deploy", payload: Array("v2".utf8), at: lab.now, into: &lab.effects)
        #expect(lab.told() == [try vector("user-event")])
    }

    @Test("We answer an agent's questions with its bytes")
    func queries() throws {
        var lab = try Lab("b", others: ["a"], tags: ["role": "web"])
        lab.hear(try vector("query-reachability"))
        #expect(lab.effects.sentAlone.map(\.to) == [Lab.address(of: "a")])
        #expect(lab.take().sentAlone.map(\.bytes) == [try vector("query-ack")])
        #expect(lab.told() == [try vector("query-reachability")])
        let ticket = QueryTicket(
            time: LamportTime(4), id: 123_456_789, source: Lab.address(of: "a"), sourceNode: "a", relayFactor: 0,
            deadline: lab.now + .seconds(15))
        try lab.agent.answer(ticket, with: Array("ok".utf8), at: lab.now, into: &lab.effects)
        #expect(lab.take().sentAlone.map(\.bytes) == [try vector("query-response")])
    }

    @Test("An agent's filters choose us, and its flag keeps the query here")
    func filters() throws {
        var lab = try Lab("b", others: ["a"], tags: ["role": "web"])
        lab.hear(try vector("query-filters"))
        let query = try #require(lab.effects.queries.first)
        #expect(query.name == "uptime" && query.ticket.relayFactor == 3)
        #expect(query.ticket.deadline == lab.now + .milliseconds(1600))
        #expect(lab.told() == [])
        var other = try Lab("b", others: ["a"], tags: ["role": "webs"])
        other.hear(try vector("query-filters"))
        #expect(other.effects.queries.isEmpty)
    }

    @Test("A relay is made, and passed on, as an agent does")
    func relay() throws {
        let made = try vector("relay")
        var asked = try Lab("b", others: ["a"])
        let query = SerfQuery(
            time: LamportTime(4), id: 5, source: Lab.address(of: "a"), sourceNode: "a", flags: .wantsAck,
            relayFactor: 1, timeout: .seconds(1), name: "_serf_ping")
        asked.hear(.query(query))
        #expect(asked.effects.sentAlone.map(\.bytes).last == made)
        var relaying = try Lab("c", others: ["a", "b"])
        relaying.hear(made, from: "b")
        #expect(relaying.effects.sentAlone.map(\.to) == [Lab.address(of: "a")])
        #expect(
            relaying.effects.sentAlone.map(\.bytes) == asked.take().sentAlone.filter { $0.bytes[0] == 5 }.map(\.bytes))
    }

    @Test("The state of a fresh member is an agent's")
    func freshState() throws {
        var lab = try Lab("a", others: ["b"])
        lab.agent.owesJoin = false
        let stream = StreamID(side: .accepted, number: 1)
        let request = PushPull(isJoin: false, members: [], userState: [])
        lab.agent.receive(.pushPull(request), on: stream, from: Lab.address(of: "b"), at: lab.now, into: &lab.effects)
        guard case .answer(_, .pushPull(let answer))? = lab.effects.gossip.streams.first else { throw Lab.NoAnswer() }
        #expect(answer.userState == (try vector("pp-minimal")))
    }

    @Test("An agent's state is taken, with the empty places of its ring")
    func states() throws {
        var lab = try Lab(others: ["a", "b", "c"])
        _ = try lab.exchange(try vector("pp-agent-512-nils"))
        #expect(lab.time("a") == 1)
        #expect(lab.agent.intentTime.value == 3)
        _ = try lab.exchange(try vector("pp-full"))
        #expect(lab.status("c") == .leaving && lab.time("c") == 12)
        #expect(lab.time("a") == 3 && lab.time("b") == 40)
        #expect(lab.effects.userEvents.map(\.name) == ["deploy", "x"])
        #expect(lab.effects.userEvents.map(\.time.value) == [7, 7])
        #expect(lab.agent.intentTime.value == 42)
        #expect(lab.agent.eventTime.value == 9 && lab.agent.queryTime.value == 2)
    }

    @Test("Our acks bear what an agent's do, and we take an agent's")
    func coordinates() throws {
        var lab = try Lab(others: ["a"])
        lab.receive(.ping(Ping(sequence: 1, node: nil)))
        guard case .ack(let ack)? = lab.take().gossip.datagrams.first?.messages.first else { throw Lab.NoAnswer() }
        #expect(ack.payload == (try vector("ack-coordinate-initial")))
        let theirs = try #require(try SerfCoordinate.read(payload: try vector("ack-coordinate")))
        var vivaldi = Vivaldi(random: SeededRandom(seed: 1))
        #expect(vivaldi.take(.milliseconds(10), to: 1, at: theirs) == true)
    }

    @Test("Who bears a name is told as an agent tells it")
    func conflict() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(alive: "b", record: bearer)
        let query = SerfQuery(
            time: LamportTime(5), id: 4, source: Lab.address(of: "a"), sourceNode: "a", timeout: .seconds(1),
            name: "_serf_conflict", payload: Array("b".utf8))
        lab.hear(.query(query))
        guard case .response(let answer) = try SerfMessage(try #require(lab.effects.sentAlone.first?.bytes)) else {
            throw Lab.NoAnswer()
        }
        #expect(answer.payload == (try vector("conflict-response")))
    }

    private var bearer: MemberRecord { Lab.record("b", tags: ["role": "web"]) }

    @Test("An agent's key query is a command, and our answer is as its own")
    func keys() throws {
        var lab = try Lab(others: ["a"])
        let query = SerfQuery(
            time: LamportTime(5), id: 4, source: Lab.address(of: "a"), sourceNode: "a", timeout: .seconds(1),
            name: "_serf_install-key", payload: try vector("key-request"))
        lab.hear(.query(query))
        let asked = try #require(lab.take().commands.first)
        #expect(asked.command == .install([UInt8](repeating: 7, count: 16)))
        let ring = ["AAAAAAAAAAAAAAAAAAAAAA=="]
        let outcome = SerfKeyResponse(succeeded: true, keys: ring, primaryKey: ring[0])
        try lab.agent.answer(asked.ticket, keys: outcome, at: lab.now, into: &lab.effects)
        guard case .response(let answer) = try SerfMessage(try #require(lab.effects.sentAlone.first?.bytes)) else {
            throw Lab.NoAnswer()
        }
        #expect(answer.payload == (try vector("key-response")))
    }
}
