import Foundation
import Testing

@testable import TLS

/// What needs no server; with one the client is tried by the tests of `Stores`, against etcd.
@Suite("A client's side of TLS")
struct TLSClientTests {
    private func context() throws -> TLSClientContext {
        try TLSClientContext(ca: nil, certificate: nil, key: nil)
    }

    /// The first bytes that a client sends.
    private func hello(to peer: TLSClientStream.Peer) throws -> [UInt8] {
        let stream = try TLSClientStream(context(), to: peer, alpn: "http/1.1")
        #expect(try !stream.shakeHands())
        return stream.takeEncrypted()
    }

    @Test("It begins, names the server it wants unless that is an address, and says what is spoken inside")
    func clientHello() throws {
        let named = String(decoding: try hello(to: .name("etcd.example")), as: UTF8.self)
        #expect(named.contains("etcd.example") && named.contains("http/1.1"))
        for address in ["10.11.12.13", "fd00::17"] {
            let bytes = try hello(to: .address(address))
            // A handshake's record
            #expect(bytes.first == 0x16)
            #expect(!String(decoding: bytes, as: UTF8.self).contains(address))
        }
    }

    @Test("A stream whose context is gone goes on")
    func contextGone() throws {
        var context: TLSClientContext? = try context()
        let stream = try TLSClientStream(#require(context), to: .name("x"), alpn: "http/1.1")
        context = nil
        #expect(try !stream.shakeHands())
    }

    @Test(
        "What is no name or address is refused, a name that ends early above all",
        arguments: [
            TLSClientStream.Peer.name(""), .name("trusted.example\u{0}.evil.example"), .address("10.0.0"), .address(""),
            .address("etcd.example"),
        ])
    func noName(peer: TLSClientStream.Peer) {
        #expect(throws: TLSFault.self) { try TLSClientStream(context(), to: peer, alpn: "http/1.1") }
    }

    @Test("Bytes that are not TLS are a fault, whatever they are")
    func garbage() throws {
        // One for all: it reads the system's trust store.
        let context = try context()
        for seed in 0..<200 { try garbage(seed: seed, context) }
    }

    private func garbage(seed: Int, _ context: TLSClientContext) throws {
        let stream = try TLSClientStream(context, to: .name("x"), alpn: "http/1.1")
        _ = try stream.shakeHands()
        _ = stream.takeEncrypted()
        // A record's head of the right kind, now and then
        let head: [UInt8] = seed.isMultiple(of: 2) ? [0x16, 0x03, 0x03, 0x00, 0x20] : Array("HTTP/".utf8)
        let bytes = head + (0..<64).map { UInt8(truncatingIfNeeded: ($0 + 1) * (seed * 2 + 1) * 167) }
        #expect(throws: TLSFault.self, "seed \(seed)") {
            try stream.receive(bytes)
            _ = try stream.shakeHands()
            // Where it is still waiting, reading goes on with the handshake
            _ = try stream.read()
            try stream.receive([UInt8](repeating: 0, count: 1 << 16))
            _ = try stream.read()
        }
    }

    @Test("A file that is absent, or holds nothing of the kind, is named with the reason")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (absent, text) = (directory.path + "/absent", directory.path + "/text")
        try Data("no PEM".utf8).write(to: URL(fileURLWithPath: text))
        func fault(ca: String? = nil, certificate: String? = nil) -> String {
            do throws(TLSFault) {
                _ = try TLSClientContext(ca: ca, certificate: certificate, key: nil)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(fault(ca: absent) == "\(absent) cannot be used: No such file or directory")
        #expect(fault(certificate: absent) == "\(absent) cannot be used: No such file or directory")
        #expect(fault(ca: text).hasPrefix("\(text) cannot be used: "))
        #expect(fault(certificate: text).hasPrefix("\(text) cannot be used: "))
    }
}
