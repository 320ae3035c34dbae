// The keys that seal session tickets (RFC 5077, RFC 8446 §4.6.1), shared by every context and worker of the process.
//
// A ticket is all the server keeps of a session, and the client keeps it; so a session resumes on any worker that has the
// key, and after a reload. Whoever gets a key can read what resumed connections of its time said (TLS 1.2), hence keys
// are replaced every hour and forgotten two hours later. They never leave the process: a session does not survive a
// restart.
//
// The one lock of the data plane is here, taken once for a handshake, for as long as it takes to copy 80 bytes. Not
// taken: keys derived from one secret and the hour, which need no lock, and are all known to who learns the secret.

import COpenSSL
import Synchronization
package import Vocabulary

/// A ring of ticket keys; the newest seals, all open.
@safe
package final class TicketKeys: Sendable {
    /// How long a key seals.
    package static let interval = Duration.seconds(3600)
    /// Keys that still open beside the newest.
    package static let formerKeys = 2
    /// How long a session may be resumed, in seconds: as long as its key is sure to be there.
    static let sessionLifetime = 7200

    /// Name, cipher key and MAC key of one age.
    fileprivate struct Key: Sendable {
        var name: InlineArray<16, UInt8> = .init(repeating: 0)
        var cipher: InlineArray<32, UInt8> = .init(repeating: 0)
        var mac: InlineArray<32, UInt8> = .init(repeating: 0)

        /// Nil without entropy.
        static func random() -> Key? {
            var key = Key()
            let isDrawn = unsafe withUnsafeMutableBytes(of: &key) {
                unsafe RAND_priv_bytes($0.assumingMemoryBound(to: UInt8.self).baseAddress, CInt($0.count)) == 1
            }
            return isDrawn ? key : nil
        }

        mutating func wipe() {
            unsafe withUnsafeMutableBytes(of: &self) { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
        }
    }

    private struct Ring: ~Copyable {
        /// The newest first; one at least.
        var keys: [Key]
        var rotated: Instant

        deinit {
            var keys = keys
            for index in keys.indices { keys[index].wipe() }
        }
    }

    private let ring: Mutex<Ring>

    /// - Throws: `unavailable` where there is no entropy to make a key of.
    package init(at now: Instant) throws(CertificateFault) {
        guard let first = Key.random() else { throw .unavailable }
        var keys: [Key] = []
        // Never moved, so that no other place has held a key.
        keys.reserveCapacity(TicketKeys.formerKeys + 2)
        keys.append(first)
        ring = Mutex(Ring(keys: keys, rotated: now))
    }

    /// When ``rotate(at:)`` is to be called next.
    package var nextRotation: Instant { ring.withLock { $0.rotated + TicketKeys.interval } }

    /// Draws a new key if the newest has sealed for long enough.
    /// - Returns: whether it did; without entropy the old key goes on.
    @discardableResult
    package func rotate(at now: Instant) -> Bool {
        ring.withLock { ring in
            guard now - ring.rotated >= TicketKeys.interval, let fresh = Key.random() else { return false }
            ring.rotated = now
            ring.keys.insert(fresh, at: 0)
            while ring.keys.count > TicketKeys.formerKeys + 1 {
                ring.keys[ring.keys.count - 1].wipe()
                ring.keys.removeLast()
            }
            return true
        }
    }

    fileprivate var newest: Key { ring.withLock { $0.keys[0] } }

    /// - Returns: the key of that name, and whether it is the newest.
    fileprivate func key(named name: UnsafePointer<UInt8>) -> (key: Key, isNewest: Bool)? {
        ring.withLock { ring in
            for index in ring.keys.indices {
                let isIt = unsafe withUnsafeBytes(of: ring.keys[index].name) {
                    unsafe CRYPTO_memcmp($0.baseAddress, name, $0.count) == 0
                }
                if isIt { return (ring.keys[index], index == 0) }
            }
            return nil
        }
    }
}

// MARK: - OpenSSL's side

/// Fetched once: asking for it by name at each handshake would cost a microsecond.
@unsafe
private struct TicketCipher: @unchecked Sendable {
    let raw = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
    static let shared = unsafe TicketCipher()
}

extension TicketKeys {
    /// Seals and opens for a context that ``ServerContext`` made (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
    func prepare(
        _ stream: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>, _ initial: UnsafeMutablePointer<UInt8>,
        _ cipher: OpaquePointer?, _ mac: OpaquePointer?, sealing: Bool
    ) -> CInt {
        var key: Key
        var answer: CInt = 1
        if sealing {
            key = newest
            guard unsafe RAND_bytes(initial, CInt(EVP_MAX_IV_LENGTH)) == 1 else { return -1 }
            unsafe withUnsafeBytes(of: key.name) {
                unsafe UnsafeMutableRawBufferPointer(start: name, count: $0.count).copyMemory(from: $0)
            }
        } else {
            // An unknown key is no error: the handshake becomes a full one.
            guard let found = unsafe self.key(named: name) else { return 0 }
            key = found.key
            // A new ticket goes out for one of an old key, and always where a ticket serves once (RFC 8446, appendix C.4).
            let servesOnce = unsafe SSL_version(stream) >= TLS1_3_VERSION
            answer = found.isNewest && !servesOnce ? 1 : 2
        }
        defer { key.wipe() }
        let isReady = unsafe withUnsafeBytes(of: key.cipher) { cipherKey in
            unsafe withUnsafeBytes(of: key.mac) { macKey in
                let bytes = unsafe cipherKey.assumingMemoryBound(to: UInt8.self).baseAddress
                let started =
                    sealing
                    ? unsafe EVP_EncryptInit_ex(cipher, TicketCipher.shared.raw, nil, bytes, initial)
                    : unsafe EVP_DecryptInit_ex(cipher, TicketCipher.shared.raw, nil, bytes, initial)
                return unsafe started == 1
                    && remora_EVP_MAC_set_key(mac, macKey.assumingMemoryBound(to: UInt8.self).baseAddress, macKey.count)
                        == 1
            }
        }
        return isReady ? answer : -1
    }
}

extension TicketKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "ticket keys (not shown)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
