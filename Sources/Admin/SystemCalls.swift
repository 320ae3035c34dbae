// The two system calls that take an address, and what the system says when one fails.
//
// FlyingSocks makes them too, but loses the error number of a connect that failed
// later, and its conformance of sockaddr_storage calls itself without end on Linux.

import Glibc
internal import enum Vocabulary.SocketAddress

enum SystemCalls {
    /// A stream socket for `address` that never blocks and is closed on exec; nil leaves `errno` to tell why.
    static func streamSocket(for address: SocketAddress) -> Int32? {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.family, type, 0)
        return descriptor >= 0 ? descriptor : nil
    }

    /// - Returns: 0, or the error number.
    static func bind(_ descriptor: Int32, to address: SocketAddress) -> Int32 {
        unsafe address.kernelForm.withUnsafeBytes { raw in
            let name = unsafe raw.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe Glibc.bind(descriptor, name, socklen_t(raw.count)) == 0 ? 0 : errno
        }
    }

    /// - Returns: 0, or the error number; EINPROGRESS is on its way.
    static func connect(_ descriptor: Int32, to address: SocketAddress) -> Int32 {
        unsafe address.kernelForm.withUnsafeBytes { raw in
            let name = unsafe raw.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe Glibc.connect(descriptor, name, socklen_t(raw.count)) == 0 ? 0 : errno
        }
    }

    /// How the connect that was on its way has ended: 0, or the error number.
    static func pendingError(of descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }

    /// Where `descriptor` is bound.
    static func localAddress(of descriptor: Int32) -> SocketAddress? {
        var raw = [UInt8](repeating: 0, count: SocketAddress.longestKernelForm)
        var length = socklen_t(raw.count)
        return unsafe raw.withUnsafeMutableBytes { raw in
            let name = unsafe raw.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            guard unsafe getsockname(descriptor, name, &length) == 0 else { return nil }
            return unsafe SocketAddress(kernelForm: UnsafeRawBufferPointer(rebasing: raw.prefix(Int(length))))
        }
    }

    /// What the system says of an error number.
    static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        // The POSIX form fills the buffer, always with a NUL.
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
