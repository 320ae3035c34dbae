// What remoras say to each other and nobody else: a user message that Serf does not know.
//
// Serf's own user messages begin with a byte of 0 to 9, and an agent logs and drops others; still, these are only sent
// to members that bear the tag `remora`. GossipWire's page specifies the bytes.

import Gossip

enum RemoraMessage {
    /// What a user message begins with whose body is remora's: not Serf's, the version, the kind.
    static let magic: UInt8 = 0xE7
    static let version: UInt8 = 1
    private static let viewChecksum: UInt8 = 1

    /// The message whose body, without the type byte, this is. Other versions, kinds and lengths are the
    /// application's: one that knows none of them drops them.
    static func message(ofUserBody body: Span<UInt8>) -> Message {
        guard body.count == 11, body[0] == magic, body[1] == version, body[2] == viewChecksum else {
            return .user(unsafe body.withUnsafeBufferPointer { unsafe [UInt8]($0) })
        }
        var checksum: UInt64 = 0
        for offset in 3..<11 { checksum = checksum << 8 | UInt64(body[offset]) }
        return .viewChecksum(checksum)
    }

    static func append(viewChecksum checksum: UInt64, to bytes: inout [UInt8]) {
        bytes.append(magic)
        bytes.append(version)
        bytes.append(viewChecksum)
        bytes.append(bigEndian: checksum)
    }
}
