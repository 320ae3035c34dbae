// How a message comes from one core to another: as it is, or through bytes.
//
// Values are the rule: nine tenths of the time of a run through bytes goes into bytes. That both give the same world is
// tested, and every message that goes through bytes is compared with what went in.

import Gossip
import GossipWire
import Vocabulary

/// Hands over messages.
struct Carrier {
    private let carriage: WorldOptions.Carriage
    private let directory: Directory
    private var decoder: MessageDecoder

    init(_ carriage: WorldOptions.Carriage, directory: Directory) {
        self.carriage = carriage
        self.directory = directory
        decoder = MessageDecoder(directory: directory)
    }

    /// What the receiver reads of a datagram.
    /// - Parameter length: of all messages packed together, as counted.
    /// - Returns: nil where that is not what was sent, or has another length in bytes.
    mutating func carry(_ messages: [Message], length: Int) -> [Message]? {
        switch carriage {
        case .values: return messages
        case .wire:
            guard !messages.isEmpty, messages.count <= WireSize.longestCompound else { return nil }
            var bytes: [UInt8] = []
            MessageEncoder.append(messages, to: &bytes, directory: directory)
            var read: [Message] = []
            let report = decoder.decode(bytes.span) { read.append($0) }
            var (before, after) = (Digest(), Digest())
            for message in messages { before.mix(message) }
            for message in read { after.mix(message) }
            return report.refused == 0 && bytes.count == length && before == after ? read : nil
        }
    }

    /// What the receiver reads of a stream's message; nil as above.
    mutating func carry(_ message: StreamMessage) -> StreamMessage? {
        switch carriage {
        case .values: return message
        case .wire:
            var bytes: [UInt8] = []
            MessageEncoder.append(message, to: &bytes, directory: directory)
            var scanner = StreamScanner()
            guard bytes.count == message.encodedLength(in: directory), scanner.scan(bytes.span) == .whole(bytes.count),
                let read = try? decoder.decodeStream(bytes.span)
            else { return nil }
            var (before, after) = (Digest(), Digest())
            before.mix(message)
            after.mix(read)
            return before == after ? read : nil
        }
    }
}
