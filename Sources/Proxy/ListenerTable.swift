// The listeners of a data plane by number, while configs come and go.
//
//     control thread ── ListenerSet ───► WorkerDesk (the newest one wins) ──► its worker, at a wake-up
//                    ◄── its version ───────────────────────────────────────
//
// A listener's number is what counters, notices and connections know it by. It stays for as long as the listener does,
// whatever else is added and taken away, and goes to another only once nobody accepts there any more, every worker knows
// that, and the last connection has ended. A set is a state and not a change, so one that a worker never saw is no loss;
// but sockets are closed by the workers, so a set follows another only once all have adopted that one.
//
// Not taken: the atomic pointer by which upstreams travel (`UpstreamPublication`). Listeners change a few times in the
// life of a process, and a worker copies what it needs of each.

package import Routing
package import Vocabulary

/// A listener as others see it.
package struct OpenListener: Hashable, Sendable {
    /// What notices call it.
    package let number: Int
    package let options: ListenerOptions
    /// As bound: port 0 has become a real one.
    package let address: SocketAddress
}

/// A listener of the next config.
package enum NextListener: Sendable {
    /// One that is open: its sockets stay, and what it does with a client is by these options from now on.
    case stays(number: Int, ListenerOptions)
    case opens(ListenerSockets)
}

/// What a worker has to know of one listener.
struct ListenerPlace: Sendable {
    /// Nil: nobody is taken in any more. The connections there are go on by the same options.
    var sockets: ListenerSockets?
    var options: ListenerOptions
    /// Its upstream's.
    var upstream: UInt32
    /// Nil for one that does not route by server name.
    var routes: NameRoutes?
    /// Another where the number has come to other sockets.
    let tenancy: UInt64
    /// The last order to its door when this tenancy began; the first to be heeded is the next.
    let command: UInt64
}

/// All listeners at one moment, by number; nil is a number without one.
final class ListenerSet: Sendable {
    /// Goes up with each.
    let version: UInt64
    let places: [ListenerPlace?]

    init(version: UInt64, places: [ListenerPlace?]) {
        self.version = version
        self.places = places
    }
}

/// Which listener has which number. For the control thread.
struct ListenerTable {
    private struct Row {
        var place: ListenerPlace
        let address: SocketAddress
    }

    private let capacity: Int
    private var rows: [Row?] = []
    /// Numbers of those that are open, in the order of the config, and then of those that have connections left.
    private(set) var order: [Int] = []
    private var tenancies: UInt64 = 0
    private(set) var version: UInt64 = 0

    /// - Parameter capacity: numbers there are.
    init(capacity: Int) { self.capacity = capacity }

    /// All numbers that were ever used are below it.
    var count: Int { rows.count }

    var open: [OpenListener] {
        order.compactMap { number in
            guard let row = rows[number], row.place.sockets != nil else { return nil }
            return OpenListener(number: number, options: row.place.options, address: row.address)
        }
    }

    /// Every listener that has sockets or connections, and whether it takes clients in.
    var all: [(listener: OpenListener, isOpen: Bool)] {
        order.compactMap { number in
            rows[number].map {
                (OpenListener(number: number, options: $0.place.options, address: $0.address), $0.place.sockets != nil)
            }
        }
    }

    var sockets: [ListenerSockets] { order.compactMap { rows[$0]?.place.sockets } }

    func name(of number: Int) -> String? {
        rows.indices.contains(number) ? rows[number]?.place.options.name : nil
    }

    /// What listeners are called, by what their connections remember them by.
    var tenants: [(tenancy: UInt64, name: String)] {
        rows.compactMap { $0.map { ($0.place.tenancy, $0.place.options.name) } }
    }

    /// By number; empty for a number without a listener.
    var names: [String] { rows.map { $0?.place.options.name ?? "" } }

    /// What workers are to know.
    var set: ListenerSet { ListenerSet(version: version, places: rows.map { $0?.place }) }

    /// Gives up the numbers of those that are closed.
    /// - Parameter isIdle: whether a number has no connections left.
    /// - Precondition: every worker has adopted ``set``.
    mutating func reclaim(where isIdle: (Int) -> Bool) {
        for number in rows.indices {
            guard let row = rows[number], row.place.sockets == nil, isIdle(number) else { continue }
            rows[number] = nil
        }
        order.removeAll { rows[$0] == nil }
    }

    /// How many listeners can be opened.
    var room: Int { capacity - order.count }

    /// Takes the listeners of another config; those that are not among them close.
    /// - Parameters:
    ///   - upstream: the place of the upstream of that name.
    ///   - begin: called with each number that a listener comes to; answers the last order to its door.
    /// - Precondition: there is ``room``, and every worker has adopted the set before.
    mutating func configure(_ next: [NextListener], upstream: (String) -> UInt32, begin: (Int) -> UInt64) {
        var staying: Set<Int> = []
        for case .stays(let number, _) in next { staying.insert(number) }
        for number in rows.indices where !staying.contains(number) { rows[number]?.place.sockets = nil }
        var vacant = (rows.indices.filter { rows[$0] == nil } + (rows.count..<capacity))[...]
        var placed: [Int] = []
        for listener in next {
            switch listener {
            case .stays(let number, let options):
                precondition(rows[number]?.place.sockets != nil, "a listener that stays is open")
                rows[number]?.place.options = options
                rows[number]?.place.upstream = upstream(options.upstream)
                rows[number]?.place.routes = NameRoutes(options, place: upstream)
                placed.append(number)
            case .opens(let sockets):
                guard let number = vacant.popFirst() else { preconditionFailure("whoever opens has asked for room") }
                tenancies += 1
                let place = ListenerPlace(
                    sockets: sockets, options: sockets.options, upstream: upstream(sockets.options.upstream),
                    routes: NameRoutes(sockets.options, place: upstream), tenancy: tenancies, command: begin(number))
                while rows.count <= number { rows.append(nil) }
                rows[number] = Row(place: place, address: sockets.address)
                placed.append(number)
            }
        }
        let known = Set(placed)
        order = placed + rows.indices.filter { rows[$0] != nil && !known.contains($0) }
        version += 1
    }
}
