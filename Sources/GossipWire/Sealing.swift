// A sealed text: version, nonce, ciphertext, tag (memberlist-wire §9).
//
//     0 or 1 | nonce 12 | ciphertext … | tag 16
//
// Sealing happens in place, where the text was written between its nonce and its tag; opening goes into another
// buffer, since a key that does not fit must leave the sealed text for the next one.

/// How a text is made ready for sealing. Nothing vouches for the byte that says so.
package enum SealVersion: UInt8, Sendable {
    /// Padded to a multiple of 16 bytes (PKCS#7), for members of protocol 1.
    case padded = 0
    /// As it is.
    case plain = 1

    static let nonceLength = 12
    static let tagLength = 16
    static let block = 16
    /// Version and nonce.
    static let headLength = 1 + nonceLength

    /// Bytes of padding behind a text: 1 to 16, or none.
    func padding(of length: Int) -> Int {
        switch self {
        case .padded: SealVersion.block - length % SealVersion.block
        case .plain: 0
        }
    }

    /// What a text grows by when it is sealed.
    package func overhead(of length: Int) -> Int {
        SealVersion.headLength + padding(of: length) + SealVersion.tagLength
    }

    /// The most that any text grows by: what has to be left free.
    package var largestOverhead: Int {
        switch self {
        case .padded: SealVersion.headLength + SealVersion.block + SealVersion.tagLength
        case .plain: SealVersion.headLength + SealVersion.tagLength
        }
    }

    /// The shortest text that can be one, sealed.
    var shortest: Int { largestOverhead }
}

extension Keyring {
    /// Appends a text, sealed with the primary key.
    /// - Parameter writeText: appends the text.
    /// - Throws: `sealingFailed`, with `output` as it was.
    func seal(
        _ version: SealVersion, associated: Span<UInt8>, into output: inout [UInt8], writeText: (inout [UInt8]) -> Void
    ) throws(LayerFault) {
        let start = output.count
        output.append(version.rawValue)
        output.append(contentsOf: repeatElement(0, count: SealVersion.nonceLength))
        writeText(&output)
        let padding = version.padding(of: output.count - start - SealVersion.headLength)
        output.append(contentsOf: repeatElement(UInt8(padding), count: padding))
        let tag = output.count
        output.append(contentsOf: repeatElement(0, count: SealVersion.tagLength))
        let cipher = primary
        let isSealed = unsafe output.withUnsafeMutableBytes { output in
            unsafe associated.withUnsafeBytes { associated in
                let text = start + SealVersion.headLength
                let nonce = unsafe UnsafeMutableRawBufferPointer(rebasing: output[start + 1..<text])
                return unsafe cipher.drawNonce(into: nonce)
                    && cipher.seal(
                        UnsafeMutableRawBufferPointer(rebasing: output[text..<tag]),
                        nonce: UnsafeRawBufferPointer(nonce), associated: associated,
                        tag: UnsafeMutableRawBufferPointer(rebasing: output[tag...]))
            }
        }
        guard isSealed else {
            output.removeLast(output.count - start)
            throw .sealingFailed
        }
    }

    /// Appends the text of a sealed one, opened by the first key that fits.
    /// - Throws: with `output` as it was.
    func open(
        _ sealed: Span<UInt8>, associated: Span<UInt8>, into output: inout [UInt8]
    ) throws(LayerFault) {
        guard sealed.count > 0 else { throw .sealTooShort(length: 0) }
        guard let version = SealVersion(rawValue: sealed[0]) else { throw .unknownSeal(version: sealed[0]) }
        guard sealed.count >= version.shortest else { throw .sealTooShort(length: sealed.count) }
        let start = output.count
        let length = sealed.count - SealVersion.headLength - SealVersion.tagLength
        output.append(contentsOf: repeatElement(0, count: length))
        var isOpen = false
        var next = 0
        while !isOpen, next < ciphers.count {
            isOpen = open(sealed, with: ciphers[next], associated: associated, &output, at: start)
            next += 1
        }
        guard isOpen else {
            output.removeLast(length)
            throw .noKeyOpens
        }
        if version == .padded {
            guard let padding = SealVersion.padding(at: output.span.extracting(start...)) else {
                output.removeLast(length)
                throw .badPadding
            }
            output.removeLast(padding)
        }
    }

    private func open(
        _ sealed: Span<UInt8>, with cipher: Cipher, associated: Span<UInt8>, _ output: inout [UInt8], at start: Int
    ) -> Bool {
        unsafe output.withUnsafeMutableBytes { output in
            unsafe sealed.withUnsafeBytes { sealed in
                unsafe associated.withUnsafeBytes { associated in
                    let tag = sealed.count - SealVersion.tagLength
                    return unsafe cipher.open(
                        UnsafeRawBufferPointer(rebasing: sealed[SealVersion.headLength..<tag]),
                        nonce: UnsafeRawBufferPointer(rebasing: sealed[1..<SealVersion.headLength]),
                        associated: associated, tag: UnsafeRawBufferPointer(rebasing: sealed[tag...]),
                        into: UnsafeMutableRawBufferPointer(rebasing: output[start...]))
                }
            }
        }
    }
}

extension SealVersion {
    /// How many bytes of padding end a text; nil where it is not padded as it must be. The reference looks at the last
    /// byte alone, and takes a version 1 text whose version byte was changed for a shorter one.
    fileprivate static func padding(at text: Span<UInt8>) -> Int? {
        guard text.count > 0, text.count % block == 0 else { return nil }
        let padding = Int(text[text.count - 1])
        guard (1...block).contains(padding) else { return nil }
        for offset in text.count - padding..<text.count where text[offset] != UInt8(padding) { return nil }
        return padding
    }
}
