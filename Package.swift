// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where `CI` is set; elsewhere a newer compiler's new
/// warning must not keep anyone from building.
let strict: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let settings: [SwiftSetting] =
    [.swiftLanguageMode(.v6), .strictMemorySafety(), .enableUpcomingFeature("InternalImportsByDefault")] + strict

func core(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "remora",
    products: [.executable(name: "remora", targets: ["remora"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        // C, each behind one Swift module.
        .target(name: "CEpoll", path: "CModules/CEpoll", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CProcess", path: "CModules/CProcess", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(
            name: "COpenSSL", path: "CModules/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // In the order data flows; imports go one way.
        core("Vocabulary"),
        core("Stats", ["Vocabulary"]),
        core("Gossip", ["Vocabulary"]),
        core("GossipWire", ["Vocabulary", "Gossip"]),
        core("Serf", ["Vocabulary", "Gossip", "GossipWire"]),
        core("Upstreams", ["Vocabulary", "Stats"]),
        core("Routing", ["Vocabulary"]),
        core("FleetLoad", ["Vocabulary", "GossipWire", "Upstreams"]),
        core("Balancing", ["Vocabulary", "Upstreams"]),
        core("Forwarding", ["Vocabulary"]),
        core("TLS", ["COpenSSL", "Vocabulary"]),
        core("Reactor", ["CEpoll", "Vocabulary"]),
        core("AccessLog", ["Vocabulary", "Reactor"]),
        core("GossipNet", ["Vocabulary", "Gossip", "GossipWire", "TLS", "Reactor"]),
        core("HealthChecks", ["Vocabulary", "Reactor"]),
        core("Stores", ["Vocabulary", "TLS", "Reactor"]),
        core(
            "Proxy",
            [
                "Vocabulary", "Stats", "GossipWire", "Upstreams", "Routing", "FleetLoad", "Balancing", "Forwarding",
                "TLS",
                "Reactor",
            ]),
        core(
            "Config",
            [
                "Vocabulary", "Gossip", "GossipWire", "TLS", "Upstreams", "Routing", "Balancing", "HealthChecks",
                "Stores", "AccessLog",
                .product(name: "Yams", package: "Yams"),
            ]),
        core(
            "Admin",
            [
                "Vocabulary", "Stats",
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "FlyingSocks", package: "FlyingFox"),
            ],
            // In the binary: nothing has to be found at run time.
            resources: ["page.html", "style.css", "script.js"].map { .embedInCode("Dashboard/\($0)") }),
        core(
            "Node",
            [
                "Vocabulary", "Stats", "Gossip", "GossipWire", "Serf", "TLS", "Upstreams", "Routing", "Balancing",
                "Reactor", "GossipNet", "FleetLoad", "HealthChecks", "Stores", "AccessLog", "Proxy", "Config", "Admin",
                .product(name: "Logging", package: "swift-log"),
            ]),
        core("Simulation", ["Vocabulary", "Stats", "Gossip", "GossipWire", "Upstreams", "Balancing", "FleetLoad"]),
        // Beside the proxy: what the demo and the trials of fleets share.
        core("Rig", ["CProcess", "Vocabulary", "Reactor"]),
        .executableTarget(
            name: "remora",
            dependencies: [
                "Node", "Simulation", "Config", "Admin", "Stats", "TLS", "Vocabulary", "Reactor", "Rig",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "pick-benchmark", dependencies: ["Vocabulary", "Upstreams", "Balancing"], swiftSettings: settings),
        .executableTarget(
            name: "ring-benchmark", dependencies: ["Vocabulary", "Upstreams", "Balancing"], swiftSettings: settings),
        .executableTarget(
            name: "discovery-benchmark",
            dependencies: ["Vocabulary", "Stats", "Upstreams", "Routing", "Balancing", "Reactor", "Proxy"],
            swiftSettings: settings),
        .executableTarget(
            name: "wire-benchmark", dependencies: ["Vocabulary", "Gossip", "GossipWire", "TLS"],
            swiftSettings: settings),
        .executableTarget(name: "tls-benchmark", dependencies: ["TLS", "Vocabulary"], swiftSettings: settings),
        .executableTarget(
            name: "fleet-trial",
            dependencies: [
                "Vocabulary", "Stats", "Reactor", "Admin", "Rig",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        tests("VocabularyTests", ["Vocabulary"]),
        tests("StatsTests", ["Stats"]),
        tests("GossipTests", ["Vocabulary", "Gossip"]),
        tests("GossipWireTests", ["Vocabulary", "Gossip", "GossipWire", "TLS"]),
        tests("SerfTests", ["Vocabulary", "Gossip", "GossipWire", "Serf"]),
        tests(
            "SimulationTests",
            ["Vocabulary", "Gossip", "GossipWire", "Upstreams", "Balancing", "Simulation"]),
        tests("UpstreamsTests", ["Upstreams"]),
        tests("FleetLoadTests", ["Vocabulary", "GossipWire", "Upstreams", "FleetLoad"]),
        tests("RoutingTests", ["Routing"]),
        tests("TLSTests", ["TLS", "Vocabulary"]),
        tests("BalancingTests", ["Balancing"]),
        tests("ForwardingTests", ["Forwarding"]),
        tests("ReactorTests", ["Reactor"]),
        tests("AccessLogTests", ["Vocabulary", "Reactor", "AccessLog"]),
        tests("HealthChecksTests", ["Vocabulary", "Reactor", "HealthChecks"]),
        tests("GossipNetTests", ["Vocabulary", "Gossip", "GossipWire", "TLS", "Reactor", "GossipNet"]),
        tests("StoresTests", ["Vocabulary", "TLS", "Reactor", "Stores"]),
        tests(
            "ProxyTests",
            [
                "Vocabulary", "Stats", "GossipWire", "Upstreams", "Routing", "FleetLoad", "Balancing", "Reactor",
                "Proxy", "TLS",
            ]),
        tests(
            "ConfigTests",
            ["Config", "Gossip", "GossipWire", "Upstreams", "Routing", "HealthChecks", "Stores", "AccessLog"]),
        tests("AdminTests", ["Admin"]),
        tests("RigTests", ["Rig", "Vocabulary", "Reactor"]),
        tests("FleetTrialTests", ["fleet-trial", "Rig", "Vocabulary", "Reactor"]),
        tests(
            "RemoraTests",
            [
                "Node", "remora", "Vocabulary", "Stats", "Gossip", "GossipWire", "GossipNet", "Serf", "TLS",
                "Upstreams", "FleetLoad", "HealthChecks", "Config", "Reactor", "AccessLog", "Proxy", "Admin", "Rig",
                .product(name: "Logging", package: "swift-log"),
            ]),
    ]
)

// For the sanitizers, whose builds would take longer than their runs: these suites, separated by spaces, and what they
// stand on. Those that need packages of others cannot be among them.
if let suites = Context.environment["REMORA_SANITIZED"] {
    let targets = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    var kept: Set<String> = []
    var found = suites.split(separator: " ").map(String.init)
    while let name = found.popLast() {
        guard let target = targets[name] else { fatalError("REMORA_SANITIZED names \(name), which is no target") }
        guard kept.insert(name).inserted else { continue }
        for case .byNameItem(let dependency, _) in target.dependencies { found.append(dependency) }
    }
    package.products = []
    package.targets.removeAll { !kept.contains($0.name) }
    package.dependencies = []
}
