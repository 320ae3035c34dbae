// The fleet's keys: from the config, changed by operators' commands (`serf keys`), kept across restarts.
//
// What was rotated is written down beside the keys that the config had then. A config with other keys than those is newer
// and wins. Without a state directory a rotation is forgotten at the end of the process, and the log says so.

import Config
import Foundation
import GossipWire
import Logging
import Serf
import Stores
import TLS

/// The raw keys of the ring, which itself gives none back. For one thread.
struct FleetKeys {
    /// The first encrypts. Empty: nothing is encrypted, and nothing can be rotated.
    private(set) var keys: [[UInt8]]
    private let configured: [[UInt8]]
    private let file: StateFile?
    private let logger: Logger

    /// The file of ``Configuration/stateDirectory`` that holds the ring.
    static let fileName = "gossip-keyring.json"
    /// A full ring and as many configured keys have about 1 KiB.
    private static let longestFile = 64 << 10

    private struct Stored: Codable {
        /// The config's, in Base64, when this was written.
        var configured: [String]
        /// The ring's, in Base64, the first one first.
        var keys: [String]
    }

    /// - Parameter stateDirectory: nil to keep nothing.
    init(configured: [[UInt8]], stateDirectory: String?, logger: Logger) {
        self.configured = configured
        self.logger = logger
        keys = configured
        file = configured.isEmpty ? nil : stateDirectory.map { StateFile($0 + "/" + FleetKeys.fileName) }
        restore()
    }

    /// The ring for the layers; nil without keys.
    func keyring() throws(AESGCM.KeyFault) -> Keyring<AESGCM>? {
        var ring: Keyring<AESGCM>?
        for key in keys {
            let cipher = try FleetKeys.cipher(key)
            // No more keys are configured than fit; one that stands there twice changes nothing.
            if ring == nil { ring = Keyring(primary: cipher) } else { try? ring?.add(cipher) }
        }
        return ring
    }

    private static func cipher(_ key: [UInt8]) throws(AESGCM.KeyFault) -> AESGCM {
        do {
            return try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) }
        } catch let fault as AESGCM.KeyFault {
            throw fault
        } catch {
            preconditionFailure("nothing else is thrown")
        }
    }

    // MARK: Commands

    /// Does what an operator wants of all keyrings (serf-layer §7).
    /// - Returns: what to answer. Where it failed nothing has changed.
    mutating func execute(_ command: KeyringCommand) -> SerfKeyResponse {
        guard !keys.isEmpty else { return SerfKeyResponse(succeeded: false, message: "this node has no keyring") }
        switch command {
        case .list:
            return SerfKeyResponse(succeeded: true, keys: keys.map(Self.text), primaryKey: Self.text(keys[0]))
        case .install(let key):
            guard [16, 24, 32].contains(key.count) else { return refusal("a key has 16, 24 or 32 bytes") }
            if keys.contains(key) { return SerfKeyResponse(succeeded: true) }
            guard keys.count < Keyring<AESGCM>.bound else {
                return refusal("the keyring is full (\(keys.count) keys); remove one")
            }
            keys.append(key)
        case .use(let key):
            guard let index = keys.firstIndex(of: key) else { return refusal("there is no such key; install it first") }
            keys.swapAt(0, index)
        case .remove(let key):
            guard key != keys[0] else { return refusal("the primary key cannot be removed; use another first") }
            keys.removeAll { $0 == key }
        }
        logger.notice("keyring: \(command); \(keys.count) keys now")
        store()
        return SerfKeyResponse(succeeded: true)
    }

    private func refusal(_ reason: String) -> SerfKeyResponse { SerfKeyResponse(succeeded: false, message: reason) }

    private static func text(_ key: [UInt8]) -> String { Data(key).base64EncodedString() }

    // MARK: The file

    private mutating func restore() {
        guard let file else { return }
        let bytes: [UInt8]?
        do throws(DiskFault) { bytes = try file.read(atMost: FleetKeys.longestFile) } catch {
            return logger.error("\(file.path) cannot be read: \(error); the keys are those of the config")
        }
        guard let bytes else { return }
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)),
            let ring = Self.keys(stored.keys), let former = Self.keys(stored.configured), !ring.isEmpty
        else {
            return logger.error("\(file.path) is no keyring and is not read; the keys are those of the config")
        }
        guard former == configured else {
            return logger.notice(
                "membership.keys has changed since \(file.path) was written; the config's keys are used")
        }
        keys = ring
    }

    /// Nil where one is no key.
    private static func keys(_ texts: [String]) -> [[UInt8]]? {
        let keys = texts.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
        let isWhole = keys.count == texts.count && keys.count <= Keyring<AESGCM>.bound
        return isWhole && keys.allSatisfy { [16, 24, 32].contains($0.count) } ? keys : nil
    }

    private func store() {
        guard let file else {
            return logger.warning(
                "this rotation is forgotten when the process ends; set node.state_directory to keep it")
        }
        let stored = Stored(configured: configured.map(Self.text), keys: keys.map(Self.text))
        do {
            file.replace(with: Array(try JSONEncoder().encode(stored))) { [logger, path = file.path] fault in
                logger.error(
                    "the keyring cannot be written to \(path): \(fault); this rotation is forgotten when the process ends"
                )
            }
        } catch {
            preconditionFailure("text is JSON")
        }
    }

    /// Waits until everything is written; for the end of the process.
    func finish() { file?.finish() }
}
