// Who may ask for loads, and whose answers are believed: whoever knows a key of the fleet's gossip.
//
// A code instead of a seal: a load is no secret, its truth is what matters. And AES-GCM with random nonces wears a key
// out after 2³² messages of all that use it; a fleet of 250 that asks a thousand times a second each would get there in
// five hours. The keys are not gossip's own but made from them with a label, so that no code is of any use there.
//
// A fleet without keys has no codes. Then only the nonce says that an answer is one: whoever can read the fleet's
// datagrams can forge them, as it can forge its gossip.

package import FleetLoad
import TLS

/// The keys of one thread, made from those that the fleet has at the moment.
package struct ProbeKeyring {
    private static let label = "remora load probes 1"

    /// The first signs, each is good for a check.
    private let keys: [HMACSHA256]
    /// Whether there are keys, of which perhaps none could be used: then nothing is signed or believed.
    private let isKeyed: Bool

    /// - Parameter gossipKeys: raw, the first one first; none where the fleet has none.
    package init(gossipKeys: [[UInt8]]) {
        isKeyed = !gossipKeys.isEmpty
        keys = gossipKeys.compactMap(Self.key)
    }

    private static func key(from gossipKey: [UInt8]) -> HMACSHA256? {
        guard !gossipKey.isEmpty else { return nil }
        let maker = try? unsafe gossipKey.withUnsafeBytes { try unsafe HMACSHA256(key: $0) }
        return unsafe withUnsafeTemporaryAllocation(byteCount: HMACSHA256.codeLength, alignment: 8) { made in
            let isMade = unsafe Array(label.utf8).withUnsafeBytes { unsafe maker?.write(codeOf: $0, into: made) }
            defer { unsafe made.initializeMemory(as: UInt8.self, repeating: 0) }
            return isMade == true ? try? unsafe HMACSHA256(key: UnsafeRawBufferPointer(made)) : nil
        }
    }

    /// A message as it is sent.
    /// - Returns: nil where it could not be signed.
    package func signed(_ message: ProbeMessage) -> InlineArray<44, UInt8>? {
        var bytes = message.bytes
        guard isKeyed else { return bytes }
        guard let key = keys.first else { return nil }
        var code = InlineArray<32, UInt8>(repeating: 0)
        let isWritten = unsafe bytes.span.withUnsafeBytes { bytes in
            var target = code.mutableSpan
            return unsafe target.withUnsafeMutableBytes {
                unsafe key.write(
                    codeOf: UnsafeRawBufferPointer(rebasing: bytes.prefix(ProbeMessage.vouchedLength)), into: $0)
            }
        }
        guard isWritten else { return nil }
        for index in 0..<ProbeMessage.codeLength { bytes[ProbeMessage.vouchedLength + index] = code[index] }
        return bytes
    }

    /// Whether a datagram of ``ProbeMessage/length`` bytes is from somebody who knows a key of the fleet.
    package func vouches(for datagram: UnsafeRawBufferPointer) -> Bool {
        guard isKeyed else { return true }
        let message = unsafe UnsafeRawBufferPointer(rebasing: datagram.prefix(ProbeMessage.vouchedLength))
        let code = unsafe UnsafeRawBufferPointer(rebasing: datagram.dropFirst(ProbeMessage.vouchedLength))
        return keys.contains { unsafe $0.vouches(for: message, by: code) }
    }
}
