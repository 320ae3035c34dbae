import TLS
import Testing

@Suite("AES-GCM")
struct AESGCMTests {
    /// Test cases of McGrew and Viega, "The Galois/Counter Mode of Operation" (2004), appendix B, by their numbers: of
    /// each length of key those with nonces of 96 bits.
    struct KnownAnswer: Sendable, CustomTestStringConvertible {
        let number: Int
        let key, nonce, plain, associated, sealed, tag: String
        var testDescription: String { "case \(number)" }
    }

    static let text =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        + "b16aedf5aa0de657ba637b391aafd255"
    static let header = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
    static let nonce = "cafebabefacedbaddecaf888"
    static let zeros = String(repeating: "0", count: 32)
    static let zeroNonce = String(repeating: "0", count: 24)

    static let knownAnswers: [KnownAnswer] = [
        KnownAnswer(
            number: 1, key: zeros, nonce: zeroNonce, plain: "", associated: "", sealed: "",
            tag: "58e2fccefa7e3061367f1d57a4e7455a"),
        KnownAnswer(
            number: 2, key: zeros, nonce: zeroNonce, plain: zeros, associated: "",
            sealed: "0388dace60b6a392f328c2b971b2fe78", tag: "ab6e47d42cec13bdf53a67b21257bddf"),
        KnownAnswer(
            number: 3, key: "feffe9928665731c6d6a8f9467308308", nonce: nonce, plain: text, associated: "",
            sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
                + "1ba30b396a0aac973d58e091473f5985",
            tag: "4d5c2af327cd64a62cf35abd2ba6fab4"),
        KnownAnswer(
            number: 4, key: "feffe9928665731c6d6a8f9467308308", nonce: nonce, plain: String(text.prefix(120)),
            associated: header,
            sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
                + "1ba30b396a0aac973d58e091",
            tag: "5bc94fbc3221a5db94fae95ae7121a47"),
        KnownAnswer(
            number: 7, key: zeros + zeros.prefix(16), nonce: zeroNonce, plain: "", associated: "", sealed: "",
            tag: "cd33b28ac773f74ba00ed1f312572435"),
        KnownAnswer(
            number: 8, key: zeros + zeros.prefix(16), nonce: zeroNonce, plain: zeros, associated: "",
            sealed: "98e7247c07f0fe411c267e4384b0f600", tag: "2ff58d80033927ab8ef4d4587514f0fb"),
        KnownAnswer(
            number: 10, key: "feffe9928665731c6d6a8f9467308308feffe9928665731c", nonce: nonce,
            plain: String(text.prefix(120)), associated: header,
            sealed: "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f47"
                + "18e2448b2fe324d9ccda2710",
            tag: "2519498e80f1478f37ba55bd6d27618c"),
        KnownAnswer(
            number: 13, key: zeros + zeros, nonce: zeroNonce, plain: "", associated: "", sealed: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"),
        KnownAnswer(
            number: 14, key: zeros + zeros, nonce: zeroNonce, plain: zeros, associated: "",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18", tag: "d0d1c8a799996bf0265b98b5d48ab919"),
        KnownAnswer(
            number: 16, key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", nonce: nonce,
            plain: String(text.prefix(120)), associated: header,
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                + "c5f61e6393ba7a0abcc9f662",
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"),
    ]

    @Test("Seals and opens as published, twice with the same contexts", arguments: knownAnswers)
    func published(answer: KnownAnswer) throws {
        let key = try AESGCM.of(bytes(answer.key))
        for _ in 0..<2 {
            let (sealed, tag) = try #require(
                key.seal(bytes(answer.plain), nonce: bytes(answer.nonce), associated: bytes(answer.associated)))
            #expect(sealed == bytes(answer.sealed))
            #expect(tag == bytes(answer.tag))
            let plain = key.open(
                sealed, nonce: bytes(answer.nonce), associated: bytes(answer.associated), tag: tag)
            #expect(plain == bytes(answer.plain))
        }
    }

    @Test("One bit of anything changed is refused, and what was decrypted is wiped", arguments: knownAnswers)
    func tampering(answer: KnownAnswer) throws {
        let key = try AESGCM.of(bytes(answer.key))
        let parts = [answer.sealed, answer.nonce, answer.associated, answer.tag].map(bytes)
        for part in parts.indices {
            for bit in 0..<parts[part].count * 8 {
                var changed = parts
                changed[part][bit / 8] ^= 1 << UInt8(bit % 8)
                let room = key.openLeavingRoom(changed[0], nonce: changed[1], associated: changed[2], tag: changed[3])
                #expect(!room.isOpen && room.plain.allSatisfy { $0 == 0 })
            }
        }
        // A failure leaves nothing behind.
        #expect(key.open(parts[0], nonce: parts[1], associated: parts[2], tag: parts[3]) == bytes(answer.plain))
        for bit in 0..<bytes(answer.key).count * 8 {
            var other = bytes(answer.key)
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try AESGCM.of(other).open(parts[0], nonce: parts[1], associated: parts[2], tag: parts[3]) == nil)
        }
    }

    @Test("A text of any length comes back", arguments: [16, 24, 32])
    func lengths(of key: Int) throws {
        let key = try AESGCM.of((0..<key).map { UInt8($0) })
        for length in [0, 1, 15, 16, 17, 1399, 65_507, 1 << 17] {
            let plain = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let nonce = key.nonce()
            let (sealed, tag) = try #require(key.seal(plain, nonce: nonce, associated: []))
            #expect(length < 16 || sealed != plain)
            #expect(key.open(sealed, nonce: nonce, associated: [], tag: tag) == plain)
        }
    }

    @Test("A key of another length is refused, by its length", arguments: [0, 1, 15, 17, 23, 25, 31, 33, 64])
    func keyLengths(length: Int) {
        #expect(throws: AESGCM.KeyFault.length(length)) { try AESGCM.of([UInt8](repeating: 7, count: length)) }
    }

    @Test("Keys are the same where every byte is")
    func sameKeys() throws {
        let key = try AESGCM.of([UInt8](repeating: 7, count: 16))
        #expect(try key.hasSameKey(as: AESGCM.of([UInt8](repeating: 7, count: 16))))
        #expect(try !key.hasSameKey(as: AESGCM.of([UInt8](repeating: 7, count: 24))))
        #expect(try !key.hasSameKey(as: AESGCM.of([UInt8](repeating: 7, count: 15) + [8])))
    }

    @Test("No way of printing a key shows it")
    func redaction() throws {
        let key = try AESGCM.of(Array("YELLOW SUBMARINE".utf8))
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), String(describing: [key]), dumped] {
            #expect(text.contains("AES-128-GCM key (not shown)"))
            #expect(!text.contains("YELLOW") && !text.contains("89") && !text.contains("0x"))
        }
    }

    @Test("Nonces differ")
    func nonces() throws {
        let key = try AESGCM.of([UInt8](repeating: 7, count: 16))
        #expect(Set((0..<1000).map { _ in key.nonce() }).count == 1000)
    }
}

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension AESGCM {
    fileprivate static func of(_ key: [UInt8]) throws -> AESGCM {
        try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) }
    }

    fileprivate func seal(_ plain: [UInt8], nonce: [UInt8], associated: [UInt8]) -> (sealed: [UInt8], tag: [UInt8])? {
        var text = plain
        var tag = [UInt8](repeating: 0, count: AESGCM.tagLength)
        let isSealed = unsafe text.withUnsafeMutableBytes { text in
            unsafe tag.withUnsafeMutableBytes { tag in
                unsafe nonce.withUnsafeBytes { nonce in
                    unsafe associated.withUnsafeBytes { associated in
                        unsafe seal(text, nonce: nonce, associated: associated, tag: tag)
                    }
                }
            }
        }
        return isSealed ? (text, tag) : nil
    }

    fileprivate func openLeavingRoom(
        _ sealed: [UInt8], nonce: [UInt8], associated: [UInt8], tag: [UInt8]
    ) -> (isOpen: Bool, plain: [UInt8]) {
        var plain = [UInt8](repeating: 0xAA, count: sealed.count)
        let isOpen = unsafe plain.withUnsafeMutableBytes { plain in
            unsafe sealed.withUnsafeBytes { sealed in
                unsafe tag.withUnsafeBytes { tag in
                    unsafe nonce.withUnsafeBytes { nonce in
                        unsafe associated.withUnsafeBytes { associated in
                            unsafe open(sealed, nonce: nonce, associated: associated, tag: tag, into: plain)
                        }
                    }
                }
            }
        }
        return (isOpen, plain)
    }

    fileprivate func open(_ sealed: [UInt8], nonce: [UInt8], associated: [UInt8], tag: [UInt8]) -> [UInt8]? {
        let room = openLeavingRoom(sealed, nonce: nonce, associated: associated, tag: tag)
        return room.isOpen ? room.plain : nil
    }

    fileprivate func nonce() -> [UInt8] {
        var nonce = [UInt8](repeating: 0, count: AESGCM.nonceLength)
        let isDrawn = unsafe nonce.withUnsafeMutableBytes { unsafe drawNonce(into: $0) }
        precondition(isDrawn, "no entropy")
        return nonce
    }
}
