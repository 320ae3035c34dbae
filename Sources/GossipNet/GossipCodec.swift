// Bytes of sockets to messages of the core, and back: the layers of GossipWire in their order.
//
// A value of its own, so that a packet is written in buffers that are used again, and so that what a datagram can make of
// us is testable without a socket.

package import Gossip
package import GossipWire
package import TLS

extension AESGCM: PacketCipher {}

/// Why what came was not taken.
package enum GossipFault: Error, Hashable, Sendable, CustomStringConvertible {
    case layer(LayerFault)
    case message(WireFault)

    package var description: String {
        switch self {
        case .layer(let fault): "\(fault)"
        case .message(let fault): "\(fault)"
        }
    }

    /// Whether it is a question of keys or labels: an operator's mistake, most likely, and not damage.
    package var isOfKeysOrLabels: Bool {
        switch self {
        case .layer(.otherLabel), .layer(.noLabel), .layer(.notSealed), .layer(.noKey), .layer(.unknownSeal),
            .layer(.noKeyOpens):
            true
        case .layer, .message: false
        }
    }
}

/// Reads and writes what one member's peers and it send.
package struct GossipCodec {
    package var layers: Layers<AESGCM>
    private var decoder: MessageDecoder
    private let directory: Directory
    /// The last message written, without layers.
    private var message: [UInt8] = []
    /// The last packet written.
    private(set) var packet: [UInt8] = []

    package init(layers: Layers<AESGCM>, directory: Directory) {
        self.layers = layers
        self.directory = directory
        decoder = MessageDecoder(directory: directory)
    }

    /// Hands over the messages of a datagram.
    /// - Returns: how many were handed over and how many refused.
    /// - Throws: where no message was seen at all.
    package mutating func read(
        _ datagram: Span<UInt8>, handing body: (Message) -> Void
    ) throws(LayerFault) -> MessageDecoder.Report {
        try Self.read(datagram, through: &layers, by: &decoder, handing: body)
    }

    /// Two parts of `self` at once, which a closure over `self` could not have.
    private static func read(
        _ datagram: Span<UInt8>, through layers: inout Layers<AESGCM>, by decoder: inout MessageDecoder,
        handing body: (Message) -> Void
    ) throws(LayerFault) -> MessageDecoder.Report {
        try layers.unwrap(datagram) { decoder.decode($0, handing: body) }
    }

    /// Leaves the bytes of a datagram in ``packet``.
    package mutating func write(_ messages: [Message], withChecksum: Bool) throws(LayerFault) {
        message.removeAll(keepingCapacity: true)
        packet.removeAll(keepingCapacity: true)
        MessageEncoder.append(messages, to: &message, directory: directory)
        try Self.wrap(message, withChecksum, in: &layers, into: &packet)
    }

    private static func wrap(
        _ message: [UInt8], _ withChecksum: Bool, in layers: inout Layers<AESGCM>, into packet: inout [UInt8]
    ) throws(LayerFault) {
        try layers.wrap(message.span, withChecksum: withChecksum, into: &packet)
    }

    /// The message of a stream that came whole.
    package mutating func read(stream: ArraySlice<UInt8>) throws(WireFault) -> StreamMessage {
        try decoder.decodeStream(stream.span)
    }

    /// All bytes of one side of a stream.
    package mutating func bytes(of message: StreamMessage, by side: StreamSide) throws(LayerFault) -> [UInt8] {
        var plain: [UInt8] = []
        var bytes: [UInt8] = []
        MessageEncoder.append(message, to: &plain, directory: directory)
        try layers.wrap(plain.span, by: side, into: &bytes)
        return bytes
    }
}
