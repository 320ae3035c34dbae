// From the config that runs and the one in the file to what there is to be done.
//
// Nearly everything can change while connections go on. What cannot, because it is what others know this node by or
// where they reach it, stays as it was, and is named: the rest of the file comes into force all the same. Not taken: to
// refuse such a file. A whole fleet gets one, for the restarts to come, and none could then be given another endpoint
// until it has restarted.
//
// A listener is the same as before where it has the same name and address, and keeps its sockets. A socket is otherwise
// known by its address: where a listener is renamed, or two change places, the sockets and the connections stay, and so
// do the counts. Another address is another listener. Port 0 is the kernel's choice, so it says nothing about which
// socket is meant, unless the name does.

import Config
import Gossip
import GossipWire
import Proxy
import Routing
import Upstreams

struct ReloadPlan: Hashable {
    enum Door: Hashable {
        case stays(number: Int, ListenerOptions)
        case opens(ListenerOptions)
    }

    /// The listeners of the file, in its order; open ones that are not among them close.
    let doors: [Door]
    /// What will be otherwise, a sentence each.
    let changes: [String]
    /// Settings of the file that wait for a restart.
    let needsRestart: [String]

    /// - Parameters:
    ///   - current: what was read last.
    ///   - start: what this process was started with.
    ///   - open: the listeners that there are.
    init(from current: Configuration, start: Configuration, open: [OpenListener], to next: Configuration) {
        let numbers = Self.numbers(of: next.listeners, among: open)
        doors = zip(next.listeners, numbers).map { options, number in
            number.map { .stays(number: $0, options) } ?? .opens(options)
        }
        changes = Self.listenerChanges(doors, open) + Self.changes(from: current, to: next)
        needsRestart = Self.needsRestart(start, next)
    }

    /// The open listener that each of the file's is, if there is one.
    private static func numbers(of next: [ListenerOptions], among open: [OpenListener]) -> [Int?] {
        var left = open
        func take(where isMeant: (OpenListener) -> Bool) -> Int? {
            left.firstIndex(where: isMeant).map { left.remove(at: $0).number }
        }
        var numbers = next.map { options in take { $0.options.name == options.name && $0.options.bind == options.bind }
        }
        for (place, options) in next.enumerated() where numbers[place] == nil && options.bind.port != 0 {
            numbers[place] = take { $0.options.bind == options.bind || $0.address == options.bind }
        }
        return numbers
    }
}

// MARK: - In words

extension ReloadPlan {
    private static func listenerChanges(_ doors: [Door], _ open: [OpenListener]) -> [String] {
        var changes: [String] = []
        var staying: Set<Int> = []
        for door in doors {
            switch door {
            case .opens(let options): changes.append("listener \(options.name) opens at \(options.bind)")
            case .stays(let number, let options):
                staying.insert(number)
                guard let before = open.first(where: { $0.number == number }), before.options != options else {
                    continue
                }
                changes.append(
                    before.options.name == options.name
                        ? "listener \(options.name) is changed"
                        : "listener \(before.options.name) is \(options.name) now")
            }
        }
        for listener in open where !staying.contains(listener.number) {
            changes.append("listener \(listener.options.name) at \(listener.address) closes")
        }
        return changes
    }

    private static func changes(from current: Configuration, to next: Configuration) -> [String] {
        var changes = compare("upstream", current.upstreams, next.upstreams, \.name)
        changes += compare("service", current.services, next.services, \.name)
        changes += compare("tls of listener", current.tls.listeners, next.tls.listeners)
        changes += compare("tls of upstream", current.tls.upstreams, next.tls.upstreams)
        if current.node.tags != next.node.tags { changes.append("node.tags is changed") }
        if current.membership?.roster != next.membership?.roster { changes.append("membership.roster is changed") }
        if current.accessLog != next.accessLog { changes.append("access_log is changed") }
        if current.shutdown != next.shutdown { changes.append("shutdown.drain is changed") }
        return changes
    }

    private static func compare<Item: Hashable>(
        _ noun: String, _ before: [Item], _ after: [Item], _ name: (Item) -> String
    ) -> [String] {
        let old = Dictionary(before.map { (name($0), $0) }) { first, _ in first }
        let names = Set(after.map(name))
        let changed = after.compactMap { item -> String? in
            guard let last = old[name(item)] else { return "\(noun) \(name(item)) is new" }
            return last == item ? nil : "\(noun) \(name(item)) is changed"
        }
        return changed + before.filter { !names.contains(name($0)) }.map { "\(noun) \(name($0)) is gone" }
    }

    private static func compare<Item: Hashable>(
        _ noun: String, _ before: [String: Item], _ after: [String: Item]
    ) -> [String] {
        let names = Set(before.keys).union(after.keys).sorted()
        return names.filter { before[$0] != after[$0] }.map { "\(noun) \($0) is changed" }
    }

    /// What this process cannot change about itself.
    private static func needsRestart(_ start: Configuration, _ next: Configuration) -> [String] {
        var names: [String] = []
        func compare(_ name: String, _ isSame: Bool) { if !isSame { names.append(name) } }
        compare("node.name", start.node.name == next.node.name)
        compare("node.zone", start.node.zone == next.node.zone)
        compare("node.state_directory", start.node.stateDirectory == next.node.stateDirectory)
        if let old = start.membership, let new = next.membership {
            compare("membership.bind", old.bind == new.bind)
            compare("membership.advertise", old.advertise == new.advertise)
            compare("membership.join", old.join == new.join)
            var gossip = new.gossip
            gossip.seeds = old.gossip.seeds
            compare("membership.profile, tuning or reclaim_after", old.gossip == gossip)
            compare("membership.keys", old.keys == new.keys)
            compare("membership.label", old.label == new.label)
            compare("membership.telemetry", old.telemetryBytesPerSecond == new.telemetryBytesPerSecond)
        } else {
            compare("membership", start.membership == next.membership)
        }
        compare("admin.bind", start.admin.bind == next.admin.bind)
        compare("admin.token_file", start.admin.tokenFile == next.admin.tokenFile)
        return names
    }
}
