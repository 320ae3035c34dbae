// What the tests of layers share: AES-GCM from the TLS module, nonces as told, and arrays in and out.

import GossipWire
import TLS
import Vocabulary

extension AESGCM: PacketCipher {}

/// AES-GCM whose nonces are told, so that sealed bytes can be compared.
final class ScriptedCipher: PacketCipher {
    private let real: AESGCM
    private let nonce: [UInt8]?

    /// - Parameter nonce: for every text; nil for random ones.
    init(key: [UInt8], nonce: [UInt8]? = nil) throws {
        real = try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) }
        self.nonce = nonce
    }

    func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe real.seal(text, nonce: nonce, associated: associated, tag: tag)
    }

    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe real.open(sealed, nonce: nonce, associated: associated, tag: tag, into: plain)
    }

    func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool {
        guard let told = self.nonce else { return unsafe real.drawNonce(into: nonce) }
        unsafe nonce.copyBytes(from: told)
        return true
    }

    func hasSameKey(as other: ScriptedCipher) -> Bool { real.hasSameKey(as: other.real) }
}

/// A cipher without entropy.
final class StarvedCipher: PacketCipher {
    func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool { true }

    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool { false }

    func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool { false }
    func hasSameKey(as other: StarvedCipher) -> Bool { true }
}

extension Layers<ScriptedCipher> {
    /// Layers as most tests want them: no compression, so that what goes in comes out.
    init(
        label: String = "", key: [UInt8]? = nil, nonce: [UInt8]? = nil, seal: SealVersion = .plain,
        compresses: Bool = false
    ) throws {
        var options = LayerOptions()
        guard let label = Label(label) else { preconditionFailure("a label too long") }
        options.label = label
        options.compresses = compresses
        options.sealVersion = seal
        self.init(
            options: options, keyring: try key.map { Keyring(primary: try ScriptedCipher(key: $0, nonce: nonce)) })
    }
}

extension Layers {
    mutating func unwrapped(_ datagram: [UInt8]) throws(LayerFault) -> [UInt8] {
        try unwrap(datagram.span) { message in unsafe message.withUnsafeBufferPointer { unsafe Array($0) } }
    }

    mutating func wrapped(_ message: [UInt8], withChecksum: Bool = false) throws(LayerFault) -> [UInt8] {
        var output: [UInt8] = []
        try wrap(message.span, withChecksum: withChecksum, into: &output)
        return output
    }

    mutating func wrapped(_ message: [UInt8], by side: StreamSide) throws(LayerFault) -> [UInt8] {
        var output: [UInt8] = []
        try wrap(message.span, by: side, into: &output)
        return output
    }

    /// Reads a stream in pieces of these sizes, over and over.
    /// - Returns: the message; nil where the stream ended first.
    func read(_ stream: [UInt8], from side: StreamSide, inPiecesOf sizes: [Int] = [.max]) throws(LayerFault) -> [UInt8]?
    {
        var reader = StreamReader(from: side)
        var rest = stream[...]
        var turn = 0
        while !rest.isEmpty {
            let piece = Array(rest.prefix(sizes[turn % sizes.count]))
            rest = rest.dropFirst(piece.count)
            turn += 1
            if try reader.receive(piece.span, through: self) { return reader.message.map { Array($0) } }
        }
        return nil
    }
}

/// What a message of type 9 holds, as the reference writes it.
func expanded(_ message: [UInt8]) -> [UInt8]? {
    guard message.starts(with: [9, 0x82, 0xA4] + Array("Algo".utf8) + [0, 0xA3] + Array("Buf".utf8)) else { return nil }
    var content = message.dropFirst(12)
    switch content.popFirst() {
    case 0xDA: content = content.dropFirst(2)
    case 0xDB: content = content.dropFirst(4)
    default: break
    }
    var output: [UInt8] = []
    return unsafe content.withUnsafeBytes { unsafe LZW.decompress($0, limit: 64 << 20, into: &output) } ? output : nil
}

/// Any bytes that a message may be: not nothing, and no layer's type in front.
func randomMessage(of length: Int, using random: inout SeededRandom) -> [UInt8] {
    [UInt8(random.below(9))] + (1..<max(1, length)).map { _ in UInt8(random.below(256)) }
}

let keyOf32 = (0..<32).map { UInt8($0) }
let keyOf24 = (50..<74).map { UInt8($0) }
let keyOf16 = (100..<116).map { UInt8($0) }
