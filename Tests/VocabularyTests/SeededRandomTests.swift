// The expected numbers come from an implementation of the published algorithms in another language.

import Testing
import Vocabulary

@Suite("Seeded random numbers")
struct SeededRandomTests {
    static let references: [(seed: UInt64, numbers: [UInt64])] = [
        (0, [0x99EC_5F36_CB75_F2B4, 0xBF6E_1F78_4956_452A, 0x1A5F_849D_4933_E6E0, 0x6AA5_94F1_262D_2D2C]),
        (1, [0xB3F2_AF6D_0FC7_10C5, 0x853B_5596_4736_4CEA, 0x92F8_9756_082A_4514, 0x642E_1C7B_C266_A3A7]),
        (42, [0x1578_0B2E_0C2E_C716, 0x6104_D986_6D11_3A7E, 0xAE17_5332_39E4_99A1, 0xECB8_AD47_03B3_60A1]),
        (.max, [0x8F55_20D5_2A7E_AD08, 0xC476_A018_CAA1_802D, 0x81DE_31C0_D260_469E, 0xBF65_8D7E_065F_3C2F]),
    ]

    @Test("The numbers are those of xoshiro256** seeded by SplitMix64", arguments: references)
    func reference(seed: UInt64, numbers: [UInt64]) {
        var random = SeededRandom(seed: seed)
        for number in numbers { #expect(random.next() == number) }
    }

    @Test("A copy goes on as the original does")
    func copies() {
        var original = SeededRandom(seed: 7)
        _ = original.next()
        var copy = original
        for _ in 0..<100 { #expect(original.next() == copy.next()) }
    }

    @Test(
        "Numbers below a bound are below it, the largest bound included", arguments: [1, 2, 3, 1000, .max] as [UInt32])
    func belowBound(bound: UInt32) {
        var random = SeededRandom(seed: 11)
        for _ in 0..<10_000 { #expect(random.below(bound) < bound) }
    }

    @Test("Numbers below a bound are spread evenly", arguments: [2, 3, 7, 10, 64] as [UInt32], [1, 2, 3] as [UInt64])
    func uniformity(bound: UInt32, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let draws = 100_000
        var counts = [Int](repeating: 0, count: Int(bound))
        for _ in 0..<draws { counts[Int(random.below(bound))] += 1 }
        // Pearson's statistic has the mean k and the variance 2k, with k = bound - 1; five deviations above it
        // is one in a million.
        let expected = Double(draws) / Double(bound)
        let statistic = counts.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        let freedom = Double(bound - 1)
        #expect(statistic < freedom + 5 * (2 * freedom).squareRoot(), "\(counts)")
    }
}
