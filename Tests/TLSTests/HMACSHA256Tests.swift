import TLS
import Testing

@Suite("HMAC-SHA-256")
struct HMACSHA256Tests {
    /// RFC 4231, test cases 1, 2 and 6.
    struct KnownAnswer: Sendable, CustomTestStringConvertible {
        let number: Int
        let key, message: [UInt8]
        let code: String
        var testDescription: String { "case \(number)" }
    }

    static let knownAnswers: [KnownAnswer] = [
        KnownAnswer(
            number: 1, key: [UInt8](repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        KnownAnswer(
            number: 2, key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        KnownAnswer(
            number: 6, key: [UInt8](repeating: 0xAA, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    ]

    private func code(_ message: [UInt8], by hmac: HMACSHA256) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeLength)
        let isWritten = unsafe message.withUnsafeBytes { message in
            unsafe code.withUnsafeMutableBytes { unsafe hmac.write(codeOf: message, into: $0) }
        }
        #expect(isWritten)
        return code
    }

    private func vouches(_ hmac: HMACSHA256, for message: [UInt8], by code: some Sequence<UInt8>) -> Bool {
        let code = Array(code)
        return unsafe message.withUnsafeBytes { message in
            unsafe code.withUnsafeBytes { unsafe hmac.vouches(for: message, by: $0) }
        }
    }

    private func hmac(_ key: [UInt8]) throws -> HMACSHA256 {
        try unsafe key.withUnsafeBytes { try unsafe HMACSHA256(key: $0) }
    }

    @Test("It gives the known answers, again and again under one key", arguments: knownAnswers)
    func known(answer: KnownAnswer) throws {
        let hmac = try hmac(answer.key)
        for _ in 0..<3 {
            let hex = code(answer.message, by: hmac).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            #expect(hex.joined() == answer.code)
        }
    }

    @Test("It vouches for a message by the first half of its code, and for nothing else")
    func vouching() throws {
        let hmac = try hmac([1, 2, 3])
        let message: [UInt8] = [5, 6, 7]
        let code = code(message, by: hmac)
        #expect(vouches(hmac, for: message, by: code) && vouches(hmac, for: message, by: code.prefix(16)))
        #expect(!vouches(hmac, for: message, by: code.prefix(15)))
        #expect(!vouches(hmac, for: message, by: []))
        #expect(!vouches(hmac, for: [5, 6, 8], by: code.prefix(16)))
        #expect(!vouches(try self.hmac([1, 2, 4]), for: message, by: code.prefix(16)))
        for place in 0..<16 {
            var wrong = code
            wrong[place] ^= 1
            #expect(!vouches(hmac, for: message, by: wrong.prefix(16)))
        }
    }
}
