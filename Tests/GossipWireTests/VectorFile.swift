// Where the golden vectors lie, and how their bytes are written.

import Foundation

enum VectorFile {
    /// What a file of `Tests/Vectors` holds; a test without its vectors has nothing to say, and ends.
    static func load<Content: Decodable>(_ name: String, as type: Content.Type) -> Content {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/\(name).json")
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: file.standardized))
        } catch {
            fatalError("\(name): \(error)")
        }
    }
}

extension [UInt8] {
    /// - Precondition: pairs of hexadecimal digits.
    init(hex: String) {
        let digits = hex.utf8.map { UInt8(Character(UnicodeScalar($0)).hexDigitValue ?? 255) }
        precondition(digits.count % 2 == 0 && digits.allSatisfy { $0 < 16 }, "not hexadecimal: \(hex)")
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
