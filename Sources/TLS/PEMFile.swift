// Certificates and keys as operators keep them: PEM files (RFC 7468).
//
// Files are read whole by read(2) and parsed from memory, so that the kernel's own reason reaches the operator, a FIFO or
// /dev/zero ends, and what was parsed is what was stamped. Reading blocks on the disk: it is for a thread that may wait.

import COpenSSL
import Glibc

/// Why files give no certificate or key. Never shows anything of a key.
package enum CertificateFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel's errno.
    case unreadable(path: String, code: Int32)
    case tooLarge(path: String)
    case noCertificate(path: String)
    case noKey(path: String)
    /// In OpenSSL's words.
    case malformed(path: String, reason: String)
    case encryptedKey(path: String)
    case mismatch(certificate: String, key: String)
    /// OpenSSL would not have it: a key that is too short, a signature that is too weak.
    case refused(path: String, reason: String)
    /// Two pairs could both be meant where one is wanted, or no pair is there at all.
    case unavailable

    package var description: String {
        switch self {
        case .unreadable(let path, let code): "cannot read \(path): \(errorText(code))"
        case .tooLarge(let path): "\(path) is longer than \(PEMFile.longest >> 20) MiB; is it another file?"
        case .noCertificate(let path):
            "\(path) holds no certificate; it must have one that begins with -----BEGIN CERTIFICATE-----"
        case .noKey(let path):
            "\(path) holds no private key; it must have one that begins with -----BEGIN PRIVATE KEY-----"
        case .malformed(let path, let reason): "\(path) is damaged: \(reason)"
        case .encryptedKey(let path):
            "the key in \(path) is encrypted, and nobody is there to type its passphrase; write it without one "
                + "(openssl pkey -in \(path) -out FILE) and let nobody but remora read it"
        case .mismatch(let certificate, let key):
            "the key in \(key) is not that of the certificate in \(certificate)"
        case .refused(let path, let reason): "\(path) cannot be used: \(reason)"
        case .unavailable: "OpenSSL has no memory"
        }
    }
}

/// One of OpenSSL's objects, in a list of such.
@safe
struct LibraryObject {
    let raw: OpaquePointer

    init(_ raw: OpaquePointer) { unsafe self.raw = raw }
}

/// The bytes of a file, wiped when they are released.
@safe
final class PEMFile {
    /// A store of all public authorities has a quarter of this.
    static let longest = 1 << 20

    private let bytes: UnsafeMutableRawBufferPointer
    private let count: Int
    let path: String

    init(_ path: String) throws(CertificateFault) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, code: errno) }
        defer { _ = close(descriptor) }
        // Not an array that grows: each of its former places would keep a part of a key.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.longest + 1, alignment: 16)
        var count = 0
        while count < bytes.count {
            let got = unsafe Glibc.read(descriptor, bytes.baseAddress.map { unsafe $0 + count }, bytes.count - count)
            if got == 0 { break }
            if got < 0 {
                let code = errno
                if code == EINTR { continue }
                unsafe Self.wipe(bytes, count)
                throw .unreadable(path: path, code: code)
            }
            count += got
        }
        guard count <= Self.longest else {
            unsafe Self.wipe(bytes, count)
            throw .tooLarge(path: path)
        }
        unsafe self.bytes = unsafe bytes
        self.count = count
        self.path = path
    }

    deinit { unsafe Self.wipe(bytes, count) }

    private static func wipe(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int) {
        unsafe OPENSSL_cleanse(bytes.baseAddress, count)
        unsafe bytes.deallocate()
    }

    /// Hands out a BIO that reads it from the start.
    private func read<Result>(
        _ body: (OpaquePointer) throws(CertificateFault) -> Result
    ) throws(CertificateFault) -> Result {
        ERR_clear_error()
        guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, CInt(count)) else { throw .unavailable }
        defer {
            unsafe BIO_free(bio)
            ERR_clear_error()
        }
        return try unsafe body(bio)
    }

    /// All certificates in the file's order, one at least; each is the caller's to free.
    func certificates() throws(CertificateFault) -> [LibraryObject] {
        try unsafe read { bio throws(CertificateFault) in
            var found: [LibraryObject] = []
            while let certificate = unsafe PEM_read_bio_X509(bio, nil, nil, nil) {
                unsafe found.append(LibraryObject(certificate))
            }
            let error = ERR_peek_last_error()
            let isAtEnd = ERR_GET_LIB(error) == CInt(ERR_LIB_PEM) && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
            guard isAtEnd else {
                for certificate in found { unsafe X509_free(certificate.raw) }
                throw .malformed(path: path, reason: takeLibraryError().reason)
            }
            guard !found.isEmpty else { throw .noCertificate(path: path) }
            return found
        }
    }

    /// The first private key; the caller's to free.
    func privateKey() throws(CertificateFault) -> OpaquePointer {
        try unsafe read { bio throws(CertificateFault) in
            var asked = false
            // OpenSSL's own would ask at the terminal, and wait.
            let key = unsafe withUnsafeMutablePointer(to: &asked) { asked in
                unsafe PEM_read_bio_PrivateKey(
                    bio, nil,
                    { _, _, _, asked in
                        unsafe asked?.assumingMemoryBound(to: Bool.self).pointee = true
                        return -1
                    }, asked)
            }
            if let key = unsafe key { return unsafe key }
            if asked { throw .encryptedKey(path: path) }
            // The decoder says "unsupported" of a file that has no key at all.
            let error = ERR_peek_error()
            let lib = ERR_GET_LIB(error)
            let isMissing =
                (lib == CInt(ERR_LIB_PEM) && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
                || lib == CInt(ERR_LIB_OSSL_DECODER)
            if isMissing { throw .noKey(path: path) }
            throw .malformed(path: path, reason: takeLibraryError().reason)
        }
    }
}
