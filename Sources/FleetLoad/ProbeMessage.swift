// The datagrams of load probes: a question for one service's load, and its answer.
//
//      0 version  1 kind  2 latency  3 zero   4 service (8)   12 nonce (8)   20 outstanding   24 connections   28 code (16)
//
// Both kinds have one length, and a question's fields for numbers are zero: whoever asks in somebody else's name makes
// nobody send more than was sent to them. Integers are big-endian. The code vouches for all that is before it; how it is
// made, and by which key, is not known here.
//
// There is no time in it: the asker knows when it asked, and takes the load for measured then, which it was not before.

package import GossipWire
package import Upstreams

package struct ProbeMessage: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case question
        case answer(ServiceLoad)
    }

    package enum Fault: Error, Hashable {
        case length(Int)
        case version(UInt8)
        case kind(UInt8)
        /// A bit that has no meaning is set.
        case excess
    }

    package static let length = 44
    /// What comes before the code.
    package static let vouchedLength = 28
    package static let codeLength = length - vouchedLength
    private static let version: UInt8 = 1

    /// Drawn by the asker, and in the answer what it was in the question.
    package var nonce: UInt64
    package var service: ServiceDigest
    package var kind: Kind

    package init(nonce: UInt64, service: ServiceDigest, kind: Kind = .question) {
        self.nonce = nonce
        self.service = service
        self.kind = kind
    }

    /// Reads a whole datagram; the code is for others to look at.
    package init(reading bytes: Span<UInt8>) throws(Fault) {
        guard bytes.count == ProbeMessage.length else { throw .length(bytes.count) }
        guard bytes[0] == ProbeMessage.version else { throw .version(bytes[0]) }
        func number(_ range: Range<Int>) -> UInt64 {
            range.reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
        }
        service = ServiceDigest(bits: number(4..<12))
        nonce = number(12..<20)
        guard bytes[3] == 0 else { throw .excess }
        let (outstanding, connections) = (UInt32(number(20..<24)), UInt32(number(24..<28)))
        switch bytes[1] {
        case 1:
            guard outstanding == 0, connections == 0, bytes[2] == 0 else { throw .excess }
            kind = .question
        case 2:
            guard max(outstanding, connections) <= ServiceLoad.most else { throw .excess }
            kind = .answer(
                ServiceLoad(
                    outstanding: outstanding, connections: connections, latency: CoarseLatency(code: bytes[2])))
        default: throw .kind(bytes[1])
        }
    }

    /// The datagram, with zeroes where the code belongs.
    package var bytes: InlineArray<44, UInt8> {
        var bytes = InlineArray<44, UInt8>(repeating: 0)
        func put(_ number: UInt64, _ range: Range<Int>) {
            var rest = number
            for index in range.reversed() {
                bytes[index] = UInt8(truncatingIfNeeded: rest)
                rest >>= 8
            }
        }
        bytes[0] = ProbeMessage.version
        put(service.bits, 4..<12)
        put(nonce, 12..<20)
        switch kind {
        case .question: bytes[1] = 1
        case .answer(let load):
            bytes[1] = 2
            bytes[2] = load.latency.code
            put(UInt64(load.outstanding), 20..<24)
            put(UInt64(load.connections), 24..<28)
        }
        return bytes
    }
}
