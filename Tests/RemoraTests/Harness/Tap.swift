// Who stands on the line before a member, and keeps a copy of what passes.

import Foundation
import Glibc
import Reactor
import Synchronization
import Testing
import Vocabulary

/// Takes the datagrams that are for a member, and hands them on; the member's answers go back the same way.
///
/// The member advertises the tap's address. Streams to it are refused, so it is not to be probed in a flood.
final class Tap: Sendable {
    /// Datagrams of which a copy is kept.
    private static let kept = 1000

    private struct State {
        var captured: [[UInt8]] = []
        var isOver = false
    }

    private let state = Mutex(State())
    private let descriptor: Int32

    /// - Parameters:
    ///   - address: where others believe the member to be.
    ///   - member: where it is.
    ///   - peer: the only other one it answers.
    init(at address: SocketAddress, before member: SocketAddress, of peer: SocketAddress) throws {
        descriptor = try Kernel.bindDatagrams(address, receiveBuffer: 1 << 20)
        KernelThread.start(name: "tap") { [self] in relay(member, peer) }
    }

    /// Ends it; nothing passes any more.
    func stop() { state.withLock { $0.isOver = true } }

    /// What has passed so far, in both directions.
    var captured: [[UInt8]] { state.withLock { $0.captured } }

    private func relay(_ member: SocketAddress, _ peer: SocketAddress) {
        var buffer = [UInt8](repeating: 0, count: Kernel.longestDatagram)
        while state.withLock({ !$0.isOver }) {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&wanted, 1, 50) == 1 else { continue }
            let (length, sender) = unsafe buffer.withUnsafeMutableBytes {
                unsafe Kernel.receiveDatagram(descriptor, into: $0)
            }
            guard length.succeeded else { continue }
            let datagram = Array(buffer.prefix(length.count))
            state.withLock { if $0.captured.count < Self.kept { $0.captured.append(datagram) } }
            let form = (sender == member ? peer : member).kernelForm
            _ = unsafe datagram.withUnsafeBytes { bytes in
                unsafe form.withUnsafeBytes { unsafe Kernel.sendDatagram(descriptor, bytes, to: $0) }
            }
        }
        Kernel.close(descriptor)
    }
}

/// Sends datagrams to one address as fast as the machine can, until it is stopped.
final class Flood: Sendable {
    private struct State {
        var sent = 0
        var isOver = false
        var hasEnded = false
    }

    private let state = Mutex(State())

    /// - Parameter datagrams: sent in turn, again and again.
    init(of datagrams: [[UInt8]], to address: SocketAddress) throws {
        let descriptor = try Kernel.bindDatagrams(.ipv4(.loopback, port: 0), receiveBuffer: 1 << 16)
        let form = address.kernelForm
        KernelThread.start(name: "flood") { [self] in
            while state.withLock({ !$0.isOver }) {
                var sent = 0
                for datagram in datagrams {
                    let outcome = unsafe datagram.withUnsafeBytes { bytes in
                        unsafe form.withUnsafeBytes { unsafe Kernel.sendDatagram(descriptor, bytes, to: $0) }
                    }
                    if outcome.succeeded { sent += 1 }
                }
                state.withLock { $0.sent += sent }
            }
            Kernel.close(descriptor)
            state.withLock { $0.hasEnded = true }
        }
    }

    /// Ends it.
    /// - Returns: how many datagrams the kernel took.
    func stop() throws -> Int {
        state.withLock { $0.isOver = true }
        try Wait.until(state.withLock { $0.hasEnded }, is: true)
        return state.withLock { $0.sent }
    }
}

/// What the kernel says of a bound datagram socket of IPv4: how many datagrams it dropped for want of room.
func droppedDatagrams(at address: SocketAddress) throws -> Int {
    guard case .ipv4(let ip, let port) = address else { throw TooLate(description: "\(address) is not IPv4") }
    // proc_net_udp(5): the address as the machine's word in hexadecimal digits; the last column.
    func hexadecimal(_ value: some BinaryInteger, _ digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: digits - text.count) + text
    }
    let local = hexadecimal(ip.bits.bigEndian, 8) + ":" + hexadecimal(port, 4)
    let lines = try String(contentsOfFile: "/proc/net/udp", encoding: .utf8).split(separator: "\n")
    let rows = lines.map { $0.split(separator: " ") }
    let row = try #require(rows.first { $0.count > 12 && $0[1] == local }, "no socket at \(address)")
    return try #require(row.last.flatMap { Int($0) })
}
