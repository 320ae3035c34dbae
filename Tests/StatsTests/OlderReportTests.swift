// What an older remora says, read by a newer command: a fleet is not upgraded at one blow, nor with its operators' tools.

import Foundation
import Testing

@testable import Stats

@Suite("Reports of older remoras")
struct OlderReportTests {
    /// As `GET /stats` writes it, and a command reads it.
    private func object(_ value: some Encodable) throws -> [String: Any] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try #require(JSONSerialization.jsonObject(with: encoder.encode(value)) as? [String: Any])
    }

    private func text(_ object: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self)
    }

    private func read<Value: Decodable>(_ type: Value.Type, _ object: Any) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: JSONSerialization.data(withJSONObject: object))
    }

    /// With another value in each of its places; flags are what they are not by default.
    private func filled(_ object: [String: Any], flags: Set<String>, _ last: inout Int) -> [String: Any] {
        var object = object
        for key in object.keys.sorted() {
            last += 1
            switch object[key] {
            case let inner as [String: Any]: object[key] = filled(inner, flags: flags, &last)
            case is String: object[key] = "text \(last)"
            case is [Any]: break
            default: object[key] = flags.contains(key) ? true as Any : last
            }
        }
        return object
    }

    @Test("Every field that is said is read, whatever an older one may leave out")
    func complete() throws {
        var last = 0
        let membership = filled(try object(MembershipReport()), flags: ["joined", "last_known_good"], &last)
        #expect(try text(object(read(MembershipReport.self, membership))) == text(membership))
        let probes = filled(try object(ProbesReport()), flags: [], &last)
        #expect(try text(object(read(ProbesReport.self, probes))) == text(probes))
        let change = ExplanationReport.Change(agoSeconds: 2, text: "it came")
        let explanation = ExplanationReport(
            subject: .upstream, name: "web", sentences: ["It is so."], changes: [change], coversSeconds: 3)
        #expect(try read(ExplanationReport.self, object(explanation)) == explanation)
    }

    @Test("A fleet that does not say whether it agrees is read, and told apart from one that does")
    func membership() throws {
        var said = try object(MembershipReport())
        said["agreement"] = nil
        said["alive"] = 3
        let report = try read(MembershipReport.self, said)
        #expect(report.alive == 3 && report.agreement.remoras == 0 && report.agreement.otherView == 0)
        #expect(report.agreement.sentence == "Views are not compared: this remora is older than that.")
    }

    @Test("Picks that are not divided by their reasons are read")
    func probes() throws {
        var said = try object(ProbesReport())
        said["local_picks_total"] = 7
        for key in ["unreported_picks_total", "alone_picks_total"] {
            #expect(said.removeValue(forKey: key) != nil)
        }
        let report = try read(ProbesReport.self, said)
        #expect(report.localPicksTotal == 7 && report.unreportedPicksTotal == 0 && report.alonePicksTotal == 0)
    }

    @Test("An explanation without changes is read")
    func explanation() throws {
        let said: [String: Any] = ["subject": "member", "name": "b", "sentences": ["It is alive."]]
        let report = try read(ExplanationReport.self, said)
        #expect(report == ExplanationReport(subject: .member, name: "b", sentences: ["It is alive."]))
        // What no remora ever left out is no report without it.
        #expect(throws: DecodingError.self) { try read(ExplanationReport.self, ["subject": "member", "name": "b"]) }
    }

    @Test("All of what an older remora says under /stats is read, without what came later")
    func stats() throws {
        var upstream = UpstreamReport(name: "web", balance: "p2c", load: "fleet", endpoints: [])
        upstream.probes = ProbesReport()
        let stats = StatsReport(
            node: "a", version: "0.1.0", uptimeSeconds: 1, listeners: [], upstreams: [upstream],
            membership: MembershipReport())
        var said = try object(stats)
        for key in ["stage", "config", "process", "access_log"] { #expect(said.removeValue(forKey: key) != nil) }
        var membership = try #require(said["membership"] as? [String: Any])
        membership["agreement"] = nil
        said["membership"] = membership
        var upstreams = try #require(said["upstreams"] as? [[String: Any]])
        var probes = try #require(upstreams[0]["probes"] as? [String: Any])
        probes["unreported_picks_total"] = nil
        probes["alone_picks_total"] = nil
        upstreams[0]["probes"] = probes
        upstreams[0]["handshakes"] = nil
        said["upstreams"] = upstreams
        let report = try read(StatsReport.self, said)
        #expect(report.upstreams.first?.probes == ProbesReport() && report.stage == nil && report.process == nil)
    }
}
