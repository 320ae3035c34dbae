// What a driver counts; all only grow.

package import Gossip

package struct GossipCounters: Hashable, Sendable {
    package var receivedDatagrams: UInt64 = 0
    package var sentDatagrams: UInt64 = 0
    /// Of datagrams, without the heads of UDP and IP.
    package var receivedBytes: UInt64 = 0
    package var sentBytes: UInt64 = 0
    /// Datagrams in which no message was seen: damaged, or of another key or label.
    package var refusedDatagrams: UInt64 = 0
    /// Messages within good datagrams that could not be read.
    package var refusedMessages: UInt64 = 0
    /// How often reading paused because datagrams came faster than they are read; the kernel drops what it cannot hold.
    package var pausesOfReading: UInt64 = 0
    /// Datagrams that the kernel did not take.
    package var unsentDatagrams: UInt64 = 0
    package var acceptedStreams: UInt64 = 0
    package var openedStreams: UInt64 = 0
    /// Accepted streams whose request could not be read.
    package var refusedStreams: UInt64 = 0
    /// Streams that came to nothing: no connection, cut short, too slow, or made to give way.
    package var failedStreams: UInt64 = 0

    package init() {}

    /// Everything that was refused.
    package var refused: UInt64 { refusedDatagrams + refusedMessages + refusedStreams }
}

/// The last thing that was refused, for a log line.
package struct GossipRefusal: Sendable {
    package let sender: PeerAddress
    package let fault: GossipFault
}
