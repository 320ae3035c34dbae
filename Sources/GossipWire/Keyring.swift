// The keys of a fleet: one that seals, all that open (memberlist-wire §9).
//
// A key is changed without a moment in which members do not understand each other: add the new one everywhere, use it
// everywhere, remove the old one everywhere. So for a while there are several, and each packet tries them in order.

/// What seals and opens under one key: AES-GCM with nonces of 12 and tags of 16 bytes.
///
/// Handed in, so that this module links no cryptography. An object, since it owns a key; for one thread at a time.
package protocol PacketCipher: AnyObject {
    /// Encrypts in place and writes the tag, which vouches for the associated bytes too; false where it cannot.
    func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool

    /// Decrypts into another buffer of the same length; false where the tag does not vouch for everything.
    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool

    /// Writes a nonce that this key was never used with; false where there is no entropy.
    func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool

    func hasSameKey(as other: Self) -> Bool
}

/// For a fleet that seals nothing: there is no such cipher.
package final class NoCipher: PacketCipher {
    private init(_ never: Never) {}

    package func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool { false }

    package func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool { false }

    package func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool { false }
    package func hasSameKey(as other: NoCipher) -> Bool { false }
}

/// What an operator asked of the keys that cannot be.
package enum KeyringFault: Error, Hashable, Sendable {
    /// There are ``Keyring/bound`` keys already; remove one first.
    case full
    case unknownKey
    /// The key that seals cannot be removed; use another one first.
    case primaryKey
}

/// One key at least, the first of which seals.
package struct Keyring<Cipher: PacketCipher> {
    /// In the order in which they are tried.
    package private(set) var ciphers: [Cipher]

    /// A stranger's packet costs as many attempts as there are keys, so there are not many.
    package static var bound: Int { 8 }

    package init(primary: Cipher) { ciphers = [primary] }

    package var primary: Cipher { ciphers[0] }

    /// A key to open with, tried last. Nothing changes for one that is there.
    package mutating func add(_ cipher: Cipher) throws(KeyringFault) {
        guard place(of: cipher) == nil else { return }
        guard ciphers.count < Self.bound else { throw .full }
        ciphers.append(cipher)
    }

    /// Seals with this key from now on, and tries it first.
    package mutating func use(_ cipher: Cipher) throws(KeyringFault) {
        guard let place = place(of: cipher) else { throw .unknownKey }
        ciphers.insert(ciphers.remove(at: place), at: 0)
    }

    /// Forgets a key.
    package mutating func remove(_ cipher: Cipher) throws(KeyringFault) {
        guard let place = place(of: cipher) else { throw .unknownKey }
        guard place > 0 else { throw .primaryKey }
        ciphers.remove(at: place)
    }

    private func place(of cipher: Cipher) -> Int? { ciphers.firstIndex { $0.hasSameKey(as: cipher) } }
}
