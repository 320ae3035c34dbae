import Foundation
import Testing

@testable import Admin
import Stats

@Suite("Metrics")
struct MetricsTests {
    private func page(_ stats: StatsReport = .whole) -> String {
        Metrics(stats, isReady: true, isLive: false).text
    }

    @Test("promtool finds nothing to complain of, in a page with everything there is")
    func lint() throws {
        let (status, said) = try promtool(["check", "metrics"], input: page())
        #expect(status == 0)
        #expect(said.isEmpty, "\(said)")
    }

    @Test("promtool does complain of a page that is wrong, so that its silence says something")
    func lintLints() throws {
        let (status, _) = try promtool(["check", "metrics"], input: "# TYPE remora_x counter\nremora_x 1\n")
        #expect(status != 0)
    }

    @Test("A report's numbers stand under their names")
    func numbers() {
        let lines = Set(page().split(separator: "\n").map(String.init))
        for line in [
            #"remora_build_info{version="0.1.0",node="edge-001"} 1"#, "remora_ready 1", "remora_live 0",
            #"remora_listener_open_connections{listener="ingest-out"} 3"#,
            #"remora_listener_state{listener="ingest-out",state="listening"} 1"#,
            #"remora_listener_tls_handshakes_completed_total{listener="ingest-out"} 20"#,
            #"remora_listener_tls_handshakes_resumed_total{listener="ingest-out"} 19"#,
            #"remora_listener_tls_handshakes_failed_total{listener="ingest-out"} 3"#,
            #"remora_upstream_tls_handshakes_completed_total{upstream="ingest"} 4"#,
            #"remora_listener_state{listener="ingest-out",state="failing"} 0"#,
            #"remora_upstream_endpoints{upstream="ingest",state="ejected"} 1"#,
            #"remora_endpoint_fit{upstream="ingest",endpoint="unix:/run/a.sock",member="edge-017",zone="pacific"} 0"#,
            #"remora_endpoint_fleet_outstanding{upstream="ingest",endpoint="10.0.0.1:9000",member="",zone=""} 7"#,
            #"remora_endpoint_fleet_answer_seconds{upstream="ingest",endpoint="10.0.0.1:9000",member="",zone=""} 0.125"#,
            #"remora_upstream_connect_seconds_bucket{upstream="ingest",le="0.000125"} 2"#,
            #"remora_upstream_connect_seconds_bucket{upstream="ingest",le="0.00025"} 5"#,
            #"remora_upstream_connect_seconds_bucket{upstream="ingest",le="65.536"} 5"#,
            #"remora_upstream_connect_seconds_bucket{upstream="ingest",le="+Inf"} 6"#,
            #"remora_upstream_connect_seconds_count{upstream="ingest"} 6"#,
            #"remora_upstream_connect_seconds_sum{upstream="ingest"} 0.5"#,
            #"remora_upstream_lifetime_seconds_bucket{upstream="ingest",le="0.004"} 4"#,
            #"remora_members{state="suspect"} 2"#, "remora_membership_view_checksum 2596069104",
            #"remora_service_state{service="a",state="passing"} 1"#, "remora_roster_stale 1",
            "remora_config_checksum 20015998343868", "remora_config_refused 1", "remora_config_waits_for_restart 1",
            "remora_config_reloads_total 2", "remora_config_rejected_total 3",
            #"remora_certificate_expires_seconds{path="/a.pem",kind="certificate"} -5"#,
            #"remora_membership_remoras{view="same"} 6"#, #"remora_membership_remoras{view="other"} 2"#,
            #"remora_membership_remoras{view="unknown"} 1"#, "remora_membership_other_config_remoras 3",
            "remora_membership_longest_disagreement_seconds 12.5", "process_open_fds 17", "process_max_fds 1024",
            "process_cpu_seconds_total 1.25", "process_resident_memory_bytes 5242880",
            "process_start_time_seconds 1700000000.5",
            #"remora_certificate_refused{path="/a.pem",kind="certificate"} 1"#,
        ] { #expect(lines.contains(line), "\(line)") }
    }

    @Test("Where nobody is compared nothing is said of agreement: zeros would look like all being well")
    func withoutAgreement() {
        var stats = StatsReport.whole
        stats.membership?.agreement = AgreementReport()
        let text = page(stats)
        #expect(text.contains("remora_membership_view_checksum"))
        for name in ["remoras", "longest_disagreement_seconds", "other_config_remoras"] {
            #expect(!text.contains("remora_membership_\(name)"))
        }
    }

    @Test("More endpoints than there is room for have no series, an upstream's all or none, and are counted")
    func bounded() {
        var stats = StatsReport.whole
        let endpoint = stats.upstreams[0].endpoints[0]
        var large = stats.upstreams[0]
        large.name = "large"
        large.endpoints = (0..<Metrics.endpointSeries).map { number in
            var endpoint = endpoint
            endpoint.address = "10.0.1.\(number):1"
            return endpoint
        }
        stats.upstreams.insert(large, at: 1)
        var last = stats.upstreams[0]
        last.name = "last"
        stats.upstreams.append(last)
        let text = page(stats)
        #expect(text.contains(#"remora_upstream_endpoints_without_series{upstream="ingest"} 0"#))
        #expect(text.contains(#"remora_upstream_endpoints_without_series{upstream="large"} 256"#))
        #expect(text.contains(#"remora_upstream_endpoints{upstream="large",state="fit"} 256"#))
        #expect(!text.contains(#"remora_endpoint_fit{upstream="large""#))
        #expect(text.contains(#"remora_endpoint_fit{upstream="last""#))
    }

    @Test("Labels are escaped, and of two series with one name only one is written")
    func labels() {
        var stats = StatsReport.whole
        stats.listeners[0].name = "a\"\\\n"
        stats.listeners.append(stats.listeners[0])
        let text = page(stats)
        let line = #"remora_listener_open_connections{listener="a\"\\\n"} "#
        #expect(text.components(separatedBy: line).count == 2)
    }

    // MARK: What is in configs

    private static let configs = URL(filePath: #filePath).appending(path: "../../../configs").standardized

    @Test("The alert rules are ones to promtool")
    func rules() throws {
        let (status, said) = try promtool(
            ["check", "rules", Self.configs.appending(path: "alerts.yaml").path], input: "")
        #expect(status == 0, "\(said)")
    }

    @Test("A split fleet is told of, and one that changes all the time is not; descriptors are watched under any job")
    func ruleBehaviour() throws {
        let file = URL.temporaryDirectory.appending(path: "remora-rules-\(UUID().uuidString).yaml")
        try Self.ruleTests.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, said) = try promtool(["test", "rules", file.path], input: "")
        #expect(status == 0, "\(said)")
    }

    /// Series by the half minute, and the alerts that come of them.
    private static let ruleTests = """
        rule_files: ["\(configs.appending(path: "alerts.yaml").path)"]
        evaluation_interval: 30s
        tests:
          - name: two halves that hold each other for dead
            interval: 30s
            input_series:
              - {series: 'remora_membership_view_checksum{instance="a", job="edge"}', values: '7x10 8x30'}
              - {series: 'remora_membership_view_checksum{instance="b", job="edge"}', values: '7x10 8x30'}
              - {series: 'remora_membership_view_checksum{instance="c", job="edge"}', values: '7x10 9x30'}
            alert_rule_test:
              - {eval_time: 5m, alertname: RemoraFleetSplit}
              - {eval_time: 7m, alertname: RemoraFleetSplit}
              - eval_time: 14m
                alertname: RemoraFleetSplit
                exp_alerts:
                  - exp_labels: {severity: critical}
                    exp_annotations: {summary: "not all remoras see the same members, and their views do not move; ask several: remora members"}
          - name: a fleet that changes all the time, whose members are scraped one after another
            interval: 30s
            input_series:
              - {series: 'remora_membership_view_checksum{instance="a"}', values: '1+1x60'}
              - {series: 'remora_membership_view_checksum{instance="b"}', values: '2+1x60'}
              - {series: 'remora_membership_view_checksum{instance="c"}', values: '3+1x60'}
            alert_rule_test:
              - {eval_time: 10m, alertname: RemoraFleetSplit}
              - {eval_time: 28m, alertname: RemoraFleetSplit}
          - name: few descriptors, of a remora and of something else
            interval: 30s
            input_series:
              - {series: 'remora_ready{instance="a", job="edge"}', values: '0x30'}
              - {series: 'process_open_fds{instance="a", job="edge"}', values: '90x30'}
              - {series: 'process_max_fds{instance="a", job="edge"}', values: '100x30'}
              - {series: 'remora_ready{instance="b", job="edge"}', values: '1x30'}
              - {series: 'process_open_fds{instance="b", job="edge"}', values: '70x30'}
              - {series: 'process_max_fds{instance="b", job="edge"}', values: '100x30'}
              - {series: 'process_open_fds{instance="a", job="other"}', values: '90x30'}
              - {series: 'process_max_fds{instance="a", job="other"}', values: '100x30'}
            alert_rule_test:
              - eval_time: 10m
                alertname: RemoraFewDescriptors
                exp_alerts:
                  - exp_labels: {severity: warning, instance: a, job: edge}
                    exp_annotations: {summary: "a has more than 80 % of its descriptors open"}

        """

    @Test("Rules and dashboard speak of metrics that there are", arguments: ["alerts.yaml", "grafana-dashboard.json"])
    func names(file: String) throws {
        let text = try String(contentsOf: Self.configs.appending(path: file), encoding: .utf8)
        let there = Set(page().matches(of: /(?m)^(remora_[a-z_]+)/).map { String($0.1) })
        let named = Set(text.matches(of: /\bremora_[a-z_]+/).map { String($0.0) })
        #expect(named.count > 5)
        #expect(named.subtracting(there).isEmpty)
        if file.hasSuffix("json") { _ = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    }
}

/// Runs Prometheus's tool; what it says on both streams.
private func promtool(_ arguments: [String], input: String) throws -> (status: Int32, said: String) {
    let path = "/usr/bin/promtool"
    try #require(
        FileManager.default.isExecutableFile(atPath: path),
        "no promtool on this machine; install the package prometheus")
    let process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    let (into, out) = (Pipe(), Pipe())
    (process.standardInput, process.standardOutput, process.standardError) = (into, out, out)
    try process.run()
    try into.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try into.fileHandleForWriting.close()
    let said = try out.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: said, as: UTF8.self))
}

extension StatsReport {
    /// The example, as a member of a fleet, with a service and a roster.
    fileprivate static let whole: StatsReport = {
        var stats = StatsReport.example
        stats.upstreams[0].endpoints[0].fleetOutstanding = 7
        stats.upstreams[0].endpoints[0].fleetAnswerSeconds = 0.125
        stats.upstreams[0].connectSeconds.buckets[0] = 2
        stats.upstreams[0].connectSeconds.buckets[1] = 3
        stats.upstreams[0].connectSeconds.buckets[25] = 1
        stats.upstreams[0].connectSeconds.sum = 0.5
        stats.upstreams[0].handshakes = HandshakesReport(completedTotal: 4, resumedTotal: 2, failedTotal: 1)
        stats.listeners[0].handshakes = HandshakesReport(completedTotal: 20, resumedTotal: 19, failedTotal: 3)
        stats.upstreams[0].lifetimeSeconds.buckets[0] = 1
        stats.upstreams[0].lifetimeSeconds.buckets[5] = 3
        var membership = MembershipReport()
        membership.suspect = 2
        membership.agreement.remoras = 9
        membership.agreement.unheard = 1
        membership.agreement.sameView = 6
        membership.agreement.sameConfig = 5
        membership.agreement.differing = [.init(name: "z", seconds: 12.5), .init(name: "y", seconds: 1)]
        membership.viewChecksum = "00009abcdef0ffff"
        stats.membership = membership
        stats.services = [ServiceReport(name: "a", address: "127.0.0.1:1", tag: nil, state: "passing", reason: "")]
        stats.roster = RosterReport(source: "etcd", listed: 3, isStale: true, standing: "")
        stats.config = ConfigReport(
            file: "edge.yaml", checksum: "123456789abc" + String(repeating: "0", count: 52), loadedSeconds: 9,
            reloadsTotal: 2, rejectedTotal: 3, fault: "a fault", needsRestart: ["node.name"])
        stats.process = ProcessReport(pid: 1)
        stats.process?.openFds = 17
        stats.process?.maxFds = 1_024
        stats.process?.residentMemoryBytes = 5 << 20
        stats.process?.virtualMemoryBytes = 6 << 20
        stats.process?.cpuSecondsTotal = 1.25
        stats.process?.startTimeSeconds = 1_700_000_000.5
        stats.certificates = [
            CertificateReport(
                path: "/a.pem", kind: "certificate", names: ["a.edge"], usedBy: ["listener:in"], state: .expired,
                expiresSeconds: -5, refused: "no key")
        ]
        return stats
    }()
}
