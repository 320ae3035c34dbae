import Testing

@testable import Admin
import Stats

@Suite("Reports as text")
struct ReportTextTests {
    @Test("A report is a head, a table of listeners, and two tables for each upstream")
    func example() {
        #expect(
            StatsReport.example.text == """
                edge-001  remora 0.1.0  up 3 h 12 min

                LISTENER    ADDRESS          UPSTREAM  STATE      CONNECTIONS  TOTAL  REFUSED  ABORTED  RECEIVED   SENT
                ingest-out  127.0.0.1:15001  ingest    listening            3    120        0        1   1.5 MiB  512 B

                upstream ingest  p2c  load local  1 retry
                TIME        COUNT     P50     P90       P99   P99.9         MAX
                connect       119  230 µs  1.2 ms  250.0 ms  1.50 s  1 min 15 s
                first byte      0       -       -         -       -           -
                lifetime        0       -       -         -       -           -

                ENDPOINT          MEMBER    ZONE     STATE    WEIGHT  OUTSTANDING  CONNECTIONS  TOTAL  FAILURES  RECEIVED  SENT  REASON
                10.0.0.1:9000     -         -        fit         100            2            3    119         0       0 B   0 B  named by the config
                unix:/run/a.sock  edge-017  pacific  ejected      50            0            0      0         4       0 B   0 B  its connection was refused 2 s ago

                """)
    }

    @Test("Where endpoints were asked for their load, a line says what came of it")
    func probes() {
        var report = StatsReport.example
        var probes = ProbesReport()
        (probes.sentTotal, probes.answeredTotal, probes.lateTotal, probes.refusedTotal) = (30, 26, 2, 1)
        (probes.fleetPicksTotal, probes.localPicksTotal, probes.waitsTotal) = (0, 1, 3)
        report.upstreams[0].probes = probes
        let head = "\nupstream ingest  p2c  load local  1 retry\n"
        let line = "probes 30 sent, 26 answered, 2 late, 1 refused; picks 0 by fleet load (mean age -), "
        #expect(report.text.contains(head + line + "1 by own counts; 3 waited\nTIME "))
        (probes.fleetPicksTotal, probes.meanAgeSeconds) = (9, 0.0031)
        report.upstreams[0].probes = probes
        #expect(report.text.contains("; picks 9 by fleet load (mean age 3.1 ms), 1 by own counts; "))
    }

    @Test("Where TLS is spoken, a line says what came of its handshakes")
    func handshakes() {
        var report = StatsReport.example
        let counts = HandshakesReport(completedTotal: 20, resumedTotal: 19, failedTotal: 3)
        report.listeners[0].handshakes = counts
        report.upstreams[0].handshakes = counts
        let line = "20 TLS handshakes, 19 of them of a session, and 3 that failed\n"
        #expect(report.text.contains("512 B\ningest-out: \(line)\nupstream "))
        #expect(report.text.contains("  1 retry\n\(line)TIME "))
    }

    @Test("A remora without listeners or endpoints says so")
    func empty() {
        var report = StatsReport.example
        report.listeners = []
        report.upstreams[0].endpoints = []
        #expect(report.text.contains("\n\nno listeners\n\n"))
        #expect(report.text.hasSuffix("\n\nno endpoints\n"))
    }

    @Test("A name that carries a terminal's escape codes cannot use them")
    func control() {
        var report = StatsReport.example
        report.node = "a\u{1B}[2J"
        report.upstreams[0].endpoints[0].member = "b\u{9B}31m\r\n"
        #expect(report.text.hasPrefix("a?[2J "))
        #expect(report.text.contains(" b?31m?? "))
        #expect(report.text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
    }

    @Test(
        "Sizes are said with one digit after the point and the largest unit that fits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB"), (1_048_576, "1.0 MiB"),
            (1_572_864, "1.5 MiB"), (1_047_552, "1023.0 KiB"), (5_368_709_120, "5.0 GiB"), (.max, "16.0 EiB"),
        ] as [(UInt64, String)])
    func bytes(count: UInt64, text: String) {
        #expect(HumanUnits.bytes(count) == text)
    }

    @Test(
        "Durations are said in the unit that suits them",
        arguments: [
            (0, "0 µs"), (0.000_000_4, "0 µs"), (0.000_999, "999 µs"), (0.000_999_6, "1.0 ms"), (0.001_25, "1.3 ms"),
            (0.999_9, "999.9 ms"), (0.999_96, "1.00 s"), (59.99, "59.99 s"), (59.996, "1 min 0 s"), (60, "1 min 0 s"),
            (3599, "59 min 59 s"), (3600, "1 h 0 min"), (86_399, "23 h 59 min"), (86_400, "1 d 0 h"),
            (1e300, "11574074074 d 1 h"),
        ])
    func durations(seconds: Double, text: String) {
        #expect(HumanUnits.duration(seconds) == text)
    }
}
