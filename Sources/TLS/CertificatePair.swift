// A certificate with its chain and its key, and the authorities that vouch for others: read once, never changed, shared
// by every context that uses them. A file that changes makes a new value; who has the old one keeps it.

import COpenSSL

/// A certificate, the chain behind it and the key to it.
///
/// Sendable: OpenSSL's objects are counted atomically and nothing changes them once they are here.
@safe
package final class CertificatePair: @unchecked Sendable {
    let certificate: OpaquePointer
    /// A stack of what follows the certificate in its file.
    let chain: OpaquePointer
    let key: OpaquePointer
    /// Where the certificate was read from.
    package let path: String
    /// The host names it is for, in lower case: its DNS names, or its common name where it has no names at all.
    package let hostNames: [String]
    package let names: [SubjectName]
    /// When the first of certificate and chain begins to be too old, in seconds since 1970.
    package let expiry: Int64
    /// What it begins to hold at.
    package let beginning: Int64

    /// Reads PEM files; blocks on the disk.
    /// - Parameter keyPath: nil where the key stands in the certificate's file.
    package init(certificate path: String, key keyPath: String? = nil) throws(CertificateFault) {
        let file = try PEMFile(path)
        let certificates = try file.certificates()
        let keyFile: PEMFile
        let key: OpaquePointer
        do throws(CertificateFault) {
            if let keyPath { keyFile = try PEMFile(keyPath) } else { keyFile = file }
            unsafe key = try keyFile.privateKey()
        } catch {
            for certificate in certificates { unsafe X509_free(certificate.raw) }
            throw error
        }
        guard let chain = unsafe remora_sk_X509_new() else {
            unsafe EVP_PKEY_free(key)
            for certificate in certificates { unsafe X509_free(certificate.raw) }
            throw .unavailable
        }
        for link in certificates.dropFirst() where unsafe remora_sk_X509_push(chain, link.raw) == 0 {
            unsafe X509_free(link.raw)
        }
        unsafe self.certificate = unsafe certificates[0].raw
        unsafe self.chain = unsafe chain
        unsafe self.key = unsafe key
        self.path = path
        names = unsafe SubjectName.all(in: certificate)
        hostNames = unsafe Self.hostNames(names, of: certificate)
        expiry = certificates.map { unsafe remora_ASN1_TIME_seconds(X509_get0_notAfter($0.raw)) }.min() ?? -1
        beginning = unsafe remora_ASN1_TIME_seconds(X509_get0_notBefore(certificate))
        // From here on, deinit frees what there is.
        defer { ERR_clear_error() }
        guard unsafe X509_check_private_key(certificate, key) == 1 else {
            throw .mismatch(certificate: path, key: keyPath ?? path)
        }
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe remora_sk_X509_free(chain)
        unsafe EVP_PKEY_free(key)
    }

    private static func hostNames(_ names: [SubjectName], of certificate: OpaquePointer) -> [String] {
        let listed = names.compactMap { if case .dns(let name) = $0 { name } else { nil } }
        guard names.isEmpty else { return listed }
        var text = [CChar](repeating: 0, count: 256)
        let length = unsafe X509_NAME_get_text_by_NID(
            X509_get_subject_name(certificate), NID_commonName, &text, CInt(text.count))
        guard length > 0, length < CInt(text.count) else { return [] }
        let bytes = text.prefix(Int(length)).map(UInt8.init(bitPattern:))
        guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return [] }
        return [String(decoding: bytes, as: UTF8.self).lowercased()]
    }
}

extension CertificatePair: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Says where it is from, and nothing of the key.
    package var description: String { "certificate \(path) (key not shown)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Authorities whose word is taken for a peer's certificate.
///
/// Sendable for the reason of ``CertificatePair``: a store is complete when it is here.
@safe
package final class TrustAnchors: @unchecked Sendable {
    let store: OpaquePointer
    /// What a server tells its clients to choose a certificate by; empty for the system's own.
    let subjects: [LibraryObject]
    /// SHA-256 over all certificates: what was believed under other anchors is not believed under these.
    let digest: [UInt8]
    /// When the first of them becomes too old, in seconds since 1970; nil for the system's own.
    package let expiry: Int64?
    /// Where they were read from; nil for the system's own.
    package let path: String?

    /// Reads a PEM file; blocks on the disk.
    package init(file path: String) throws(CertificateFault) {
        let certificates = try PEMFile(path).certificates()
        defer {
            for certificate in certificates { unsafe X509_free(certificate.raw) }
            ERR_clear_error()
        }
        guard let store = unsafe X509_STORE_new() else { throw .unavailable }
        var material: [UInt8] = []
        var subjects: [LibraryObject] = []
        for certificate in certificates {
            unsafe X509_STORE_add_cert(store, certificate.raw)
            var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
            var length: CUnsignedInt = 0
            unsafe X509_digest(certificate.raw, EVP_sha256(), &digest, &length)
            material += digest.prefix(Int(length))
            if let copy = unsafe X509_NAME_dup(X509_get_subject_name(certificate.raw)) {
                unsafe subjects.append(LibraryObject(copy))
            }
        }
        unsafe self.store = unsafe store
        self.subjects = subjects
        self.path = path
        digest = sha256(of: material)
        expiry = certificates.map { unsafe remora_ASN1_TIME_seconds(X509_get0_notAfter($0.raw)) }.min()
    }

    /// The system's own, as OpenSSL finds them (`SSL_CERT_FILE`, `SSL_CERT_DIR`, /etc/ssl/certs).
    package init(system: Void) throws(CertificateFault) {
        guard let store = unsafe X509_STORE_new() else { throw .unavailable }
        unsafe self.store = unsafe store
        subjects = []
        digest = []
        expiry = nil
        path = nil
        // Fails only without memory: places that are not there are looked at later, and trust nobody.
        guard unsafe X509_STORE_set_default_paths(store) == 1 else { throw .unavailable }
    }

    deinit {
        unsafe X509_STORE_free(store)
        for subject in subjects { unsafe X509_NAME_free(subject.raw) }
    }
}

/// 32 bytes that stand for `bytes`.
func sha256(of bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    return digest
}
