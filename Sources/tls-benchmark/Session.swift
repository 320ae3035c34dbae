// A client and a server within one thread, over sockets of this machine: what the engine costs without a proxy round it.

import Glibc
import TLS

/// Both ends of one stream.
struct Session: ~Copyable {
    let client: TLSPipe
    let server: TLSPipe
    let sockets: (near: Int32, far: Int32)

    init(_ client: consuming TLSPipe?, _ server: consuming TLSPipe?, _ sockets: (near: Int32, far: Int32)) {
        guard let client, let server else { fail("no memory") }
        self.client = client
        self.server = server
        self.sockets = sockets
    }

    deinit {
        close(sockets.near)
        close(sockets.far)
    }

    /// Until both sides are through with the handshake and the client has its ticket.
    func shakeHands(into buffer: UnsafeMutableRawBufferPointer) {
        _ = client.handle.begin()
        for _ in 0..<10 {
            let asked = unsafe server.handle.receive(into: buffer)
            let answered = unsafe client.handle.receive(into: buffer)
            if asked.received + answered.received == 0 { break }
        }
        guard client.handle.isEstablished, server.handle.isEstablished else {
            fail("no handshake: \(client.handle.fault.map(\.description) ?? "no reason")")
        }
    }
}

/// Two connected TCP sockets that do not block.
func socketPair() -> (near: Int32, far: Int32) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in(
        sin_family: sa_family_t(AF_INET), sin_port: 0, sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian),
        sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let near = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let isConnected = unsafe withUnsafeMutableBytes(of: &address) {
        let place = unsafe $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
        return unsafe bind(listener, place, length) == 0 && listen(listener, 1) == 0
            && getsockname(listener, place, &length) == 0 && connect(near, place, length) == 0
    }
    let far = accept(listener, nil, nil)
    close(listener)
    guard isConnected, far >= 0 else { fail("no connection over loopback; raise the limit of open files") }
    for end in [near, far] {
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
        var on: Int32 = 1
        unsafe setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }
    return (near, far)
}
