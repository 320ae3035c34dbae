// All that is known of one endpoint, and the one judgement that follows from it.
//
// Three witnesses: the detector (by way of gossip), the member itself (by its tag's health), and this node's own
// connections. The worst of what they say is the endpoint's fitness, and its reason is that witness's sentence.

internal import Vocabulary

/// A connect from here that failed while the endpoint's member was suspect or dead: two witnesses then say the same.
enum Condemnation {
    /// No answer came: that speaks against the endpoint only while somebody else is heard.
    case unanswered
    /// Its machine said no, so our own link is not what failed.
    case refused
}

/// One endpoint of one upstream, from the moment it is discovered until nothing names it any more.
///
/// Identity, hence a class: its upstream, its member and its wake-up all speak of the same one. Only the control thread
/// touches it.
final class TrackedEndpoint {
    /// As the next snapshot shows it; nil before it was judged for the first time. First, as every set reads it of all.
    var published: Endpoint?

    let identity: EndpointIdentity
    /// Its upstream's place.
    let upstream: Int
    let cell: LoadCells.Index
    let kernelForm: [UInt8]

    var weight: Weight
    var zone: String?
    var health: ServiceTag.Health
    /// Where its member answers load probes; nil where that is nowhere, or its callers do not all come through there.
    private(set) var probe: SocketAddress?
    /// What sendto(2) takes to reach that; empty without.
    private(set) var probeForm: [UInt8] = []
    var watch = OutlierWatch()
    /// Whether its upstream counts it among those ejected for soft failures.
    var isCountedEjected = false
    var condemnation: Condemnation?
    /// When its slow start began.
    var rampStart: Instant?
    /// Its place in the upstream's ring or table; nil while it has none.
    var keyPlace: UInt32?
    /// Owned by ``WakeQueue``; `wake` has a meaning only with a position.
    var wake = Instant(nanoseconds: 0)
    var wakePosition: Int?

    init(
        identity: EndpointIdentity, upstream: Int, cell: LoadCells.Index, weight: Weight, zone: String?,
        health: ServiceTag.Health = .passing
    ) {
        self.identity = identity
        self.upstream = upstream
        self.cell = cell
        self.weight = weight
        self.zone = zone
        self.health = health
        kernelForm = identity.address.kernelForm
    }

    func ask(at probe: SocketAddress?) {
        guard probe != self.probe else { return }
        self.probe = probe
        probeForm = probe?.kernelForm ?? []
    }
}

/// What the endpoint's member adds to the judgement.
struct Standing {
    var name: String
    var state: FleetMember.State
    var accusation: String?
    /// Whether the roster lists it, or there is none.
    var isListed: Bool
    /// Whether the roster was read, or there is none.
    var isRosterKnown: Bool
    /// Whether it vanished in what is taken for our own isolation.
    var isDoubted: Bool
}

struct Judgement {
    var fitness: Fitness
    var fate: ConnectionFate
    var cause: FateCause
    var isKept: Bool
    var isPresent: Bool
}

extension TrackedEndpoint {
    /// The worst of what the witnesses say.
    /// - Parameter standing: nil for an endpoint that the config names.
    func judgement(_ standing: Standing?, options: UpstreamOptions) -> Judgement {
        guard let standing else {
            return Judgement(
                fitness: ejected ?? Fitness(.fit, because: "The config names it, and nothing speaks against it."),
                fate: .keep, cause: .none, isKept: false, isPresent: true)
        }
        let isHeld = standing.isDoubted && condemnation == nil
        let (fate, cause) = fate(standing, isHeld: isHeld, options)
        return Judgement(
            fitness: fitness(standing, isHeld: isHeld), fate: fate, cause: fate == .keep ? .none : cause,
            isKept: isHeld && standing.isListed && standing.state == .dead,
            isPresent: standing.isPresent)
    }

    private func fitness(_ standing: Standing, isHeld: Bool) -> Fitness {
        if !standing.isRosterKnown {
            return Fitness(.unlisted, because: "No roster has been read yet, so nobody is listed.")
        }
        if !standing.isListed { return Fitness(.unlisted, because: "The roster does not list \(standing.name).") }
        switch standing.state {
        case .left: return Fitness(.left, because: "Member \(standing.name) has left the fleet.")
        case .dead:
            var reason = standing.accused("dead")
            if condemnation != nil { reason += " A connect from here failed as well." }
            if isHeld { reason += " The last known good view keeps it." }
            return Fitness(.dead, because: reason)
        case .alive, .suspect: break
        }
        switch health {
        case .draining:
            return Fitness(.draining, because: "Its sidecar takes no new connections (tag health=draining).")
        case .failing:
            return Fitness(
                .failing, because: "Its sidecar says that its instance does not serve (tag health=failing).")
        case .passing: break
        }
        if let ejected { return ejected }
        if standing.state == .suspect { return Fitness(.suspect, because: standing.accused("suspect")) }
        return Fitness(.fit, because: "Member \(standing.name) is alive, and nothing speaks against it.")
    }

    private var ejected: Fitness? { watch.ejection.map { Fitness(.ejected, because: $0.reason) } }

    /// By the member's state alone: what the endpoint is ejected for, its open connections may survive.
    private func fate(
        _ standing: Standing, isHeld: Bool, _ options: UpstreamOptions
    ) -> (ConnectionFate, FateCause) {
        switch standing.state {
        case .dead: return (isHeld ? .keep : options.onDead, .dead)
        case .left: return (options.onLeft, .left)
        // Off the roster is out of the fleet, by another's decision.
        case .alive, .suspect: if !standing.isListed { return (options.onLeft, .unlisted) }
        }
        return standing.state == .suspect && !isHeld ? (options.onSuspect, .suspect) : (.keep, .none)
    }
}

extension Standing {
    /// Not a matter of what a connect from here came to, or of the roster: remoras would differ in it.
    fileprivate var isPresent: Bool {
        switch state {
        case .alive, .suspect: true
        case .dead: isDoubted
        case .left: false
        }
    }

    fileprivate func accused(_ what: String) -> String {
        guard let accusation else { return "Member \(name) is \(what)." }
        return "Member \(name) is \(what): \(accusation)"
    }
}
