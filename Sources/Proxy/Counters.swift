// The columns of the workers' counter tables.

enum ListenerColumn: Int, CaseIterable {
    case connections, connectionsTotal, refusedTotal, abortedTotal, receivedBytesTotal, sentBytesTotal
    /// Of what was sent in either direction, what never entered user space; not on the admin port.
    case splicedBytesTotal
    /// One while the worker takes nobody in because the local instance refuses, else zero.
    case stopped
    /// TLS handshakes with clients.
    case handshakesTotal, handshakesResumedTotal, handshakesFailedTotal
}

enum UpstreamColumn: Int, CaseIterable {
    case retriesTotal
    /// Connections on which the first byte came, and how long all of them waited for it.
    case answersTotal, answerNanosecondsTotal
    /// TLS handshakes with endpoints.
    case handshakesTotal, handshakesResumedTotal, handshakesFailedTotal
    /// Questions for loads, and what came of them; what is missing was lost, or is under way.
    case probesSentTotal, probesAnsweredTotal, probesLateTotal, probesRefusedTotal
    /// Connections that waited for answers before they were placed.
    case probeWaitsTotal
    /// Placements by what endpoints' sidecars said, and how old that was, all together.
    case fleetPicksTotal, fleetAgeNanosecondsTotal
    /// Placements by this process's counts, where others could have been by the fleet's; and of these, those of an
    /// endpoint that tells nobody its load, and those without another to compare with. The rest knew nothing fresh.
    case localPicksTotal, unreportedPicksTotal, alonePicksTotal
}

/// Eight, which is a cache line for each endpoint and worker.
enum EndpointColumn: Int, CaseIterable {
    case connectionsTotal, failuresTotal, receivedBytesTotal, sentBytesTotal
    /// Connections on which the endpoint's first byte came.
    case answeredTotal
    /// Connections that timed out, or were reset before that byte.
    case softFailuresTotal
    /// Connections that its fate has ended, or their age.
    case drainedTotal, resetTotal
}
