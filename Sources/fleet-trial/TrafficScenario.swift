// What may befall a node with traffic on it, and what it may cost.

enum TrafficScenario: String, CaseIterable, Codable {
    case quiet
    case killInstance = "kill-instance"
    case killSidecar = "kill-sidecar"
    case freezeBriefly = "freeze-briefly"
    case freezeLong = "freeze-long"
    case failCheck = "fail-check"
    case drain
    case add
    case cut

    var needsNamespaces: Bool { self == .cut }

    /// The kinds of loss that are promised to be possible; all others are failures of the trial.
    var mayLose: (inFlight: Bool, accepted: Bool) {
        switch self {
        case .quiet, .freezeBriefly, .failCheck, .drain, .add: (false, false)
        // Its sidecar takes connections until the first one that its instance refuses.
        case .killInstance: (true, true)
        case .killSidecar, .freezeLong, .cut: (true, false)
        }
    }

    /// Whether traffic must be seen to come back, or for the first time.
    var comesBack: Bool { self != .quiet }
}
