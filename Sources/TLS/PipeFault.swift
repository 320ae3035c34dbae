// Why an encrypted stream came to a bad end, in words for whoever has to mend it. Shows no key and no byte of the stream.

import COpenSSL
import Glibc

/// An alert of the protocol (RFC 8446 §6).
package struct Alert: Hashable, Sendable, CustomStringConvertible {
    package let code: UInt8

    package init(code: UInt8) { self.code = code }

    package static let handshakeFailure = Alert(code: 40)
    package static let badCertificate = Alert(code: 42)
    package static let certificateExpired = Alert(code: 45)
    package static let certificateUnknown = Alert(code: 46)
    package static let unknownCA = Alert(code: 48)
    package static let protocolVersion = Alert(code: 70)
    package static let certificateRequired = Alert(code: 116)
    package static let noApplicationProtocol = Alert(code: 120)

    /// The protocol's own name for it, such as "unknown CA".
    package var description: String {
        switch code {
        // OpenSSL 3.0 has no words for these.
        case 109: "missing extension"
        case 116: "certificate required"
        default: unsafe String(cString: SSL_alert_desc_string_long(CInt(code)))
        }
    }
}

/// What ended a stream other than a close_notify. Whatever came before it has been delivered.
package enum PipeFault: Error, Hashable, Sendable {
    /// The peer's end came without a close_notify, so bytes may be missing: an abort, never an end.
    case truncated
    /// The peer has gone before the handshake was over.
    case cutOff
    /// The kernel's errno.
    case system(code: Int32)
    /// The peer refuses us, and says why by an alert.
    case alert(Alert)
    /// We do not accept the peer's certificate. `names` are those it bears, where it was refused for them.
    case certificate(reason: String, names: String?)
    /// What the peer sent is no TLS, or none that both sides speak.
    case protocolError(reason: String)
    /// The peer makes us answer more than we are ready to keep for it.
    case tooMuchToAnswer
    /// Too many handshakes were under way, and it was the oldest. No pipe finds this: whoever owns many says so.
    case crowdedOut
}

extension PipeFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated: "the stream ended without close_notify"
        case .cutOff: "the connection ended within the TLS handshake"
        case .system(let code): errorText(code)
        case .alert(let alert): "the peer sent the TLS alert \"\(alert)\""
        case .certificate(let reason, let names):
            "the peer's certificate is refused: \(reason)" + (names.map { "; it is for \($0)" } ?? "")
        case .protocolError(let reason): "TLS failed: \(reason)"
        case .tooMuchToAnswer: "the peer asks for more TLS answers than it takes"
        case .crowdedOut: "it made room for another handshake, as too many were under way"
        }
    }
}

/// The kernel's words for an errno.
func errorText(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    guard unsafe strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// What the thread's error queue says first, which is the cause of the rest.
/// - Returns: OpenSSL's number and its words; the queue is empty afterwards.
func takeLibraryError() -> (code: CUnsignedLong, reason: String) {
    let code = ERR_peek_error()
    defer { ERR_clear_error() }
    guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return (code, "no reason is known") }
    return (code, unsafe String(cString: reason))
}
