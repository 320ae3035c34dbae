// What an operator may tune, with the reference's profiles (memberlist-behaviour §1).

package struct GossipOptions: Hashable, Sendable {
    /// Between two probes of one member, before its own health stretches it.
    package var probeInterval: Duration = .seconds(1)
    /// How long a direct ping may take.
    package var probeTimeout: Duration = .milliseconds(500)
    /// How many others are asked to ping a silent target.
    package var indirectChecks = 3
    package var usesStreamPing = true
    /// Scales the suspicion with log₁₀ of the fleet's size.
    package var suspicionMultiplier = 4
    /// The longest suspicion, in shortest ones (Lifeguard §IV-B).
    package var suspicionMaximumMultiplier = 6
    /// Local health goes from 0 to this, exclusive; 1 switches it off (Lifeguard §IV-A).
    package var awarenessMaximum = 8
    /// Whether a suspect is told so with the ping (Lifeguard §IV-C).
    package var tellsSuspects = true
    package var retransmitMultiplier = 4
    package var gossipInterval: Duration = .milliseconds(200)
    package var gossipNodes = 3
    /// The dead are told of things, and kept in the list, this long.
    package var gossipToTheDead: Duration = .seconds(30)
    package var pushPullInterval: Duration = .seconds(30)
    /// A stream's deadline, connecting included.
    package var streamTimeout: Duration = .seconds(10)
    /// A dead member's name may come back from another address after this; zero: never while it is remembered.
    package var reclaimAfter: Duration = .zero
    /// UDP payload in bytes, everything included.
    package var packetBudget = 1400
    /// What sealing and label take of each packet.
    package var packetOverhead = 0
    /// Contacted for ever, at a low rate, while they are not among the members.
    package var seeds: [PeerAddress] = []
    /// Between two contacts with a dead member or a seed.
    package var contactInterval: Duration = .seconds(30)
    /// How long a dead member is contacted after it is no longer listed.
    package var contactsTheDeadFor: Duration = .seconds(24 * 3600)
    /// Whether remoras compare their views' checksums.
    package var comparesViews = true
    /// Members, ourselves included, beyond which newcomers are refused.
    package var memberLimit = 65_536

    package init() {}

    package static let lan = GossipOptions()

    package static let wan: GossipOptions = {
        var options = GossipOptions()
        options.probeInterval = .seconds(5)
        options.probeTimeout = .seconds(3)
        options.suspicionMultiplier = 6
        options.gossipInterval = .milliseconds(500)
        options.gossipNodes = 4
        options.gossipToTheDead = .seconds(60)
        options.pushPullInterval = .seconds(60)
        options.streamTimeout = .seconds(30)
        return options
    }()

    package static let local: GossipOptions = {
        var options = GossipOptions()
        options.probeTimeout = .milliseconds(200)
        options.indirectChecks = 1
        options.suspicionMultiplier = 3
        options.retransmitMultiplier = 2
        options.gossipInterval = .milliseconds(100)
        options.gossipToTheDead = .seconds(15)
        options.pushPullInterval = .seconds(15)
        options.streamTimeout = .seconds(1)
        return options
    }()
}
