// What a world is made of: all of it is in the header of the log, so that a log alone is enough to run it again.

package import Gossip
import Vocabulary

/// The parameters of a world. Two worlds of equal options, given the same commands, do exactly the same.
package struct WorldOptions: Sendable {
    /// How the nodes come to know each other.
    package enum Start: Hashable, Sendable {
        /// All run from the first moment and know all others.
        case warm
        /// Each begins at a random moment of this time and joins through the seeds.
        case cold(within: Duration)
        /// None runs until it is started with ``World/start(_:)``.
        case none
    }

    /// How messages travel.
    package enum Carriage: String, Hashable, Sendable {
        /// As values, with their lengths computed.
        case values
        /// Through GossipWire: encoded, and decoded by the receiver.
        case wire
    }

    /// What is verified of every core after every input.
    package enum Checks: String, Hashable, Sendable {
        case off
        /// What costs little: the node's own state, its datagrams, its timers.
        case cheap
        /// Also how its view of each member changes, and how often each message is sent: 8 bytes per pair of nodes, so
        /// for at most ``fullChecksLimit`` nodes.
        case full
    }

    /// What would be wrong here but need not be wrong elsewhere.
    package enum Forbidden: String, Hashable, Sendable {
        case nothing
        /// A member that was never disturbed (crashed, paused, cut, gone) must not be declared dead.
        case falseDeaths
        /// It must not even be suspected: for worlds without loss.
        case falseSuspicions
    }

    /// At least 1, at most ``nodeLimit``.
    package var nodes: Int
    package var seed: UInt64
    package var options: GossipOptions
    package var start: Start
    /// The nodes that others join through, and that all have in their configuration.
    package var seeds: [Int]
    /// Probability that a datagram is lost.
    package var loss: Double
    /// Probability that a datagram arrives twice.
    package var duplication: Double
    package var latency: Latency
    /// Clocks run wrong by up to this, in millionths, evenly spread.
    package var clockDrift: Int
    /// Datagrams that wait for a paused node; more are lost. Linux's default buffer of 208 KiB holds about as many
    /// small ones, each counted with its `sk_buff`.
    package var socketBuffer: Int
    /// Whether the nodes are remoras, which compare view checksums, or plain agents.
    package var areRemoras: Bool
    /// Bytes of each member's meta, 16 to 255: Serf's tags, filled up.
    package var metaLength: Int
    package var carriage: Carriage
    package var checks: Checks
    package var forbids: Forbidden
    /// Whether inputs are recorded for ``World/log``: 40 bytes each, and the digest of what came of it.
    package var isRecorded: Bool
    /// Faults to come; further ones may be struck by hand.
    package var scenario: Scenario

    package static let nodeLimit = 1 << 20
    package static let fullChecksLimit = 2_048
    /// Facts kept for ``World/facts``; further ones are only counted.
    package static let factLimit = 1 << 20

    package init(
        nodes: Int, seed: UInt64, loss: Double = 0, latency: Latency = .local, options: GossipOptions = .lan,
        start: Start = .warm, checks: Checks = .cheap, isRecorded: Bool = false, scenario: Scenario = Scenario()
    ) {
        self.nodes = nodes
        self.seed = seed
        self.options = options
        self.start = start
        self.loss = loss
        self.latency = latency
        self.checks = checks
        self.isRecorded = isRecorded
        self.scenario = scenario
        seeds = [0]
        duplication = 0
        clockDrift = 0
        socketBuffer = 256
        areRemoras = true
        metaLength = 32
        carriage = .values
        forbids = .nothing
    }

    /// - Throws: what no world can be made of.
    func validate() throws(WorldFault) {
        guard (1...WorldOptions.nodeLimit).contains(nodes) else { throw .nodes(nodes) }
        guard checks != .full || nodes <= WorldOptions.fullChecksLimit else { throw .tooManyForFullChecks(nodes) }
        for probability in [loss, duplication] where !(0...1).contains(probability) { throw .probability(probability) }
        guard (16...255).contains(metaLength) else { throw .metaLength(metaLength) }
        guard (0...100_000).contains(clockDrift) else { throw .clockDrift(clockDrift) }
        if let seed = seeds.first(where: { !(0..<nodes).contains($0) }) { throw .unknownNode(seed) }
        try options.validate()
        for step in scenario.steps { try validate(step.fault) }
    }

    func validate(_ fault: Fault) throws(WorldFault) {
        for set in fault.nodes where set.bound > nodes { throw .unknownNode(set.bound - 1) }
    }
}

/// What no world can be made of; the caller's mistake.
package enum WorldFault: Error, Hashable, CustomStringConvertible {
    case nodes(Int)
    case tooManyForFullChecks(Int)
    case probability(Double)
    case metaLength(Int)
    case clockDrift(Int)
    case unknownNode(Int)
    /// A core's option, by its name in the header, with a value that no core can work with.
    case option(String)

    package var description: String {
        switch self {
        case .nodes(let count): "\(count) nodes; a world has 1 to \(WorldOptions.nodeLimit)"
        case .tooManyForFullChecks(let count):
            "\(count) nodes are too many for full checks; use cheap ones above \(WorldOptions.fullChecksLimit)"
        case .probability(let value): "\(value) is no probability; write 0 to 1"
        case .metaLength(let length): "a meta of \(length) bytes; write 16 to 255"
        case .clockDrift(let drift): "a clock drift of \(drift) millionths; write 0 to 100000"
        case .unknownNode(let node): "there is no node \(node)"
        case .option(let name): "\(name) is out of its range"
        }
    }
}
