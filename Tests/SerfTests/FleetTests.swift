import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

/// Several agents whose datagrams reach each other after a while; streams are answered at once.
private struct Fleet {
    let directory = Directory()
    var agents: [SerfAgent] = []
    var events: [[AgentEvent]] = []
    var now = Instant(nanoseconds: 0)
    var silent: Set<Int> = []
    private var inFlight: [(at: Instant, from: Int, to: Int, messages: [Message])] = []
    private var places: [PeerAddress: Int] = [:]
    private let latency: (Int, Int) -> Duration

    init(_ count: Int, seed: UInt64, latency: @escaping (Int, Int) -> Duration = { _, _ in .milliseconds(5) }) throws {
        self.latency = latency
        for index in 0..<count {
            let address = Lab.address(of: "m\(index)")
            places[address] = index
            agents.append(
                try SerfAgent(
                    name: directory.intern("m\(index)"), address: address, tags: SerfTags(), gossip: .lan,
                    directory: directory, random: SeededRandom(seed: seed &* 1000 + UInt64(index))))
            events.append([])
        }
        for index in 0..<count { act(index) { $0.start(at: $1, into: &$2) } }
        for index in 1..<count { act(index) { $0.join([Lab.address(of: "m0")], at: $1, into: &$2) } }
    }

    mutating func act(_ index: Int, _ body: (inout SerfAgent, Instant, inout AgentEffects) -> Void) {
        var effects = AgentEffects()
        body(&agents[index], now, &effects)
        carryOut(effects, of: index)
    }

    private mutating func carryOut(_ effects: AgentEffects, of index: Int) {
        events[index] += effects.events
        for datagram in effects.gossip.datagrams {
            guard let to = places[datagram.to], !silent.contains(index) else { continue }
            inFlight.append((now + latency(index, to), index, to, datagram.messages))
        }
        for case .open(let stream, let to, let request, _, _) in effects.gossip.streams {
            guard let peer = places[to], !silent.contains(peer), !silent.contains(index) else {
                act(index) { $0.fail(stream, at: $1, into: &$2) }
                continue
            }
            var answers = AgentEffects()
            let accepted = StreamID(side: .accepted, number: 1)
            agents[peer].receive(request, on: accepted, from: Lab.address(of: "m\(index)"), at: now, into: &answers)
            for case .answer(_, let answer) in answers.gossip.streams {
                act(index) { $0.receive(answer, on: stream, from: to, at: $1, into: &$2) }
            }
            carryOut(answers, of: peer)
        }
    }

    mutating func run(for duration: Duration) {
        let end = now + duration
        while true {
            let wakes = agents.indices.filter { !silent.contains($0) }.map { (agents[$0].nextWake, $0) }
            let wake = wakes.min { $0.0 < $1.0 }
            let arrival = inFlight.indices.min { inFlight[$0].at < inFlight[$1].at }
            if let arrival, inFlight[arrival].at <= (wake?.0 ?? end), inFlight[arrival].at <= end {
                let packet = inFlight.remove(at: arrival)
                now = max(now, packet.at)
                guard !silent.contains(packet.to) else { continue }
                for message in packet.messages {
                    act(packet.to) { $0.receive(message, from: Lab.address(of: "m\(packet.from)"), at: $1, into: &$2) }
                }
            } else if let wake, wake.0 <= end {
                now = max(now, wake.0)
                act(wake.1) { $0.wake(at: $1, into: &$2) }
            } else {
                now = end
                return
            }
        }
    }

    func statuses(of index: Int) -> Set<Standing.Status?> {
        let id = directory.intern("m\(index)")
        return Set(
            agents.indices.filter { $0 != index && !silent.contains($0) }.map {
                agents[$0].view(of: id)?.standing.status
            })
    }
}

@Suite("A fleet of agents")
struct FleetTests {
    @Test(
        "Who leaves has left everywhere, who vanishes has failed, and an operator's word makes it left",
        arguments: seeds)
    func ends(seed: UInt64) throws {
        var fleet = try Fleet(8, seed: seed)
        fleet.run(for: .seconds(5))
        for index in 0..<8 { #expect(fleet.statuses(of: index) == [.alive]) }
        fleet.act(3) { $0.leave(at: $1, into: &$2) }
        fleet.run(for: .seconds(4))
        #expect(fleet.agents[3].leaveStage == .gone)
        #expect(fleet.statuses(of: 3) == [.left])
        fleet.silent = [3, 5]
        fleet.run(for: .seconds(40))
        #expect(fleet.statuses(of: 5) == [.failed])
        let failed = fleet.directory.intern("m5")
        fleet.act(1) { try? $0.forceLeave(failed, isPrune: false, at: $1, into: &$2) }
        fleet.run(for: .seconds(3))
        #expect(fleet.statuses(of: 5) == [.left])
        // Nobody was blamed meanwhile.
        for index in [0, 1, 2, 4, 6, 7] { #expect(fleet.statuses(of: index) == [.alive]) }
    }

    @Test("Force-leaving a live member ends with everybody seeing it alive", arguments: seeds)
    func forcedWhileAlive(seed: UInt64) throws {
        var fleet = try Fleet(6, seed: seed)
        fleet.run(for: .seconds(5))
        let victim = fleet.directory.intern("m2")
        fleet.act(4) { try? $0.forceLeave(victim, isPrune: true, at: $1, into: &$2) }
        #expect(fleet.agents[4].view(of: victim)?.standing.status == .leaving)
        fleet.run(for: .seconds(5))
        #expect(fleet.statuses(of: 2) == [.alive])
    }

    @Test("An event reaches everybody once", arguments: seeds)
    func event(seed: UInt64) throws {
        var fleet = try Fleet(12, seed: seed)
        fleet.run(for: .seconds(5))
        fleet.act(7) { try? $0.emit(event: "deploy", payload: [1], at: $1, into: &$2) }
        fleet.run(for: .seconds(60))
        for heard in fleet.events {
            let names = heard.compactMap { if case .event(let event) = $0 { event.name } else { nil } }
            #expect(names == ["deploy"])
        }
    }

    @Test("Coordinates come near the round trips that the network has", arguments: seeds)
    func coordinates(seed: UInt64) throws {
        // Two sites, 40 ms apart
        let latency: (Int, Int) -> Duration = { $0 % 2 == $1 % 2 ? .milliseconds(1) : .milliseconds(20) }
        var fleet = try Fleet(8, seed: seed, latency: latency)
        fleet.run(for: .seconds(600))
        for from in 0..<8 {
            for to in 0..<8 where to != from {
                let estimate = fleet.agents[from].coordinate.roundTrip(to: fleet.agents[to].coordinate)
                if from % 2 == to % 2 {
                    #expect(estimate < .milliseconds(12))
                } else {
                    #expect(estimate > .milliseconds(28) && estimate < .milliseconds(52))
                }
            }
        }
    }
}
