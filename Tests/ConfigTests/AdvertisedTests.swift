// What the fleet is told of a service.

import GossipWire
import Testing
import Upstreams

@testable import Config
@testable import Vocabulary

@Suite("Advertised services")
struct AdvertisedTests {
    private func configuration(_ services: String, bind: String = "10.0.0.17:7946") throws -> Configuration {
        try ConfigFile.parse(
            """
            membership: {bind: \(bind)}
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            \(services)
            """, file: "edge.yaml", hostName: "host")
    }

    private func advertised(
        _ services: String, bind: String = "10.0.0.17:7946", boundTo addresses: [String: SocketAddress] = [:]
    ) throws -> AdvertisedService {
        let all = try configuration(services, bind: bind).advertised(boundTo: addresses)
        #expect(all.count == 1)
        return try #require(all.first)
    }

    private static let outbound = "listeners: [{name: out, bind: 127.0.0.1:80, upstream: web}]"

    private func inbound(_ bind: String) -> String { "listeners: [{name: in, bind: \(bind), service: a}]" }

    @Test("Without an inbound listener it is at the member's own address and the instance's port")
    func noListener() throws {
        let service = try advertised(
            "services: [{name: a, address: 127.0.0.1:9000, weight: 7}]\n\(AdvertisedTests.outbound)")
        #expect(
            service
                == AdvertisedService(name: "a", host: nil, port: 9_000, weight: Weight(7), hasListener: false))
    }

    @Test("With an inbound listener it is there, at the port that was bound")
    func listener() throws {
        let bound = GoodFileTests.ipv4(10, 0, 0, 18, port: 40_001)
        let service = try advertised(
            "services: [{name: a, address: 127.0.0.1:9000}]\n\(inbound("10.0.0.18:0"))", boundTo: ["in": bound])
        #expect(
            service
                == AdvertisedService(
                    name: "a", host: bound.with(port: 0), port: 40_001, weight: .standard, hasListener: true))
    }

    @Test(
        "A listener at every address is at the member's own", arguments: ["\"0.0.0.0:15000\"", "\"[::]:15000\""])
    func everyAddress(bind: String) throws {
        let service = try advertised("services: [{name: a, address: \"unix:/run/a\"}]\n\(inbound(bind))")
        #expect(service.host == nil && service.port == 15_000 && service.hasListener)
    }

    @Test("What it advertises itself comes before all of that, and its listener still stands there")
    func explicit() throws {
        let service = try advertised(
            "services: [{name: a, address: 127.0.0.1:9000, advertise: \"[fd00::1]:443\"}]\n\(inbound("127.0.0.1:15000"))"
        )
        #expect(service.host == .ipv6(SocketAddress.IPv6(high: 0xFD00 << 48, low: 1), port: 0))
        #expect(service.port == 443 && service.hasListener)
    }

    @Test(
        "Its tag says what it is, and reads back as that",
        arguments: [
            ("127.0.0.1:9000", ":9000"), ("127.0.0.1:9000, weight: 7", ":9000;weight=7"),
            (#"127.0.0.1:9000, advertise: "[fd00::1]:443""#, "[fd00::1]:443"),
            ("127.0.0.1:9000, advertise: 10.0.0.18:443", "10.0.0.18:443"),
        ])
    func tag(address: String, value: String) throws {
        let service = try advertised("services: [{name: a, address: \(address)}]\n\(AdvertisedTests.outbound)")
        let tag = ServiceTag(service, health: .passing)
        #expect("\(tag)" == value)
        #expect(try ServiceTag(parsing: value) == tag)
        #expect("\(ServiceTag(service, health: .failing))" == "\(value);health=failing")
        let before = try advertised("services: [{name: a, address: \(address)}]\n\(inbound("0.0.0.0:15000"))")
        #expect("\(ServiceTag(before, health: .draining))".hasSuffix(";health=draining;load=1"))
    }

    @Test("A fleet on loopback may be told of listeners on loopback")
    func loopback() throws {
        let service = try advertised(
            "services: [{name: a, address: 127.0.0.1:9000}]\n\(inbound("127.0.0.2:15000"))", bind: "127.0.0.2:7946")
        #expect(service.host == GoodFileTests.ipv4(127, 0, 0, 2, port: 0) && service.port == 15_000)
    }

    @Test("Without membership nobody is told, and a listener may stand anywhere")
    func noMembership() throws {
        let configuration = try ConfigFile.parse(
            "services: [{name: a, address: 127.0.0.1:9000}]\n\(inbound("\"unix:/run/in\""))", file: "f",
            hostName: "host")
        #expect(configuration.inboundListener(of: "a")?.name == "in")
        #expect(configuration.inboundListener(of: "b") == nil)
        #expect(configuration.advertised(boundTo: [:]).isEmpty)
    }

    @Test(
        "Services may fill gossip's meta to the last byte, in the longest state of health and at whatever port the kernel chooses"
    )
    func fullMeta() throws {
        func text(padding: Int) -> String {
            """
            services: [{name: a, address: 127.0.0.1:1, weight: 9999}, {name: b, address: 127.0.0.1:2, advertise: "[fd00::1]:1"}]
            node: {tags: {x: "\(String(repeating: "x", count: 200))", y: "\(String(repeating: "y", count: padding))"}}
            \(inbound("\"0.0.0.0:0\""))
            """
        }
        // As long as they may get; written out here, so that a tag that has grown shows.
        func length(padding: Int) -> Int {
            var tags = SerfTags()
            tags["x"] = String(repeating: "x", count: 200)
            tags["y"] = String(repeating: "y", count: padding)
            tags["remora"] = "1:65535"
            tags["svc.a"] = ":65535;weight=9999;health=draining;load=1"
            tags["svc.b"] = "[fd00::1]:1;health=draining"
            return tags.meta.count
        }
        let most = try #require((0...255).last { length(padding: $0) <= 512 })
        #expect(length(padding: most) == 512)
        #expect(try configuration(text(padding: most)).services.count == 2)
        let faults = #expect(throws: ConfigFaults.self) { try configuration(text(padding: most + 1)) }
        #expect(faults?.description.contains("take up to 513 bytes; gossip carries 512") == true)
    }
}
