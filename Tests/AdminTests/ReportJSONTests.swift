import Foundation
import Testing

@testable import Admin
import Stats

@Suite("Reports as JSON")
struct ReportJSONTests {
    @Test("A report reads back as it was")
    func roundTrip() throws {
        let body = try ReportJSON.encode(StatsReport.example)
        #expect(try ReportJSON.decode(StatsReport.self, from: Array(body)) == .example)
    }

    @Test("Equal reports are equal bytes, on one line with its end")
    func stable() throws {
        let body = try ReportJSON.encode(StatsReport.example)
        #expect(try body == ReportJSON.encode(StatsReport.example))
        #expect(body.count { $0 == 0x0A } == 1)
        #expect(body.last == 0x0A)
    }

    @Test("Every object has exactly the fields of the outside surface")
    func fields() throws {
        let body = try ReportJSON.encode(StatsReport.example)
        let stats = try #require(JSONSerialization.jsonObject(with: body) as? [String: Any])
        #expect(
            Set(stats.keys) == [
                "node", "version", "uptime_seconds", "listeners", "upstreams", "services", "certificates", "membership",
                "roster", "stage", "config", "process", "access_log",
            ])
        // There is none, and that is said.
        #expect(stats["membership"] is NSNull)
        var member = StatsReport.example
        member.membership = MembershipReport()
        let whole = try #require(
            JSONSerialization.jsonObject(with: ReportJSON.encode(member)) as? [String: Any])
        let membership = try #require(whole["membership"] as? [String: Any])
        #expect(
            Set(membership.keys) == [
                "incarnation", "alive", "suspect", "dead", "left", "health_score", "queued", "view_checksum",
                "received_datagrams_total", "sent_datagrams_total", "received_bytes_total", "sent_bytes_total",
                "refused_datagrams_total", "refused_messages_total", "read_pauses_total", "unsent_datagrams_total",
                "accepted_streams_total", "opened_streams_total", "refused_streams_total", "failed_streams_total",
                "last_known_good", "telemetry", "joined", "probes", "agreement",
            ])
        let agreement = try #require(membership["agreement"] as? [String: Any])
        #expect(
            Set(agreement.keys) == [
                "remoras", "unheard", "same_view", "same_config", "differing", "other_config", "sentence",
            ])
        let answered = try #require(membership["probes"] as? [String: Any])
        #expect(
            Set(answered.keys) == ["address", "answered_total", "refused_total", "stray_answers_total"])
        let telemetry = try #require(membership["telemetry"] as? [String: Any])
        #expect(
            Set(telemetry.keys) == [
                "expected", "held", "age_p50_seconds", "age_p99_seconds", "oldest_seconds", "sent_datagrams_total",
                "sent_bytes_total", "received_reports_total", "refused_messages_total",
            ])
        let listener = try #require((stats["listeners"] as? [[String: Any]])?.first)
        #expect(
            Set(listener.keys) == [
                "name", "address", "upstream", "state", "connections", "connections_total", "refused_total",
                "aborted_total",
                "received_bytes_total", "sent_bytes_total", "handshakes",
            ])
        #expect(listener["handshakes"] is NSNull)
        let upstream = try #require((stats["upstreams"] as? [[String: Any]])?.first)
        #expect(
            Set(upstream.keys) == [
                "name", "balance", "load", "ring_checksum", "retries_total", "probes", "handshakes",
                "connect_seconds",
                "first_byte_seconds", "lifetime_seconds", "endpoints",
            ])
        // Nobody was asked, and that is said.
        #expect(upstream["probes"] is NSNull && upstream["handshakes"] is NSNull)
        var asking = StatsReport.example
        asking.upstreams[0].probes = ProbesReport()
        let asked = try #require(
            JSONSerialization.jsonObject(with: ReportJSON.encode(asking)) as? [String: Any])
        let probes = try #require((asked["upstreams"] as? [[String: Any]])?.first?["probes"] as? [String: Any])
        #expect(
            Set(probes.keys) == [
                "sent_total", "answered_total", "late_total", "refused_total", "waits_total", "fleet_picks_total",
                "local_picks_total", "unreported_picks_total", "alone_picks_total", "mean_age_seconds",
            ])
        #expect(upstream["ring_checksum"] is NSNull)
        let times = try #require(upstream["connect_seconds"] as? [String: Any])
        #expect(Set(times.keys) == ["count", "p50", "p90", "p99", "p999", "max", "sum", "buckets"])
        let endpoint = try #require((upstream["endpoints"] as? [[String: Any]])?.first)
        #expect(
            Set(endpoint.keys) == [
                "address", "member", "zone", "state", "reason", "weight", "outstanding", "fleet_outstanding",
                "fleet_answer_seconds",
                "connections",
                "connections_total",
                "failures_total", "drained_total", "reset_total", "received_bytes_total", "sent_bytes_total",
            ])
    }

    @Test("An endpoint without a member or a zone says null")
    func nulls() throws {
        let text = String(decoding: try ReportJSON.encode(StatsReport.example), as: UTF8.self)
        #expect(text.contains(#""member":null"#))
        #expect(text.contains(#""zone":null"#))
        #expect(text.contains(#""address":"unix:/run/a.sock""#))
    }
}
