// A data plane as these tests run it: one listener, one upstream, real sockets.

import Balancing
import Glibc
import Reactor
import Routing
import Stats
import Upstreams
import Vocabulary

@testable import Proxy

final class Sidecar {
    /// What differs from test to test.
    struct Setup {
        var listener: ListenerOptions
        var upstream: UpstreamOptions
        /// Upstreams that the listener may route to besides.
        var further: [UpstreamOptions] = []
        var workers = 1
        var limits: ProxyLimits
        var tls = TLSContexts.none
        /// A listening socket to use instead of binding one.
        var inherited: Int32?
        var seed: UInt64 = 1
        /// Nil: no endpoint is asked for its load.
        var probes: ProbeOptions?
        /// Where it does not, ``start()`` is the test's to call; callers wait in the queue until then.
        var startsAtOnce = true
        /// What a worker does when it has something to tell.
        var noticesArrived: @Sendable () -> Void = {}
    }

    let plane: DataPlane
    let address: SocketAddress
    private let directory: TemporaryDirectory
    private var discovery: Discovery
    private var options: UpstreamOptions
    private var isRunning = true

    /// Starts one; its gauges are at zero.
    init(_ transport: Transport = .tcp4, to endpoints: [SocketAddress], _ adjust: (inout Setup) -> Void = { _ in })
        throws
    {
        Kernel.ignoreBrokenPipes()
        directory = TemporaryDirectory()
        var setup = Setup(
            listener: ListenerOptions(
                name: "front", bind: transport.freshAddress(in: directory, "listener"), upstream: "back"),
            upstream: UpstreamOptions(name: "back", endpoints: endpoints.map { StaticEndpoint(address: $0) }),
            limits: ProxyLimits(descriptors: Kernel.raiseDescriptorLimit()))
        adjust(&setup)
        let cells = LoadCells(capacity: 64)
        discovery = try Discovery(upstreams: [setup.upstream] + setup.further, cells: cells, at: Kernel.now())
        _ = discovery.completeTables(at: Kernel.now()) { $0.built() }
        options = setup.upstream
        let sockets = try ListenerSockets(
            setup.listener, workers: setup.workers, inherited: setup.inherited,
            silentPeerTimeout: setup.limits.silentPeerTimeout)
        plane = try DataPlane(
            listeners: [sockets], upstreams: discovery.current, cells: cells,
            workers: setup.workers, limits: setup.limits, tls: setup.tls, seed: setup.seed,
            probes: setup.probes, noticesArrived: setup.noticesArrived)
        address = sockets.address
        if setup.startsAtOnce { try start() }
    }

    func start() throws { try plane.start() }

    deinit { end() }

    func end() {
        guard isRunning else { return }
        isRunning = false
        plane.end()
    }

    func connect(receiveBuffer: Int32? = nil) throws -> Wire {
        try Wire.connect(to: address, receiveBuffer: receiveBuffer)
    }

    /// Publishes the upstream with other endpoints.
    func replaceEndpoints(with endpoints: [SocketAddress]) throws {
        options.source = .fixed(endpoints.map { StaticEndpoint(address: $0) })
        let set = try discovery.configure([options], at: Kernel.now())
        plane.publish(set)
        let complete = discovery.completeTables(at: Kernel.now()) { $0.built() }
        if complete !== set { plane.publish(complete) }
    }

    /// Publishes the upstream with other options, and waits until its workers go by them.
    func change(_ adjust: (inout UpstreamOptions) -> Void) throws {
        adjust(&options)
        _ = try discovery.configure([options], at: Kernel.now())
        let set = discovery.completeTables(at: Kernel.now()) { $0.built() }
        plane.publish(set)
        _ = eventually { plane.reclaim() >= set.version }
    }

    /// Takes the listeners of another config, and waits until every worker has.
    /// - Parameter further: upstreams that it has besides.
    func configure(_ listeners: [NextListener], further: [UpstreamOptions] = []) throws -> Bool {
        guard listeners.count <= plane.roomForListeners() else { return false }
        let upstreams = [options] + further
        plane.configure(
            try discovery.configure(upstreams, at: Kernel.now()), named: Set(upstreams.map(\.name)),
            listeners: listeners)
        return eventually { plane.hasAdoptedListeners }
    }

    /// Publishes the upstream with another fate of the connections on one of its endpoints.
    /// - Parameters:
    ///   - state: of the endpoint; `fit` gets new connections.
    ///   - cause: of the fate.
    func turn(
        _ endpoint: Int = 0, to fate: ConnectionFate, state: Fitness.State = .dead, cause: FateCause = .dead
    ) {
        let before = plane.upstreams.upstreams[0]
        publish(
            before.endpoints.enumerated().map { place, old in
                Endpoint(
                    identity: old.identity, weight: old.weight,
                    fitness: place == endpoint ? Fitness(state, because: "The test says so.") : old.fitness,
                    fate: place == endpoint ? fate : old.fate,
                    cause: place == endpoint && fate != .keep ? cause : old.cause, cell: old.cell)
            })
    }

    /// Publishes the upstream with endpoints, and cells, as the test makes them.
    func publish(_ endpoints: [Endpoint]) {
        let before = plane.upstreams
        let snapshot = UpstreamSnapshot(
            options: before.upstreams[0].options, endpoints: endpoints, version: before.upstreams[0].version + 1)
        plane.publish(UpstreamSet(version: before.version + 1, upstreams: [snapshot]))
    }

    // MARK: What it says of itself

    var listener: ListenerReport { plane.report().listeners[0] }
    var upstream: UpstreamReport { plane.report().upstreams[0] }
    var endpoints: [EndpointReport] { upstream.endpoints }

    /// Waits until it has no connection left.
    func settles() -> Bool {
        eventually {
            plane.connections == 0 && endpoints.allSatisfy { $0.connections == 0 && $0.outstanding == 0 }
        }
    }

    /// The load cell of an endpoint.
    func cell(_ endpoint: Int = 0) -> LoadCells.Index { plane.upstreams.upstreams[0].endpoints[endpoint].cell }

    /// What it has seen of endpoints, from the last time on, once that is as much as `count`.
    func observations(_ count: Int) -> [Observation] {
        var observations: [Observation] = []
        _ = eventually {
            _ = plane.takeNotices { if let observation = $0.observation { observations.append(observation) } }
            return observations.count >= count
        }
        return observations
    }

    /// What it has to say of a kind, or of any, from the last time on, once that is as much as `count`.
    func notices(_ count: Int, _ kind: Notice.Kind? = nil) -> [Notice] {
        var notices: [Notice] = []
        _ = eventually {
            _ = plane.takeNotices { if kind == nil || $0.kind == kind { notices.append($0) } }
            return notices.count >= count
        }
        return notices
    }

    /// Whether what it has to say, from the last time on, comes to just this.
    func noticesReach(_ expected: [Notice.Kind]) -> Bool {
        var notices: [Notice.Kind] = []
        let hasAll = eventually {
            let lost = plane.takeNotices { notices.append($0.kind) }
            return lost == 0 && notices.count >= expected.count
        }
        return hasAll && notices == expected
    }
}

/// A client, remora and an endpoint, with one connection through all three.
struct Path {
    let endpoint: ManualEndpoint
    let remora: Sidecar
    let client: Wire
    let server: Wire

    init(_ route: Route = Route.all[0], _ adjust: (inout Sidecar.Setup) -> Void = { _ in }) throws {
        endpoint = try ManualEndpoint(route.endpoint)
        remora = try Sidecar(route.client, to: [endpoint.address], adjust)
        client = try remora.connect()
        server = try endpoint.accept()
    }
}

/// Descriptors of this process that are sockets with `port` at either end.
///
/// Not the number of all: other tests run in this process.
func descriptors(touching port: UInt16?) -> [Int32] {
    (0..<Int32(4096)).filter {
        Kernel.localAddress(of: $0)?.port == port || Kernel.peerAddress(of: $0)?.port == port
    }
}
