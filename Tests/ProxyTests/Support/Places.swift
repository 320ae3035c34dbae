// Where things listen in these tests, and how a connection comes about.

import Glibc
import Testing
import Vocabulary

/// A directory for sockets that goes when its owner does.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/remora-XXXXXX\0".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { fatalError("no temporary directory: errno \(errno)") }
        path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        // What is left in it are sockets that this process has made.
        if let directory = unsafe opendir(path) {
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafeBytes(of: unsafe entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                unsafe unlink("\(path)/\(name)")
            }
            unsafe closedir(directory)
        }
        unsafe rmdir(path)
    }

    func socket(_ name: String) -> SocketAddress { .unix(path: "\(path)/\(name)") }
}

/// What a connection's half runs over.
enum Transport: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case tcp4, tcp6, unix
    /// Loopback by an address that does not show it (0.0.0.0), so that remora connects as to another machine.
    case distant

    static let tcp: [Transport] = [.tcp4, .tcp6]
    static let kinds: [Transport] = [.tcp4, .unix]

    var testDescription: String { rawValue }

    func freshAddress(in directory: TemporaryDirectory, _ name: String) -> SocketAddress {
        switch self {
        case .tcp4, .distant: .ipv4(.loopback, port: 0)
        case .tcp6: .ipv6(.loopback, port: 0)
        case .unix: directory.socket(name)
        }
    }

    /// The address to reach what is bound to `address` by.
    func reaching(_ address: SocketAddress) -> SocketAddress {
        guard self == .distant, let port = address.port else { return address }
        return .ipv4(SocketAddress.IPv4(bits: 0), port: port)
    }
}

/// How a client reaches remora, and how remora reaches the endpoint.
struct Route: CustomTestStringConvertible, Sendable {
    var client: Transport
    var endpoint: Transport

    var testDescription: String { "\(client) to \(endpoint)" }

    static let all = [
        Route(client: .tcp4, endpoint: .tcp4), Route(client: .unix, endpoint: .tcp4),
        Route(client: .tcp4, endpoint: .unix), Route(client: .unix, endpoint: .unix),
        Route(client: .tcp6, endpoint: .tcp6), Route(client: .tcp4, endpoint: .distant),
    ]

    /// Those on which an abort differs from an end by itself.
    static let resettable = [
        Route(client: .tcp4, endpoint: .tcp4), Route(client: .tcp6, endpoint: .tcp6),
        Route(client: .tcp4, endpoint: .distant),
    ]
}

/// Looks again and again until `condition` holds.
/// - Returns: whether it did in time.
func eventually(within patience: Duration = .seconds(20), _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(500)
    }
    return try condition()
}
