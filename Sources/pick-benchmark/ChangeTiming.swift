// What one change among many endpoints costs: the control thread to publish it, and a worker to adopt it.
//
// All of it counts that happens on each side: what discovery does with the member's news, the new set, its
// publication and the end of the set before; then the worker's balancers. Not what building a ring or table takes, which
// is another thread's and the ring-benchmark's. Members come from a fleet, as only these
// change by the hundred.

import Balancing
import Upstreams
import Vocabulary

/// A fleet of members that serve one upstream, and a worker that follows it.
private struct ChangingFleet: ~Copyable {
    private let weights: [Int]
    private let algorithm: Algorithm
    private var discovery: Discovery
    private let publication: UpstreamPublication
    private var reader: UpstreamReader
    private var balancers: UpstreamBalancers
    private var random = SeededRandom(seed: 1)
    private var now = Instant(nanoseconds: 0)
    private var incarnation: UInt32 = 1

    init(_ scenario: Scenario) {
        var random = SeededRandom(seed: 1)
        weights = (0..<scenario.endpoints).map { _ in
            switch scenario.weights {
            case .equal: 100
            case .mixed: 1 + Int(random.below(10_000))
            }
        }
        let cells = LoadCells()
        algorithm = scenario.algorithm
        do throws(OutOfLoadCells) {
            discovery = try Discovery(
                upstreams: [algorithm.options], cells: cells, node: algorithm.zones == nil ? nil : "caller",
                zone: algorithm.zones?.own, at: now)
        } catch {
            preconditionFailure("an upstream without endpoints needs no cells")
        }
        publication = UpstreamPublication(discovery.current)
        reader = publication.makeReader()
        balancers = UpstreamBalancers(cells: cells)
        for number in weights.indices { update(number) }
        publish()
        adopt()
        settle()
    }

    /// Lets the ring or table catch up with the members.
    mutating func settle() {
        let before = discovery.current.version
        let set = discovery.completeTables(at: now) { $0.built() }
        if set.version > before { publication.publish(set) }
        adopt()
    }

    /// Lets one member be suspected, or return.
    mutating func update(_ number: Int, isSuspect: Bool = false) {
        discovery.update(
            FleetMember(
                name: "member-\(100_000 + number)",
                address: .ipv4(.init(bits: 0x0A00_0000 + UInt32(number)), port: 7946),
                state: isSuspect ? .suspect : .alive, incarnation: incarnation,
                tags: tags(number), since: now), at: now)
    }

    private func tags(_ number: Int) -> [String: String] {
        var tags = ["svc.a": ":80;weight=\(weights[number])"]
        if let zone = algorithm.zone(number) { tags["zone"] = zone }
        return tags
    }

    mutating func forget(_ number: Int) { discovery.forget("member-\(100_000 + number)", at: now) }

    mutating func publish() {
        now = now + Discovery.publicationInterval
        guard let set = discovery.nextSet(at: now) else { preconditionFailure("something changed") }
        publication.publish(set)
        discovery.reclaim(acknowledged: publication.reclaim(), at: now)
        // Read by nobody; without it a mass of news would pile up.
        _ = discovery.takeNews()
    }

    mutating func adopt() {
        _ = reader.adopt { balancers.adopt($0, random: &random) }
    }
}

/// Nanoseconds of processor time.
struct ChangeTiming {
    /// A member of the fleet becomes suspect, or is no longer.
    var publishState: Double
    /// A member goes, or comes.
    var publishMember: Double
    /// By one worker.
    var adopt: Double

    private static let rounds = 60

    init(_ scenario: Scenario) {
        var fleet = ChangingFleet(scenario)
        var (state, member, adopt) = ([Double](), [Double](), [Double]())
        for round in 0..<Self.rounds {
            let number = round * 7919 % scenario.endpoints
            for isSuspect in [true, false] {
                state.append(
                    nanoseconds {
                        fleet.update(number, isSuspect: isSuspect)
                        fleet.publish()
                    })
                adopt.append(nanoseconds { fleet.adopt() })
            }
            member.append(
                nanoseconds {
                    fleet.forget(number)
                    fleet.publish()
                })
            adopt.append(nanoseconds { fleet.adopt() })
            fleet.settle()
            member.append(
                nanoseconds {
                    fleet.update(number)
                    fleet.publish()
                })
            fleet.settle()
        }
        // Not the fastest: what a change costs on a machine that does other things is what is promised.
        publishState = Self.median(state)
        publishMember = Self.median(member)
        self.adopt = Self.median(adopt)
    }

    private static func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
}
