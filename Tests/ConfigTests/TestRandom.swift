// Randomness of these tests: a seed gives the same documents everywhere.

@testable import Vocabulary

/// The cores' generator, with the draws that tests of documents need.
struct TestRandom {
    private var source: SeededRandom

    init(seed: UInt64) { source = SeededRandom(seed: seed) }

    mutating func below(_ bound: Int) -> Int { Int(source.below(UInt32(bound))) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// - Precondition: `items` is not empty.
    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    /// A short word of few letters, so that near ones occur.
    mutating func word() -> String {
        String((0..<below(12)).map { _ in pick(Array("abcd")) })
    }
}
