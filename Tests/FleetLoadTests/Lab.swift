// A few cores that tell each other, in virtual time and without a network between.

import GossipWire
import Upstreams
import Vocabulary

@testable import FleetLoad

enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF]
}

let start = Instant(nanoseconds: 5_000_000_000)

func name(_ node: Int) -> String { "n\(node)" }

/// A remora, or a plain agent, with these services.
func member(
    _ node: Int, services: [String] = ["web"], isRemora: Bool = true, incarnation: UInt32 = 1,
    state: FleetMember.State = .alive
) -> FleetMember {
    member(name(node), at: node, services: services, isRemora: isRemora, incarnation: incarnation, state: state)
}

func member(
    _ name: String, at number: Int, services: [String] = ["web"], isRemora: Bool = true, incarnation: UInt32 = 1,
    state: FleetMember.State = .alive
) -> FleetMember {
    var tags = Dictionary(uniqueKeysWithValues: services.map { ("svc.\($0)", ":80;weight=5;load=1") })
    tags["role"] = "any"
    if isRemora { tags["remora"] = "1:0" }
    return FleetMember(
        name: name, address: .ipv4(SocketAddress.IPv4(bits: 0x0A00_0000 + UInt32(number)), port: 7946), state: state,
        incarnation: incarnation, tags: tags, since: start)
}

func busy(_ outstanding: UInt32, _ connections: UInt32 = 100) -> ServiceLoad {
    ServiceLoad(outstanding: outstanding, connections: connections)
}

/// A message of one report about a member as ``member(_:services:isRemora:incarnation:state:)`` makes it.
func told(
    _ node: Int, services: [String] = ["web"], incarnation: UInt32 = 1, number: UInt64, age: Duration = .zero,
    _ loads: [ServiceLoad]
) -> [UInt8] {
    guard let age = ReportAge(age) else { preconditionFailure("too old to be told") }
    let report = LoadReport(
        subject: LoadSubject(member: name(node), services: services),
        version: LoadVersion(incarnation: incarnation, number: number), age: age, services: loads)
    var body: [UInt8] = []
    LoadMessage.reports([report]).append(to: &body)
    return body
}

extension LoadReports {
    mutating func hear(_ body: [UInt8], at now: Instant) { receive(body.span, at: now) }
}

/// Cores that wake in turn; what they send arrives at once, or not at all.
struct Lab {
    struct Sent {
        let from: Int
        let to: Int
        let at: Instant
        /// Empty where only checksums are told.
        let body: [UInt8]
        let bodies: [[UInt8]]

        var message: LoadMessage? { try? LoadMessage(reading: body.span) }
    }

    var cores: [LoadReports]
    var now = start
    var sent: [Sent] = []
    /// Of a datagram with its layers.
    var longest = 0
    /// Whether a datagram gets lost.
    var loses: (Sent) -> Bool = { _ in false }
    /// What a node measures.
    var load: (Int, Instant) -> [String: ServiceLoad] = { node, now in
        ["web": busy(UInt32(node), UInt32(now.nanoseconds / 1_000_000 % 1000))]
    }

    init(_ members: [FleetMember], options: TelemetryOptions = TelemetryOptions()) {
        cores = members.map { LoadReports(of: $0.name, options: options) }
        for index in cores.indices {
            for member in members { cores[index].update(member, at: start) }
        }
    }

    init(_ count: Int, options: TelemetryOptions = TelemetryOptions()) {
        self.init((0..<count).map { member($0) }, options: options)
    }

    /// - Parameter asleep: nodes that neither wake nor hear.
    mutating func run(for duration: Duration, step: Duration = .milliseconds(20), asleep: Set<Int> = []) {
        let end = now + duration
        var datagrams: [LoadDatagram] = []
        while now < end {
            now = now + step
            for index in cores.indices where !asleep.contains(index) && cores[index].nextWake <= now {
                cores[index].report(load(index, now), at: now)
                cores[index].wake(at: now, into: &datagrams)
                for datagram in datagrams {
                    guard case .ipv4(let ip, _) = datagram.to else { continue }
                    let one = Sent(
                        from: index, to: Int(ip.bits - 0x0A00_0000), at: now, body: datagram.body,
                        bodies: datagram.bodies)
                    sent.append(one)
                    longest = max(longest, datagram.length + cores[index].options.packetOverhead)
                    if !loses(one), cores.indices.contains(one.to), !asleep.contains(one.to) {
                        for body in one.bodies { cores[one.to].receive(body.span, at: now) }
                    }
                }
                datagrams.removeAll()
            }
        }
    }
}
