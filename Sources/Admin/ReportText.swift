// `remora stats` for people: a report as aligned tables, in units that can be read at a glance.

package import Stats

extension StatsReport {
    /// Tables of listeners and upstreams; plain text, whatever the terminal.
    package var text: String { text(colours: false) }

    /// - Parameter colours: whether states are coloured.
    package func text(colours: Bool) -> String {
        let head =
            "\(TextTable.printable(node))  remora \(TextTable.printable(version))  up \(HumanUnits.duration(uptimeSeconds))\n"
        return ([head + (accessLog?.text ?? ""), listenersText(colours)] + upstreams.map { $0.text(colours) })
            .joined(separator: "\n")
    }

    private func listenersText(_ colours: Bool) -> String {
        guard !listeners.isEmpty else { return "no listeners\n" }
        var table = TextTable(
            .left("LISTENER"), .left("ADDRESS"), .left("UPSTREAM"), .state("STATE"), .right("CONNECTIONS"),
            .right("TOTAL"), .right("REFUSED"), .right("ABORTED"), .right("RECEIVED"), .right("SENT"))
        for listener in listeners {
            table.add(
                listener.name, listener.address, listener.upstream, listener.state.rawValue,
                "\(listener.connections)", "\(listener.connectionsTotal)", "\(listener.refusedTotal)",
                "\(listener.abortedTotal)", HumanUnits.bytes(listener.receivedBytesTotal),
                HumanUnits.bytes(listener.sentBytesTotal))
        }
        let handshakes = listeners.compactMap { listener in
            listener.handshakes.map { "\(TextTable.printable(listener.name)): \($0.text)" }
        }
        return table.text(colours: colours) + handshakes.joined()
    }
}

extension HandshakesReport {
    fileprivate var text: String {
        "\(completedTotal) TLS handshakes, \(resumedTotal) of them of a session, and \(failedTotal) that failed\n"
    }
}

extension AccessLogReport {
    /// One line.
    fileprivate var text: String {
        let fault = fault.map { "; it takes none now: \(TextTable.printable($0))" } ?? ""
        return
            "access log \(TextTable.printable(path))  \(writtenTotal) lines written, \(droppedTotal) dropped\(fault)\n"
    }
}

extension UpstreamsReport {
    /// Tables of each upstream; plain text, whatever the terminal.
    package var text: String { text(colours: false) }

    /// - Parameter colours: whether states are coloured.
    package func text(colours: Bool) -> String {
        upstreams.isEmpty ? "no upstreams\n" : upstreams.map { $0.text(colours) }.joined(separator: "\n")
    }
}

extension UpstreamReport {
    fileprivate func text(_ colours: Bool) -> String {
        let retries = "\(retriesTotal) \(retriesTotal == 1 ? "retry" : "retries")"
        let ring = ringChecksum.map { "  ring \(TextTable.printable($0))" } ?? ""
        let title = "upstream \(TextTable.printable(name))  \(balance)\(ring)  load \(load)  \(retries)\n"
        return title + (probes?.text ?? "") + (handshakes?.text ?? "") + timesText + "\n" + endpointsText(colours)
    }

    private var timesText: String {
        var table = TextTable(
            .left("TIME"), .right("COUNT"), .right("P50"), .right("P90"), .right("P99"), .right("P99.9"), .right("MAX"))
        for (name, times) in [
            ("connect", connectSeconds), ("first byte", firstByteSeconds), ("lifetime", lifetimeSeconds),
        ] {
            guard times.count > 0 else {
                table.add(name, "0", "-", "-", "-", "-", "-")
                continue
            }
            table.add(
                name, "\(times.count)", HumanUnits.duration(times.p50), HumanUnits.duration(times.p90),
                HumanUnits.duration(times.p99), HumanUnits.duration(times.p999), HumanUnits.duration(times.max))
        }
        return table.text
    }

    private func endpointsText(_ colours: Bool) -> String {
        guard !endpoints.isEmpty else { return "no endpoints\n" }
        var table = TextTable(
            .left("ENDPOINT"), .left("MEMBER"), .left("ZONE"), .state("STATE"), .right("WEIGHT"), .right("OUTSTANDING"),
            .right("CONNECTIONS"), .right("TOTAL"), .right("FAILURES"), .right("RECEIVED"), .right("SENT"),
            .left("REASON"))
        for endpoint in endpoints {
            table.add(
                endpoint.address, endpoint.member ?? "-", endpoint.zone ?? "-", endpoint.state, "\(endpoint.weight)",
                "\(endpoint.outstanding)", "\(endpoint.connections)", "\(endpoint.connectionsTotal)",
                "\(endpoint.failuresTotal)", HumanUnits.bytes(endpoint.receivedBytesTotal),
                HumanUnits.bytes(endpoint.sentBytesTotal), endpoint.reason)
        }
        return table.text(colours: colours)
    }
}

extension ProbesReport {
    /// One line.
    fileprivate var text: String {
        let age = fleetPicksTotal == 0 ? "-" : HumanUnits.duration(meanAgeSeconds)
        return "probes \(sentTotal) sent, \(answeredTotal) answered, \(lateTotal) late, \(refusedTotal) refused; "
            + "picks \(fleetPicksTotal) by fleet load (mean age \(age)), \(localPicksTotal) by own counts; "
            + "\(waitsTotal) waited\n"
    }
}

/// Numbers as people say them: about three digits and a unit.
package enum HumanUnits {
    package static func bytes(_ count: UInt64) -> String {
        guard count >= 1024 else { return "\(count) B" }
        var value = Double(count) / 1024
        for unit in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
            // 1023.95 would be written 1024.0: the next unit says it better.
            if value < 1023.95 { return "\(decimal(value, places: 1)) \(unit)" }
            value /= 1024
        }
        return "\(decimal(value, places: 1)) EiB"
    }

    /// - Parameter seconds: not negative.
    package static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.000_999_5: "\(decimal(seconds * 1e6, places: 0)) µs"
        case ..<0.999_95: "\(decimal(seconds * 1e3, places: 1)) ms"
        case ..<59.995: "\(decimal(seconds, places: 2)) s"
        default: longDuration(Int(min(seconds, 1e15).rounded()))
        }
    }

    /// The two largest units of a minute or more.
    private static func longDuration(_ seconds: Int) -> String {
        if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
        let minutes = seconds / 60
        if minutes < 24 * 60 { return "\(minutes / 60) h \(minutes % 60) min" }
        let hours = minutes / 60
        return "\(hours / 24) d \(hours % 24) h"
    }

    /// `value` with exactly `places` digits after the point.
    private static func decimal(_ value: Double, places: Int) -> String {
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((value * Double(scale)).rounded())
        guard places > 0 else { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
