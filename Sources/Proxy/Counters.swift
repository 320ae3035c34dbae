// The columns of the workers' counter tables.

enum ListenerColumn: Int, CaseIterable {
    case connections, connectionsTotal, refusedTotal, abortedTotal, receivedBytesTotal, sentBytesTotal
}

enum UpstreamColumn: Int, CaseIterable {
    case retriesTotal
}

enum EndpointColumn: Int, CaseIterable {
    case connectionsTotal, failuresTotal, receivedBytesTotal, sentBytesTotal
}
