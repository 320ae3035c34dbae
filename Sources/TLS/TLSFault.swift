// What goes wrong with TLS, in words for whoever has to mend it.

import COpenSSL
import Glibc

/// Why there is no encrypted stream. Says whose fault it is; never shows a key or a byte of the stream.
package enum TLSFault: Error, Hashable, CustomStringConvertible {
    /// The operator's: a PEM file cannot be used.
    case file(path: String, reason: String)
    /// The other side's: a certificate that we do not accept, by an error of X509_verify_cert(3).
    case certificate(reason: String)
    /// The other side's, or ours in its eyes: an alert, no TLS at all, nothing in common.
    case stream(reason: String)
    /// The library's: no memory.
    case unavailable

    package var description: String {
        switch self {
        case .file(let path, let reason): "\(path) cannot be used: \(reason)"
        case .certificate(let reason): "its certificate is not accepted: \(reason)"
        case .stream(let reason): "TLS failed: \(reason)"
        case .unavailable: "OpenSSL has no memory"
        }
    }
}

extension OpenSSL {
    /// What the calling thread's error queue says first, which is the cause of the rest; empties it.
    static func takeError() -> String {
        let error = ERR_peek_error()
        defer { ERR_clear_error() }
        let number = remora_ERR_SYSTEM_ERROR(error)
        if number != 0 {
            var text = [CChar](repeating: 0, count: 128)
            guard unsafe strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard error != 0, let reason = unsafe ERR_reason_error_string(error) else { return "no reason is known" }
        return unsafe String(cString: reason)
    }
}
