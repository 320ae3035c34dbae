// Where a member sees itself in the space of round trips (serf-layer §8); Serf puts it into the payload of acks.

/// A network coordinate (Dabek et al., Vivaldi, §5.4: a height above a Euclidean space), times in seconds.
package struct SerfCoordinate: Hashable, Sendable {
    package var vector: SIMD8<Double>
    /// How much its owner trusts it; 1.5 is not at all.
    package var error: Double
    package var adjustment: Double
    package var height: Double

    package init(vector: SIMD8<Double>, error: Double, adjustment: Double, height: Double) {
        self.vector = vector
        self.error = error
        self.adjustment = adjustment
        self.height = height
    }

    /// What a member has that measured nothing yet.
    package static let initial = SerfCoordinate(vector: .zero, error: 1.5, adjustment: 0, height: 1e-5)

    private static let version: UInt8 = 1

    private enum Key: UInt8, MessageKey {
        case vector, error, adjustment, height
        static let names: [StaticString] = ["Vec", "Error", "Adjustment", "Height"]
    }

    /// The coordinate in an ack's payload; nil where there is no payload.
    /// - Throws: `badCoordinate` for another version or dimension and numbers that are not finite.
    package static func read(payload: [UInt8]) throws(WireFault) -> SerfCoordinate? {
        guard let version = payload.first else { return nil }
        guard version == SerfCoordinate.version else { throw .badCoordinate }
        let bytes = payload.span
        var coordinate = SerfCoordinate(vector: .zero, error: 0, adjustment: 0, height: 0)
        var hasVector = false
        var reader = MessagePackReader(at: 1)
        var fields = try reader.fields(of: Key.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .vector:
                guard case .array(8) = try reader.head(in: bytes) else { throw .badCoordinate }
                for index in 0..<8 { coordinate.vector[index] = try reader.double(in: bytes) }
                hasVector = true
            case .error: coordinate.error = try reader.double(in: bytes)
            case .adjustment: coordinate.adjustment = try reader.double(in: bytes)
            case .height: coordinate.height = try reader.double(in: bytes)
            }
        }
        guard hasVector, coordinate.isFinite else { throw .badCoordinate }
        return coordinate
    }

    private var isFinite: Bool {
        vector.indices.allSatisfy { vector[$0].isFinite } && error.isFinite && adjustment.isFinite && height.isFinite
    }

    /// Appends an ack's payload.
    package func append(to bytes: inout [UInt8]) {
        bytes.append(SerfCoordinate.version)
        bytes.append(map: 4)
        bytes.append(key: "Adjustment")
        bytes.append(double: adjustment)
        bytes.append(key: "Error")
        bytes.append(double: error)
        bytes.append(key: "Height")
        bytes.append(double: height)
        bytes.append(key: "Vec")
        bytes.append(array: 8)
        for index in vector.indices { bytes.append(double: vector[index]) }
    }
}
