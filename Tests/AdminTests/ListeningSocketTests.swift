import Foundation
import Glibc
import Testing

@testable import Admin
import Vocabulary

@Suite("Opening the admin port")
struct ListeningSocketTests {
    @Test("Port 0 becomes the port that the kernel chose", arguments: ["127.0.0.1:0", "[::1]:0"])
    func chosenPort(text: String) throws {
        let listener = try ListeningSocket(binding: SocketAddress(parsing: text))
        #expect(listener.address.port != 0)
        #expect(listener.address.with(port: 0) == (try SocketAddress(parsing: text)))
        _ = try Wire(to: listener.address)
    }

    @Test("A TCP address is bound once")
    func tcpInUse() throws {
        let first = try ListeningSocket(binding: .anyLoopbackPort)
        #expect(throws: AdminStartError.addressInUse(first.address)) { try ListeningSocket(binding: first.address) }
        first.close()
    }

    @Test("A TCP port does not wait for the last connections of the remora before, nor an answer for Nagle")
    func options() throws {
        let listener = try ListeningSocket(binding: .anyLoopbackPort)
        let descriptor = listener.socket.file.rawValue
        for (level, name) in [(SOL_SOCKET, SO_REUSEADDR), (Int32(IPPROTO_TCP), TCP_NODELAY)] {
            var value: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            #expect(unsafe getsockopt(descriptor, level, name, &value, &size) == 0)
            #expect(value != 0)
        }
    }

    @Test("An address of another machine cannot be bound")
    func foreignAddress() throws {
        // TEST-NET-1 (RFC 5737): no machine has it.
        let address = try SocketAddress(parsing: "192.0.2.1:9901")
        #expect(throws: AdminStartError.cannotBind(address, errno: EADDRNOTAVAIL)) {
            try ListeningSocket(binding: address)
        }
    }

    @Test("A unix socket is for its owner alone, and goes when it is closed")
    func unixMode() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/admin.sock"
            let listener = try ListeningSocket(binding: .unix(path: path))
            #expect(try mode(path) == 0o600)
            _ = try Wire(to: .unix(path: path))
            listener.close()
            #expect(unsafe access(path, F_OK) != 0)
        }
    }

    @Test("A unix path that somebody listens on is in use, and stays theirs")
    func unixInUse() throws {
        try withTemporaryDirectory { directory in
            let address = SocketAddress.unix(path: "\(directory)/admin.sock")
            let first = try ListeningSocket(binding: address)
            #expect(throws: AdminStartError.addressInUse(address)) { try ListeningSocket(binding: address) }
            _ = try Wire(to: address)
            first.close()
        }
    }

    @Test("A socket file that a dead process left is replaced")
    func unixStale() throws {
        try withTemporaryDirectory { directory in
            let address = SocketAddress.unix(path: "\(directory)/admin.sock")
            let left = try #require(SystemCalls.streamSocket(for: address))
            #expect(SystemCalls.bind(left, to: address) == 0)
            Glibc.close(left)
            let listener = try ListeningSocket(binding: address)
            _ = try Wire(to: address)
            listener.close()
        }
    }

    @Test("A file that is no socket is left alone", arguments: ["a file", "a directory"])
    func unixNotASocket(kind: String) throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/admin.sock"
            if kind == "a file" {
                try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
            } else {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            }
            #expect(throws: AdminStartError.notASocket(path: path)) { try ListeningSocket(binding: .unix(path: path)) }
            #expect(unsafe access(path, F_OK) == 0)
        }
    }

    @Test("A unix path in a directory that is not there cannot be bound")
    func unixNoDirectory() {
        let address = SocketAddress.unix(path: "/nonexistent/admin.sock")
        #expect(throws: AdminStartError.cannotBind(address, errno: ENOENT)) { try ListeningSocket(binding: address) }
    }

    @Test("Closing removes only its own socket file, not one that took its place")
    func unixReplaced() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/admin.sock"
            let first = try ListeningSocket(binding: .unix(path: path))
            try FileManager.default.removeItem(atPath: path)
            let second = try ListeningSocket(binding: .unix(path: path))
            first.close()
            _ = try Wire(to: .unix(path: path))
            second.close()
        }
    }

    @Test("Every reason says what to do")
    func descriptions() {
        let address = SocketAddress.ipv4(.loopback, port: 9901)
        #expect(
            AdminStartError.addressInUse(address).description
                == "admin address 127.0.0.1:9901 is in use; is another remora running? stop it or set admin.bind")
        #expect(
            AdminStartError.cannotBind(address, errno: EACCES).description
                == "cannot bind the admin address 127.0.0.1:9901: Permission denied; set admin.bind to another")
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }
}
