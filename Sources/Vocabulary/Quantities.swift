// Units are types, so that no two neighbouring numbers can change places.

/// A size or an amount of bytes; never negative.
package struct ByteCount: Comparable, Hashable, Sendable {
    package var bytes: Int

    package init(_ bytes: Int) {
        precondition(bytes >= 0, "a size is never negative")
        self.bytes = bytes
    }

    package static func kibibytes(_ count: Int) -> ByteCount { ByteCount(count * 1024) }
    package static func mebibytes(_ count: Int) -> ByteCount { ByteCount(count * 1024 * 1024) }
    package static func < (a: ByteCount, b: ByteCount) -> Bool { a.bytes < b.bytes }
}

/// An endpoint's share of the traffic relative to its peers: 1 to 10,000, usually 100.
package struct Weight: Comparable, Hashable, Sendable {
    package static let range = 1...10_000
    package static let standard = Weight(100)

    package let value: UInt32

    /// - Precondition: `value` is within ``range``.
    package init(_ value: Int) {
        precondition(Weight.range.contains(value), "a weight is 1 to 10,000")
        self.value = UInt32(value)
    }

    package static func < (a: Weight, b: Weight) -> Bool { a.value < b.value }
}
