// The columns of the workers' counter tables.

enum ListenerColumn: Int, CaseIterable {
    case connections, connectionsTotal, refusedTotal, abortedTotal, receivedBytesTotal, sentBytesTotal
    /// Of what was sent in either direction, what never entered user space; not on the admin port.
    case splicedBytesTotal
}

enum UpstreamColumn: Int, CaseIterable {
    case retriesTotal
}

enum EndpointColumn: Int, CaseIterable {
    case connectionsTotal, failuresTotal, receivedBytesTotal, sentBytesTotal
}
