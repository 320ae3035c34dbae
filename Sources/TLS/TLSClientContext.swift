// What connections to one kind of server have in common: whom we trust, and who we are.

import COpenSSL

/// A client's trust and certificate, read from PEM files once; a stream keeps what it needs of it.
///
/// TLS 1.2 and later. A server without a certificate that is trusted *and* bears its name is refused; there is no way
/// to turn that off. For one thread at a time.
@safe
package final class TLSClientContext {
    let raw: OpaquePointer

    /// Reads the files; blocks on the disk.
    ///
    /// - Parameters:
    ///   - ca: who is trusted; nil for the system's own.
    ///   - certificate: our chain, our own certificate first; nil to show none.
    ///   - key: its key, not encrypted; nil where it stands in the file of the certificate.
    package init(ca: String?, certificate: String?, key: String?) throws(TLSFault) {
        ERR_clear_error()
        guard let raw = unsafe SSL_CTX_new(TLS_client_method()) else { throw .unavailable }
        unsafe self.raw = unsafe raw
        unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
        guard unsafe remora_SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1 else { throw .unavailable }
        // OpenSSL's own would ask for a passphrase at the terminal, and wait.
        unsafe SSL_CTX_set_default_passwd_cb(raw) { _, _, _, _ in 0 }
        if let ca {
            guard unsafe SSL_CTX_load_verify_file(raw, ca) == 1 else {
                throw .file(path: ca, reason: OpenSSL.takeError())
            }
        } else {
            // Fails only without memory: places that are not there are looked at later, and trust nobody.
            guard unsafe SSL_CTX_set_default_verify_paths(raw) == 1 else { throw .unavailable }
        }
        guard let certificate else { return }
        guard unsafe SSL_CTX_use_certificate_chain_file(raw, certificate) == 1 else {
            throw .file(path: certificate, reason: OpenSSL.takeError())
        }
        // Also sees to it that the key is this certificate's.
        let keyFile = key ?? certificate
        guard unsafe SSL_CTX_use_PrivateKey_file(raw, keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw .file(path: keyFile, reason: OpenSSL.takeError())
        }
    }

    deinit { unsafe SSL_CTX_free(raw) }
}
