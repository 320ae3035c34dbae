// Shorthand of the codec's tests: whole arrays in, whole arrays out.

import Gossip
import GossipWire

/// A directory, the decoder that fills it, and an encoder.
struct Codec {
    let directory = Directory()
    var decoder: MessageDecoder

    init() { decoder = MessageDecoder(directory: directory) }

    /// The messages of a datagram's content, and what became of it.
    mutating func decode(_ bytes: [UInt8]) -> (messages: [Message], report: MessageDecoder.Report) {
        var messages: [Message] = []
        let report = decoder.decode(bytes.span) { messages.append($0) }
        return (messages, report)
    }

    /// The one message of a datagram that is nothing else.
    mutating func decodeOne(_ bytes: [UInt8]) throws -> Message {
        let (messages, report) = decode(bytes)
        if let fault = report.fault { throw fault }
        guard messages.count == 1 else { throw NotOne(count: messages.count) }
        return messages[0]
    }

    struct NotOne: Error { let count: Int }

    mutating func decodeStream(_ bytes: [UInt8]) throws(WireFault) -> StreamMessage {
        try decoder.decodeStream(bytes.span)
    }

    func encode(_ messages: [Message]) -> [UInt8] {
        var bytes: [UInt8] = []
        MessageEncoder.append(messages, to: &bytes, directory: directory)
        return bytes
    }

    func encode(_ message: Message) -> [UInt8] { encode([message]) }

    func encode(_ message: StreamMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        MessageEncoder.append(message, to: &bytes, directory: directory)
        return bytes
    }
}

extension SerfMessage {
    init(_ bytes: [UInt8]) throws(WireFault) { try self.init(reading: bytes.span) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }
}
