// A code that vouches for a message to whoever knows the same key, and hides nothing.
//
// A key keeps an OpenSSL context with its schedule in it, so that a message costs no other key expansion. Unlike a seal
// of AES-GCM a code needs no nonce, so there is no number of messages after which a key is worn out.

import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under one key.
///
/// For one thread at a time. OpenSSL's copy of the key is wiped when it is released; it is never printed.
@safe
package final class HMACSHA256 {
    package static let codeLength = 32

    /// OpenSSL would not have it: no memory, or a provider without SHA-256.
    package struct Refused: Error {}

    private let context: OpaquePointer

    /// - Parameter key: not empty; copied.
    package init(key: UnsafeRawBufferPointer) throws(Refused) {
        unsafe precondition(!key.isEmpty, "a code without a key vouches for nothing")
        let bytes = unsafe key.assumingMemoryBound(to: UInt8.self).baseAddress
        guard let context = unsafe remora_hmac_sha256_new(bytes, key.count) else {
            ERR_clear_error()
            throw Refused()
        }
        unsafe self.context = unsafe context
    }

    deinit { unsafe EVP_MAC_CTX_free(context) }

    /// Writes the code of a message.
    /// - Parameter code: ``codeLength`` bytes to be written.
    /// - Returns: false where OpenSSL failed; `code` is then of no use to anybody.
    package func write(codeOf message: UnsafeRawBufferPointer, into code: UnsafeMutableRawBufferPointer) -> Bool {
        precondition(code.count == HMACSHA256.codeLength, "a code of another length")
        var length = 0
        let bytes = unsafe message.assumingMemoryBound(to: UInt8.self).baseAddress
        let target = unsafe code.assumingMemoryBound(to: UInt8.self).baseAddress
        // Without a key it begins anew with the one it has.
        let isWritten =
            unsafe EVP_MAC_init(context, nil, 0, nil) == 1 && EVP_MAC_update(context, bytes, message.count) == 1
            && EVP_MAC_final(context, target, &length, code.count) == 1
        if !isWritten { ERR_clear_error() }
        return isWritten
    }

    /// Whether the first bytes of a message's code are these; takes as long whichever of them differs.
    /// - Parameter code: a code's first bytes, 16 or more: fewer are guessed too easily.
    package func vouches(for message: UnsafeRawBufferPointer, by code: UnsafeRawBufferPointer) -> Bool {
        guard (16...HMACSHA256.codeLength).contains(code.count) else { return false }
        return unsafe withUnsafeTemporaryAllocation(byteCount: HMACSHA256.codeLength, alignment: 8) { own in
            guard unsafe write(codeOf: message, into: own) else { return false }
            return unsafe CRYPTO_memcmp(own.baseAddress, code.baseAddress, code.count) == 0
        }
    }
}
