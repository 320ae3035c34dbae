import GossipWire
import Testing
import Vocabulary

@Suite("CRC-32")
struct CRC32Tests {
    @Test("The check value of the catalogue, and that of nothing")
    func known() {
        #expect(checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(checksum([]) == 0)
    }

    @Test("Every length, from every alignment, is as the bitwise division says")
    func bitwise() {
        var random = SeededRandom(seed: 11)
        let bytes = (0..<200).map { _ in UInt8(random.below(256)) }
        for start in 0..<9 {
            for end in start...bytes.count {
                let found = CRC32.checksum(of: bytes.span.extracting(start..<end))
                #expect(found == divide(bytes[start..<end]))
            }
        }
    }
}

private func checksum(_ bytes: [UInt8]) -> UInt32 {
    CRC32.checksum(of: bytes.span)
}

private func divide(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var remainder = UInt32.max
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0xEDB8_8320 }
    }
    return ~remainder
}
