// The system calls of datagrams.
//
// One at a time: a member of a quiet fleet of 250 sends two a second, and what recvmmsg(2) would save in a flood is not
// worth its array of headers.

internal import CEpoll
package import Vocabulary

extension Kernel {
    /// No datagram is longer (RFC 768: a length of 16 bits).
    package static let longestDatagram = 65_535

    /// A bound, non-blocking datagram socket.
    /// - Parameter receiveBuffer: bytes asked for; the kernel gives at most what `net.core.rmem_max` allows.
    package static func bindDatagrams(_ address: SocketAddress, receiveBuffer: Int32) throws(SystemError) -> Int32 {
        let descriptor = try Outcome(remora_datagram_socket(address.family)).get()
        do throws(SystemError) {
            // Without a larger one more is lost in a flood, and nothing else.
            _ = remora_set_option(descriptor, SOL_SOCKET, SO_RCVBUF, receiveBuffer)
            if address.family == AF_INET6 { try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
            let form = address.kernelForm
            try unsafe Outcome(remora_bind(descriptor, form, UInt32(form.count))).get()
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Takes the next datagram.
    /// - Returns: its length, and who sent it; nil for a sender whose address is no IP address.
    package static func receiveDatagram(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) -> (length: Outcome, sender: SocketAddress?) {
        unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { address in
            var length = UInt32(address.count)
            let outcome = unsafe Outcome(
                remora_receive_from(fd, buffer.baseAddress, buffer.count, address.baseAddress, &length))
            guard outcome.succeeded, Int(length) <= address.count else { return (outcome, nil) }
            let form = unsafe UnsafeRawBufferPointer(rebasing: address.prefix(Int(length)))
            return unsafe (outcome, SocketAddress(kernelForm: form))
        }
    }

    /// Sends one datagram, whole or not at all.
    package static func sendDatagram(
        _ fd: Int32, _ bytes: UnsafeRawBufferPointer, to address: UnsafeRawBufferPointer
    ) -> Outcome {
        unsafe Outcome(
            remora_send_to(fd, bytes.baseAddress, bytes.count, address.baseAddress, UInt32(address.count)))
    }
}
