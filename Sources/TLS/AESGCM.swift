// Authenticated encryption with a key that both sides know: what seals a fleet's gossip.
//
// A key keeps two OpenSSL contexts with its schedule in them, so that a packet costs neither an allocation nor another
// key expansion. What goes in and out are buffers of the caller's: this module knows no packets. Not taken: OpenSSL's
// one-shot calls (each fetches the cipher and expands the key again, several microseconds).

import COpenSSL

/// AES in Galois/counter mode (NIST SP 800-38D) under one key, with nonces of 96 bits and tags of 128.
///
/// Whoever seals must never use a nonce twice with one key. With random ones that is a matter of odds: the standard
/// (§8.3) allows a key 2³² of them, over all that seal with it, and keys should be changed well before.
///
/// For one thread at a time. Its copy of the key and OpenSSL's are wiped when it is released; it is never printed.
@safe
package final class AESGCM {
    package static let nonceLength = 12
    package static let tagLength = 16

    package enum KeyFault: Error, Equatable {
        /// Keys are of 16, 24 or 32 bytes; this many were given.
        case length(Int)
        /// OpenSSL would not have it: no memory, or a provider without AES.
        case refused
    }

    private let key: UnsafeMutableRawBufferPointer
    private let sealing: OpaquePointer
    private let opening: OpaquePointer

    /// Copies a key of 16, 24 or 32 bytes; the caller's copy is the caller's to wipe.
    package init(key bytes: UnsafeRawBufferPointer) throws(KeyFault) {
        let cipher: OpaquePointer?
        switch bytes.count {
        case 16: unsafe cipher = EVP_aes_128_gcm()
        case 24: unsafe cipher = EVP_aes_192_gcm()
        case 32: unsafe cipher = EVP_aes_256_gcm()
        default: throw .length(bytes.count)
        }
        let schedule = unsafe bytes.assumingMemoryBound(to: UInt8.self).baseAddress
        guard let sealing = unsafe EVP_CIPHER_CTX_new() else { throw .refused }
        guard let opening = unsafe EVP_CIPHER_CTX_new() else {
            unsafe EVP_CIPHER_CTX_free(sealing)
            throw .refused
        }
        guard unsafe EVP_EncryptInit_ex(sealing, cipher, nil, schedule, nil) == 1,
            unsafe EVP_DecryptInit_ex(opening, cipher, nil, schedule, nil) == 1
        else {
            unsafe EVP_CIPHER_CTX_free(sealing)
            unsafe EVP_CIPHER_CTX_free(opening)
            ERR_clear_error()
            throw .refused
        }
        unsafe self.sealing = unsafe sealing
        unsafe self.opening = unsafe opening
        unsafe key = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        unsafe key.copyMemory(from: bytes)
    }

    deinit {
        unsafe OPENSSL_cleanse(key.baseAddress, key.count)
        unsafe key.deallocate()
        // These wipe what they hold.
        unsafe EVP_CIPHER_CTX_free(sealing)
        unsafe EVP_CIPHER_CTX_free(opening)
    }
}

// MARK: - Sealing and opening

extension AESGCM {
    /// Encrypts in place and writes the tag.
    ///
    /// - Parameters:
    ///   - nonce: 12 bytes, never used before with this key.
    ///   - associated: bytes that are not encrypted and that the tag vouches for as well.
    ///   - tag: 16 bytes to be written.
    /// - Returns: false where OpenSSL failed; `text` is then of no use to anybody.
    package func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(nonce.count == AESGCM.nonceLength, "a nonce of another length")
        precondition(tag.count == AESGCM.tagLength, "a tag of another length")
        var written: CInt = 0
        let bytes = unsafe text.assumingMemoryBound(to: UInt8.self).baseAddress
        let known = unsafe associated.assumingMemoryBound(to: UInt8.self).baseAddress
        let initial = unsafe nonce.assumingMemoryBound(to: UInt8.self).baseAddress
        // Nothing in particular is written at the end, but the pointer must be one.
        var end: UInt8 = 0
        let isSealed =
            unsafe EVP_EncryptInit_ex(sealing, nil, nil, nil, initial) == 1
            && (associated.isEmpty || EVP_EncryptUpdate(sealing, nil, &written, known, CInt(associated.count)) == 1)
            && (text.isEmpty || EVP_EncryptUpdate(sealing, bytes, &written, bytes, CInt(text.count)) == 1)
            && EVP_EncryptFinal_ex(sealing, &end, &written) == 1
            && EVP_CIPHER_CTX_ctrl(sealing, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), tag.baseAddress) == 1
        if !isSealed { ERR_clear_error() }
        return isSealed
    }

    /// Decrypts `sealed` into `plain`, which is as long and does not overlap it.
    ///
    /// - Returns: false, with `plain` zeroed, where the tag does not vouch for all of it.
    package func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(nonce.count == AESGCM.nonceLength, "a nonce of another length")
        precondition(tag.count == AESGCM.tagLength, "a tag of another length")
        precondition(sealed.count == plain.count, "plain text is as long as sealed text")
        var written: CInt = 0
        let source = unsafe sealed.assumingMemoryBound(to: UInt8.self).baseAddress
        let target = unsafe plain.assumingMemoryBound(to: UInt8.self).baseAddress
        let known = unsafe associated.assumingMemoryBound(to: UInt8.self).baseAddress
        let initial = unsafe nonce.assumingMemoryBound(to: UInt8.self).baseAddress
        // OpenSSL only reads it here.
        let expected = unsafe UnsafeMutableRawPointer(mutating: tag.baseAddress)
        var end: UInt8 = 0
        let isOpen =
            unsafe EVP_DecryptInit_ex(opening, nil, nil, nil, initial) == 1
            && (associated.isEmpty || EVP_DecryptUpdate(opening, nil, &written, known, CInt(associated.count)) == 1)
            && (sealed.isEmpty || EVP_DecryptUpdate(opening, target, &written, source, CInt(sealed.count)) == 1)
            && EVP_CIPHER_CTX_ctrl(opening, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), expected) == 1
            && EVP_DecryptFinal_ex(opening, &end, &written) == 1
        if !isOpen {
            // What a stranger had decrypted must not be mistaken for text, nor its failure for one of TLS's.
            unsafe plain.initializeMemory(as: UInt8.self, repeating: 0)
            ERR_clear_error()
        }
        return isOpen
    }

    /// Fills `nonce` from OpenSSL's generator of secrets.
    /// - Returns: false where it has no entropy; nothing may be sealed then.
    package func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool {
        guard unsafe RAND_bytes(nonce.assumingMemoryBound(to: UInt8.self).baseAddress, CInt(nonce.count)) == 1 else {
            ERR_clear_error()
            return false
        }
        return true
    }

    /// Takes the same time whatever the keys, if they are of one length.
    package func hasSameKey(as other: AESGCM) -> Bool {
        unsafe key.count == other.key.count && CRYPTO_memcmp(key.baseAddress, other.key.baseAddress, key.count) == 0
    }
}

// MARK: - Being printed

extension AESGCM: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Says how long the key is and nothing else of it.
    package var description: String { unsafe "AES-\(key.count * 8)-GCM key (not shown)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
