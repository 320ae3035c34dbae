// `GET /metrics`: the numbers of `GET /stats` as Prometheus has them.
//
// Names are `remora_` and the thing, in base units. What a config bounds (listeners, upstreams, services) has series of
// its own, always. Endpoints may be a hundred thousand: see `endpointSeries`. Members have none: 250 nodes that each tell
// of 250 would be 62,500 series that say the same; `remora_members` counts them by state, and `GET /members` names them.
//
// Durations are histograms, so that those of many nodes can be added up before a quantile is taken; summaries could not.

internal import Stats

struct Metrics {
    /// Endpoints that have series of their own, of all upstreams together. Upstreams come in the order of the config, each
    /// with all of its endpoints or none, so that what is summed over one is whole; how many of an upstream have none
    /// is `remora_upstream_endpoints_without_series`.
    static let endpointSeries = 256
    /// Lifetimes go from milliseconds to hours, in steps of four; the others end at a minute, in steps of two.
    private static let lifetimeBounds = stride(from: 5, to: CoarseBuckets.bounds.count, by: 2).map { $0 }
    private static let answerBounds = Array(0..<20)

    private let stats: StatsReport
    private let isReady: Bool
    private let isLive: Bool
    /// Those with series of their own.
    private let endpoints: [(upstream: String, endpoint: EndpointReport)]
    private let withoutSeries: [String: Int]

    init(_ stats: StatsReport, isReady: Bool, isLive: Bool) {
        self.stats = stats
        self.isReady = isReady
        self.isLive = isLive
        var endpoints: [(upstream: String, endpoint: EndpointReport)] = []
        var withoutSeries: [String: Int] = [:]
        for upstream in stats.upstreams {
            if endpoints.count + upstream.endpoints.count <= Self.endpointSeries {
                endpoints += upstream.endpoints.map { (upstream.name, $0) }
            } else {
                withoutSeries[upstream.name] = upstream.endpoints.count
            }
        }
        (self.endpoints, self.withoutSeries) = (endpoints, withoutSeries)
    }

    var text: String {
        var page = Exposition()
        addNode(to: &page)
        addListeners(to: &page)
        addUpstreams(to: &page)
        addDurations(to: &page)
        addEndpoints(to: &page)
        addServices(to: &page)
        if let membership = stats.membership { add(membership, to: &page) }
        if let roster = stats.roster { add(roster, to: &page) }
        if let config = stats.config { add(config, to: &page) }
        if let log = stats.accessLog { add(log, to: &page) }
        addCertificates(to: &page)
        if let process = stats.process { add(process, to: &page) }
        return page.text
    }

    // MARK: This node

    private func addNode(to page: inout Exposition) {
        page.family("remora_build_info", .gauge, "Always 1; its labels say which remora this is.") {
            $0.add(1, [("version", stats.version), ("node", stats.node)])
        }
        page.gauge("remora_uptime_seconds", "Time since this remora started.", stats.uptimeSeconds)
        page.gauge("remora_ready", "Whether /ready answers 200.", isReady)
        page.gauge("remora_live", "Whether /live answers 200.", isLive)
    }

    // MARK: Listeners

    private func addListeners(to page: inout Exposition) {
        let states: [ListenerReport.State] = [.listening, .paused, .failing, .draining]
        page.family("remora_listener_state", .gauge, "1 for the state that the listener is in, 0 for the others.") {
            for listener in stats.listeners {
                for state in states {
                    $0.add(listener.state == state, [("listener", listener.name), ("state", state.rawValue)])
                }
            }
        }
        page.family("remora_listener_open_connections", .gauge, "Connections of clients that are open.") {
            for listener in stats.listeners { $0.add(listener.connections, [("listener", listener.name)]) }
        }
        let counters: [(name: String, help: String, value: KeyPath<ListenerReport, UInt64>)] = [
            ("connections_total", "Connections of clients accepted.", \.connectionsTotal),
            ("refused_total", "Clients closed at once: no endpoint, or a limit reached.", \.refusedTotal),
            ("aborted_total", "Connections that ended by a reset from either side.", \.abortedTotal),
            ("received_bytes_total", "Bytes received from clients.", \.receivedBytesTotal),
            ("sent_bytes_total", "Bytes sent to clients.", \.sentBytesTotal),
        ]
        for (name, help, value) in counters {
            page.family("remora_listener_\(name)", .counter, help) {
                for listener in stats.listeners {
                    $0.add(listener[keyPath: value], [("listener", listener.name)])
                }
            }
        }
        addHandshakes("listener", "with clients", stats.listeners.map { ($0.name, $0.handshakes) }, to: &page)
    }

    /// - Parameter reports: of whom, by name; those that speak no TLS have no series.
    private func addHandshakes(
        _ kind: String, _ with: String, _ reports: [(name: String, handshakes: HandshakesReport?)],
        to page: inout Exposition
    ) {
        let counters: [(name: String, help: String, value: KeyPath<HandshakesReport, UInt64>)] = [
            ("completed", "gone through to the end", \.completedTotal),
            ("resumed", "completed with a session of an earlier connection", \.resumedTotal),
            ("failed", "refused by either side, broken off, or too slow", \.failedTotal),
        ]
        for (name, help, value) in counters {
            page.family(
                "remora_\(kind)_tls_handshakes_\(name)_total", .counter, "TLS handshakes \(with) that were \(help)."
            ) {
                for (subject, handshakes) in reports {
                    if let handshakes { $0.add(handshakes[keyPath: value], [(kind, subject)]) }
                }
            }
        }
    }

    // MARK: Upstreams

    private static let endpointStates = [
        "fit", "suspect", "failing", "draining", "ejected", "full", "dead", "left", "unlisted",
    ]

    private func addUpstreams(to page: inout Exposition) {
        page.family("remora_upstream_endpoints", .gauge, "Endpoints by state.") {
            for upstream in stats.upstreams {
                let counts = Dictionary(upstream.endpoints.map { ($0.state, 1) }, uniquingKeysWith: +)
                for state in Self.endpointStates {
                    $0.add(counts[state] ?? 0, [("upstream", upstream.name), ("state", state)])
                }
            }
        }
        page.family(
            "remora_upstream_endpoints_without_series", .gauge,
            "Endpoints that no remora_endpoint_ metric tells of, since there are too many."
        ) {
            for upstream in stats.upstreams { $0.add(withoutSeries[upstream.name] ?? 0, [("upstream", upstream.name)]) }
        }
        page.family("remora_upstream_outstanding", .gauge, "Requests that wait for an answer, at all endpoints.") {
            for upstream in stats.upstreams {
                $0.add(upstream.endpoints.reduce(0) { $0 + $1.outstanding }, [("upstream", upstream.name)])
            }
        }
        page.family("remora_upstream_open_connections", .gauge, "Connections that are open, to all endpoints.") {
            for upstream in stats.upstreams {
                $0.add(upstream.endpoints.reduce(0) { $0 + $1.connections }, [("upstream", upstream.name)])
            }
        }
        page.family("remora_upstream_retries_total", .counter, "Connections placed once more, on another endpoint.") {
            for upstream in stats.upstreams { $0.add(upstream.retriesTotal, [("upstream", upstream.name)]) }
        }
        addHandshakes("upstream", "with endpoints", stats.upstreams.map { ($0.name, $0.handshakes) }, to: &page)
    }

    private func addDurations(to page: inout Exposition) {
        let families: [(name: String, help: String, value: KeyPath<UpstreamReport, QuantilesReport>, bounds: [Int])] = [
            ("connect", "Time that connecting to an endpoint took.", \.connectSeconds, Self.answerBounds),
            (
                "first_byte",
                "Time from a request, or from its connection's acceptance, to the first byte of its answer.",
                \.firstByteSeconds, Self.answerBounds
            ),
            ("lifetime", "Time that connections were open.", \.lifetimeSeconds, Self.lifetimeBounds),
        ]
        for (name, help, value, bounds) in families {
            page.family("remora_upstream_\(name)_seconds", .histogram, help) {
                for upstream in stats.upstreams {
                    let durations = upstream[keyPath: value]
                    $0.addHistogram(
                        bounds: bounds.map { CoarseBuckets.bounds[$0] }, counts: durations.counts(between: bounds),
                        sum: durations.sum, [("upstream", upstream.name)])
                }
            }
        }
    }

    // MARK: Endpoints

    private func addEndpoints(to page: inout Exposition) {
        func family(
            _ name: String, _ kind: Exposition.Kind, _ help: String,
            _ add: (inout Exposition.Series, EndpointReport, [Exposition.Label]) -> Void
        ) {
            page.family("remora_endpoint_\(name)", kind, help) {
                for (upstream, endpoint) in endpoints {
                    add(
                        &$0, endpoint,
                        [
                            ("upstream", upstream), ("endpoint", endpoint.address),
                            ("member", endpoint.member ?? ""), ("zone", endpoint.zone ?? ""),
                        ])
                }
            }
        }
        family("fit", .gauge, "Whether the endpoint is fit; remora_upstream_endpoints counts the other states.") {
            $0.add($1.state == "fit", $2)
        }
        family("weight", .gauge, "Its share of the traffic relative to its peers.") { $0.add($1.weight, $2) }
        family("outstanding", .gauge, "Requests of this remora that wait for an answer.") { $0.add($1.outstanding, $2) }
        family("fleet_outstanding", .gauge, "Requests of all clients, as the endpoint's own sidecar counts them.") {
            if let outstanding = $1.fleetOutstanding { $0.add(outstanding, $2) }
        }
        family(
            "fleet_answer_seconds", .gauge, "Mean time of answers of late, as the endpoint's own sidecar measures it."
        ) {
            if let seconds = $1.fleetAnswerSeconds { $0.add(seconds, $2) }
        }
        family("open_connections", .gauge, "Connections of this remora that are open.") { $0.add($1.connections, $2) }
        let counters: [(name: String, help: String, value: KeyPath<EndpointReport, UInt64>)] = [
            ("connections_total", "Connections placed on the endpoint.", \.connectionsTotal),
            ("failures_total", "Connects that failed, and resets before an answer.", \.failuresTotal),
            ("drained_total", "Connections closed at rest because the endpoint was given up.", \.drainedTotal),
            ("reset_total", "Connections aborted because the endpoint was given up.", \.resetTotal),
            ("received_bytes_total", "Bytes received from the endpoint.", \.receivedBytesTotal),
            ("sent_bytes_total", "Bytes sent to the endpoint.", \.sentBytesTotal),
        ]
        for (name, help, value) in counters {
            family(name, .counter, help) { $0.add($1[keyPath: value], $2) }
        }
    }

    // MARK: The fleet

    private func addServices(to page: inout Exposition) {
        page.family("remora_service_state", .gauge, "1 for the state that the service is in, 0 for the others.") {
            for service in stats.services {
                for state in ["passing", "failing", "draining"] {
                    $0.add(service.state == state, [("service", service.name), ("state", state)])
                }
            }
        }
    }

    private func add(_ membership: MembershipReport, to page: inout Exposition) {
        page.family("remora_members", .gauge, "Members of the fleet by state, this node among them.") {
            let counts = [
                ("alive", membership.alive), ("suspect", membership.suspect), ("dead", membership.dead),
                ("left", membership.left),
            ]
            for (state, count) in counts { $0.add(count, [("state", state)]) }
        }
        page.gauge(
            "remora_membership_health_score", "Lifeguard's local health; 0 is well.", membership.healthScore)
        page.gauge("remora_membership_incarnation", "This node's incarnation.", Int(membership.incarnation))
        page.gauge("remora_membership_queued", "Messages that wait to be told.", membership.queued)
        page.gauge(
            "remora_membership_last_known_good",
            "Whether the view of the fleet is not believed, and an older one kept.",
            membership.lastKnownGood)
        // A label would be a new series with every change; a double holds 48 bits exactly.
        page.gauge(
            "remora_membership_view_checksum", "48 bits that are equal where the same members are present.",
            Double((UInt64(membership.viewChecksum, radix: 16) ?? 0) >> 16))
        add(membership.agreement, to: &page)
        let counters: [(name: String, help: String, value: KeyPath<MembershipReport, UInt64>)] = [
            ("received_datagrams_total", "Datagrams of gossip received.", \.receivedDatagramsTotal),
            ("sent_datagrams_total", "Datagrams of gossip sent.", \.sentDatagramsTotal),
            ("received_bytes_total", "Bytes of datagrams received.", \.receivedBytesTotal),
            ("sent_bytes_total", "Bytes of datagrams sent.", \.sentBytesTotal),
            ("refused_datagrams_total", "Datagrams damaged, or of another key or label.", \.refusedDatagramsTotal),
            ("refused_messages_total", "Messages that could not be read.", \.refusedMessagesTotal),
            ("read_pauses_total", "How often datagrams came faster than they are read.", \.readPausesTotal),
            ("unsent_datagrams_total", "Datagrams that the kernel did not take.", \.unsentDatagramsTotal),
            ("accepted_streams_total", "Streams accepted from members.", \.acceptedStreamsTotal),
            ("opened_streams_total", "Streams opened to members.", \.openedStreamsTotal),
            ("refused_streams_total", "Streams refused.", \.refusedStreamsTotal),
            ("failed_streams_total", "Streams that did not end well.", \.failedStreamsTotal),
        ]
        for (name, help, value) in counters {
            page.counter("remora_membership_\(name)", help, membership[keyPath: value])
        }
        add(membership.telemetry, to: &page)
    }

    /// Nothing where nobody is compared: zeros would say that all is well.
    private func add(_ agreement: AgreementReport, to page: inout Exposition) {
        guard agreement.remoras > 0 else { return }
        page.family(
            "remora_membership_remoras", .gauge,
            "Remoras that are present, this node among them, by their view of the fleet."
        ) {
            let counts = [
                ("same", agreement.sameView), ("other", agreement.otherView), ("unknown", agreement.unheard),
            ]
            for (view, count) in counts { $0.add(count, [("view", view)]) }
        }
        page.gauge(
            "remora_membership_longest_disagreement_seconds",
            "How long a remora's view has been another than this node's, neither of them changing; the longest.",
            agreement.differing.first?.seconds ?? 0)
        page.gauge(
            "remora_membership_other_config_remoras", "Remoras with other upstreams in their configs.",
            agreement.otherConfigs)
    }

    private func add(_ telemetry: TelemetryReport, to page: inout Exposition) {
        page.gauge("remora_telemetry_expected", "Remoras with services, this node apart.", telemetry.expected)
        page.gauge("remora_telemetry_held", "Those of them whose load is known.", telemetry.held)
        page.gauge("remora_telemetry_oldest_seconds", "Age of the oldest report that is held.", telemetry.oldestSeconds)
        page.counter("remora_telemetry_sent_bytes_total", "Bytes of load reports sent.", telemetry.sentBytesTotal)
        page.counter(
            "remora_telemetry_received_reports_total", "Load reports received.", telemetry.receivedReportsTotal)
        page.counter(
            "remora_telemetry_refused_messages_total", "Load reports that could not be read.",
            telemetry.refusedMessagesTotal)
    }

    private func add(_ roster: RosterReport, to page: inout Exposition) {
        page.gauge("remora_roster_listed", "Members that the roster lists.", roster.listed)
        page.gauge("remora_roster_stale", "Whether the roster may be out of date.", roster.isStale)
    }

    private func add(_ config: ConfigReport, to page: inout Exposition) {
        // As with the view: a label would be a new series with every change.
        page.gauge(
            "remora_config_checksum", "48 bits that are equal where the same file is in force.",
            Double(UInt64(config.checksum.prefix(12), radix: 16) ?? 0))
        page.gauge("remora_config_age_seconds", "Time since this config came into force.", config.loadedSeconds)
        page.gauge("remora_config_refused", "Whether the last reload was refused.", config.fault != nil)
        page.gauge(
            "remora_config_waits_for_restart", "Settings of the file that wait for a restart.",
            config.needsRestart.count)
        page.counter("remora_config_reloads_total", "Times that another config came into force.", config.reloadsTotal)
        page.counter("remora_config_rejected_total", "Times that a config was refused.", config.rejectedTotal)
    }

    /// Under the names that all of Prometheus's own libraries give them.
    private func add(_ process: ProcessReport, to page: inout Exposition) {
        if let count = process.openFds { page.gauge("process_open_fds", "Descriptors that are open.", count) }
        if let count = process.maxFds { page.gauge("process_max_fds", "Descriptors that may be open.", count) }
        if let bytes = process.residentMemoryBytes {
            page.gauge("process_resident_memory_bytes", "Memory of this process that is in RAM.", Double(bytes))
        }
        if let bytes = process.virtualMemoryBytes {
            page.gauge("process_virtual_memory_bytes", "Address space of this process.", Double(bytes))
        }
        if let seconds = process.cpuSecondsTotal {
            page.family("process_cpu_seconds_total", .counter, "Processor time, in user space and in the kernel.") {
                $0.add(seconds)
            }
        }
        if let seconds = process.startTimeSeconds {
            page.gauge("process_start_time_seconds", "When this process was started, since 1970.", seconds)
        }
    }

    private func add(_ log: AccessLogReport, to page: inout Exposition) {
        page.counter("remora_access_log_lines_total", "Lines of the access log that were written.", log.writtenTotal)
        page.counter("remora_access_log_dropped_total", "Lines of the access log that were not.", log.droppedTotal)
        page.gauge("remora_access_log_failing", "Whether its file took nothing the last time.", log.fault != nil)
    }

    private func addCertificates(to page: inout Exposition) {
        guard !stats.certificates.isEmpty else { return }
        page.family(
            "remora_certificate_expires_seconds", .gauge,
            "Time until the first certificate in the file ends; negative once it has."
        ) {
            for certificate in stats.certificates {
                guard let seconds = certificate.expiresSeconds else { continue }
                $0.add(Int(seconds), [("path", certificate.path), ("kind", certificate.kind)])
            }
        }
        page.family("remora_certificate_refused", .gauge, "Whether the file as it is now is not used.") {
            for certificate in stats.certificates {
                $0.add(certificate.refused != nil, [("path", certificate.path), ("kind", certificate.kind)])
            }
        }
    }
}

extension QuantilesReport {
    /// The counts up to each of some bounds, by their places in ``CoarseBuckets``, and of the rest.
    fileprivate func counts(between bounds: [Int]) -> [UInt64] {
        var start = 0
        var counts: [UInt64] = []
        for bound in bounds {
            counts.append(buckets[start...bound].reduce(0, +))
            start = bound + 1
        }
        return counts + [buckets[start...].reduce(0, +)]
    }
}
