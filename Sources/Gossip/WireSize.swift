// How many bytes a message takes on the wire, without writing it.
//
// The core fills datagrams up to a budget and the simulator counts traffic; neither writes bytes. GossipWire's tests
// hold every answer against what it writes.

extension Message {
    /// The bytes of this message alone, its type byte included: no compound, no compression, no checksum, no sealing.
    package func encodedLength(in directory: Directory) -> Int { fatalError() }
}

extension StreamMessage {
    /// The bytes of this message on a stream that is neither compressed nor sealed nor labelled.
    package func encodedLength(in directory: Directory) -> Int { fatalError() }
}
