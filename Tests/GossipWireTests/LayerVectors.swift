// The golden vectors as far as layers go: bytes, verdict, and the fields that name keys, nonces, labels and insides.

import Testing

struct LayerVector: Decodable, Sendable, CustomTestStringConvertible {
    struct Bytes: Decodable, Sendable {
        let hex: String
        var bytes: [UInt8] { [UInt8](hex: hex) }
    }

    struct Fields: Decodable, Sendable {
        let plain, inner, key, nonce, aad, Buf: Bytes?
        let label, request_label: String?
        let crc32: UInt32?
        let version: UInt8?
    }

    struct Extra: Decodable, Sendable {
        let receiver_key, receiver_label, reply_hex, reference_0_2_2: String?
    }

    let id, layer, hex, expect, mode: String
    let fields: Fields?
    let extra: Extra?

    var bytes: [UInt8] { [UInt8](hex: hex) }
    var isAccepted: Bool { expect == "accept" }
    var isExact: Bool { mode == "exact" }
    var testDescription: String { id }

    private struct File: Decodable { let vectors: [LayerVector] }

    static func load(_ file: String) -> [LayerVector] {
        VectorFile.load(file, as: File.self).vectors
    }
}

/// A sample of a live fleet.
struct CapturedSample: Decodable, Sendable, CustomTestStringConvertible {
    let proto, hex, layers: String
    let t: Double

    var bytes: [UInt8] { [UInt8](hex: hex) }
    var testDescription: String { "\(t) \(layers)" }

    private struct File: Decodable {
        let key_hex: String?
        let items: [CapturedSample]
    }

    static func load(_ file: String) -> [CapturedSample] { VectorFile.load(file, as: File.self).items }
    static func key(of file: String) -> [UInt8]? {
        VectorFile.load(file, as: File.self).key_hex.map { [UInt8](hex: $0) }
    }
}
