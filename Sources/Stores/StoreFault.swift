// Why a store gave no answer, in words for whoever has to mend it.

import Reactor
import TLS

/// No password, token or key is ever in one.
enum StoreFault: Error, Hashable, CustomStringConvertible {
    /// We are told to end; not a failure.
    case stopped
    case timedOut(doing: String)
    case system(SystemError, doing: String)
    case unknownHost(String, reason: String)
    /// The other side ended the connection.
    case ended
    case tls(TLSFault)
    case response(ResponseFault)
    /// More bytes than an answer may have.
    case tooLong(limit: Int)
    /// An answer that is HTTP, but not etcd's.
    case unreadable(String)
    /// etcd's own error.
    case refused(message: String, code: Int, status: Int)
    /// A file that we need for it.
    case file(path: String, reason: String)
    /// The keys are no roster.
    case roster(String)

    var description: String {
        switch self {
        case .stopped: "told to end"
        case .timedOut(let doing): "\(doing) took too long"
        case .system(let error, let doing): "\(doing) failed: \(error)"
        case .unknownHost(let name, let reason): "the host \"\(name)\" is not known: \(reason)"
        case .ended: "the connection was ended by the other side"
        case .tls(let fault): fault.description
        case .response(let fault): fault.description
        case .tooLong(let limit): "an answer is longer than \(limit) bytes"
        case .unreadable(let what): "the answer is not one of etcd's: \(what)"
        case .refused(let message, _, let status): "it refuses with status \(status): \(message)"
        case .file(let path, let reason): "\(path) cannot be used: \(reason)"
        case .roster(let what): what
        }
    }

    /// The token we showed is not, or no longer, good: etcd was restarted, time passed, or users were changed.
    var asksForNewToken: Bool {
        guard case .refused(let message, let code, let status) = self else { return false }
        return code == 16 || status == 401 || message.contains("invalid auth token")
            || message.contains("revision of auth store is old")
    }

    /// The connection is gone, for whatever reason; the other side may still be there.
    var isEndOfConnection: Bool {
        switch self {
        case .ended, .system: true
        case .stopped, .timedOut, .unknownHost, .tls, .response, .tooLong, .unreadable, .refused, .file, .roster: false
        }
    }

    /// What somebody else wrote, fit for a line of ours.
    static func quoted(_ text: String) -> String {
        String(text.unicodeScalars.prefix(500).map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }
}
