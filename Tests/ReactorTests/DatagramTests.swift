import Glibc
import Reactor
import Testing
import Vocabulary

@Suite("Datagrams and levels")
struct DatagramTests {
    private func bound() throws -> (descriptor: Int32, address: SocketAddress) {
        let descriptor = try Kernel.bindDatagrams(.ipv4(.loopback, port: 0), receiveBuffer: 1 << 18)
        return (descriptor, try #require(Kernel.localAddress(of: descriptor)))
    }

    private func send(_ bytes: [UInt8], from descriptor: Int32, to address: SocketAddress) -> Outcome {
        let form = address.kernelForm
        return unsafe bytes.withUnsafeBytes { bytes in
            unsafe form.withUnsafeBytes { unsafe Kernel.sendDatagram(descriptor, bytes, to: $0) }
        }
    }

    private func receive(from descriptor: Int32) -> (bytes: [UInt8]?, sender: SocketAddress?) {
        var buffer = [UInt8](repeating: 0, count: Kernel.longestDatagram)
        let (length, sender) = unsafe buffer.withUnsafeMutableBytes {
            unsafe Kernel.receiveDatagram(descriptor, into: $0)
        }
        return (length.succeeded ? Array(buffer.prefix(length.count)) : nil, sender)
    }

    @Test(
        "A datagram arrives whole with its sender, an empty one too; one that is too long is refused",
        arguments: [0, 1, 1400, 65_507])
    func whole(length: Int) throws {
        let (a, b) = (try bound(), try bound())
        defer { for socket in [a, b] { Kernel.close(socket.descriptor) } }
        #expect(receive(from: b.descriptor) == (nil, nil))
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        #expect(send(bytes, from: a.descriptor, to: b.address).count == length)
        #expect(receive(from: b.descriptor) == (bytes, a.address))
        let tooLong = send([UInt8](repeating: 0, count: 65_508), from: a.descriptor, to: b.address)
        #expect(tooLong.error?.code == EMSGSIZE)
    }

    @Test("A level is reported as long as it lasts, and no longer than it is asked for")
    func levels() throws {
        let (a, b) = (try bound(), try bound())
        defer { for socket in [a, b] { Kernel.close(socket.descriptor) } }
        let poller = try Poller(capacity: 4)
        try poller.addLevel(of: b.descriptor, token: 7, for: .readable).get()
        #expect(poller.wait(milliseconds: 0) == 0)
        _ = send([1], from: a.descriptor, to: b.address)
        for _ in 0..<2 {
            #expect(poller.wait(milliseconds: 1000) == 1)
            #expect(poller.event(at: 0).token == 7)
        }
        try poller.changeLevel(of: b.descriptor, token: 7, for: []).get()
        #expect(poller.wait(milliseconds: 0) == 0)
        try poller.changeLevel(of: b.descriptor, token: 8, for: .writable).get()
        #expect(poller.wait(milliseconds: 1000) == 1)
        #expect(poller.event(at: 0).token == 8 && poller.event(at: 0).readiness == .writable)
    }

    @Test("A poller with events is readable to another poller")
    func nested() throws {
        let (a, b) = (try bound(), try bound())
        defer { for socket in [a, b] { Kernel.close(socket.descriptor) } }
        let inner = try Poller(capacity: 4)
        let outer = try Poller(capacity: 4)
        try inner.addLevel(of: b.descriptor, token: 1, for: .readable).get()
        try outer.addLevel(of: inner.descriptor, token: 2).get()
        #expect(outer.wait(milliseconds: 0) == 0)
        _ = send([1], from: a.descriptor, to: b.address)
        #expect(outer.wait(milliseconds: 1000) == 1)
        #expect(outer.event(at: 0).token == 2)
        _ = receive(from: b.descriptor)
        #expect(outer.wait(milliseconds: 0) == 0)
    }
}
