import Balancing
import Testing

@Suite("XXH64")
struct XXH64Tests {
    /// Of the reference library, xxHash 0.8.3.
    @Test("Known bytes have the specification's hashes")
    func vectors() {
        #expect(XXH64.hash("") == 0xEF46_DB37_51D8_E999)
        #expect(XXH64.hash("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(XXH64.hash("abc") == 0x44BC_2CF5_AD77_0999)
        let bytes = (0..<101).map { UInt8($0) }
        #expect(hash(Array(bytes[..<32])) == 0xCBF5_9C51_16FF_32B4)
        #expect(hash(bytes) == 0xE990_3849_5F85_381E)
        #expect(hash(bytes, seed: 0x9E37_79B1) == 0xA1C6_D417_4C37_136D)
    }

    /// The sum of the reference library's hashes, so that every tail is seen with every count of whole stripes.
    @Test("Every length from 0 to 99 agrees with the reference")
    func lengths() {
        let sum = (0..<100).reduce(UInt64(0)) { sum, count in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + count) }
            return XXH64.mix(sum, hash(bytes, seed: UInt64(count)))
        }
        #expect(sum == 0xF045_7755_443A_C82E)
    }

    @Test("Two numbers hash as their sixteen bytes, the lowest first")
    func numbers() {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
        #expect(XXH64.hash(0x0807_0605_0403_0201, 0x100F_0E0D_0C0B_0A09) == hash(bytes))
    }

    @Test("A part of a buffer hashes as its own bytes, wherever it lies")
    func parts() {
        let bytes = (0..<80).map { UInt8($0) }
        for start in 0..<9 {
            let part = unsafe XXH64.hash(bytes.span.extracting(start..<start + 70).bytes)
            #expect(part == hash(Array(bytes[start..<start + 70])))
        }
    }

    private func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 { unsafe XXH64.hash(bytes.span.bytes, seed: seed) }
}
