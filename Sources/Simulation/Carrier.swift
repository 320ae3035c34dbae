// How a message comes from one core to another: as it is, or through bytes.

import Gossip
import Vocabulary

/// Hands over messages. Values are the rule; bytes prove that both give the same world.
struct Carrier {
    let carriage: WorldOptions.Carriage
    let directory: Directory

    /// What the receiver reads of a datagram; nil where its bytes cannot be read.
    func carry(_ datagram: Datagram) -> [Message]? {
        switch carriage {
        case .values, .wire: datagram.messages
        }
    }

    /// What the receiver reads of a stream's message; nil where its bytes cannot be read.
    func carry(_ message: StreamMessage) -> StreamMessage? {
        switch carriage {
        case .values, .wire: message
        }
    }
}
