// The golden vectors: what the real code answered, beside this target.

import Foundation

enum VectorFile {
    static func load<Content: Decodable>(_ name: String, as type: Content.Type) throws -> Content {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: name)
        return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }
}
