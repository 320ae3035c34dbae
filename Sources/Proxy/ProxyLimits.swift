import Vocabulary

/// What the data plane allows itself; all of it is fixed for the life of the process.
package struct ProxyLimits: Sendable {
    /// Descriptors the process may have open.
    package var descriptors: Int
    /// Twice what a config may have: those that a reload has closed keep their number while they have connections.
    package var listeners = 2048
    package var upstreams = 1024

    package init(descriptors: Int) { self.descriptors = descriptors }

    /// Accepting pauses, and no pipe is made, where the lowest free descriptor is not below this: what other parts of
    /// the process open has to succeed, or libdispatch, for one, ends it.
    var descriptorCeiling: Int32 { Int32(clamping: descriptors - min(64, descriptors / 8)) }

    /// How many sockets report to a worker in one turn of its loop; the rest does in the next.
    package var eventsPerTurn: Int32 = 256

    /// Connections a worker can have: two descriptors each.
    var connectionsPerWorker: Int { max(16, min(1 << 20, descriptors / 2)) }
    /// Pipes of one worker, two descriptors each: by default an eighth of the descriptors for all workers together.
    /// With none, everything is copied.
    package var mostPipes: Int?
    /// What a pipe is to hold: room for a mebibyte gave the least CPU per byte of 64 KiB to 1 MiB.
    package var pipeCapacity: Int32 = 1 << 20
    func pipesPerWorker(workers: Int) -> Int { min(256, (mostPipes ?? descriptors / 16) / workers) }
    /// Blocks of 16 KiB that a worker can hold for blocked sinks: a gibibyte.
    let heldBlocksPerWorker = 1 << 16
    /// What a listener without `max_connections` allows.
    package var defaultMaxConnections: Int { descriptors / 2 }

    /// How long a client may take over what is read ahead of the choice of an endpoint.
    package var prefaceTimeout = Duration.seconds(5)
    /// How long a TLS handshake with a client may take, from the accept or the end of the PROXY header on.
    package var handshakeTimeout = Duration.seconds(10)
    /// Handshakes with clients under way in a worker; beyond, the oldest makes room.
    package var handshakesUnderWay = 4096
    /// Handshakes with clients that a worker begins within a second at most, more than a core can do in full; further
    /// ones wait.
    package var handshakesPerSecond = 10_000
    /// Encrypted bytes that a worker's pipes keep for sockets without room: a gibibyte, as of plain ones.
    package var keptBytesPerWorker = 1 << 30
    /// How long what is only looked at is waited for, from the first moment on in which nothing else is; then the
    /// connection goes on without. Shorter, since a client that waits for the server's first word waits for this.
    package var peekTimeout = Duration.seconds(1)
    /// Whether a connection to an endpoint on this machine is written to before the poller has said that it is complete.
    package var writesToLocalEndpointsAtOnce = true
    /// A peer without a sign of life for this long, while bytes or probes to it are unanswered, is gone.
    package var silentPeerTimeout = Duration.seconds(60)
}
