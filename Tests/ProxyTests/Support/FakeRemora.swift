// An endpoint with a sidecar before it, as far as load probes go: it answers as the test wants.

import FleetLoad
import Glibc
import GossipWire
import Proxy
import Reactor
import Synchronization
import Upstreams
import Vocabulary

final class FakeRemora: Sendable {
    /// What is sent back for a question.
    typealias Answering = @Sendable (ProbeMessage) -> [[UInt8]]

    let service: Service
    let probes: SocketAddress
    private let socket: Int32
    private let thread: KernelThread
    private let hasEnded: Flag
    private let asked: Counter

    /// - Parameter name: what the endpoint says to each connection.
    init(_ name: String, answering: @escaping Answering) throws {
        service = try Service.naming(name)
        let socket = try Kernel.bindDatagrams(.ipv4(.loopback, port: 0), receiveBuffer: 64 << 10)
        guard let address = Kernel.localAddress(of: socket) else { throw WireError(code: errno) }
        let (hasEnded, asked) = (Flag(), Counter())
        (self.socket, self.hasEnded, self.asked, probes) = (socket, hasEnded, asked, address)
        thread = KernelThread.start(name: "fake remora") {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 8)
            defer { unsafe buffer.deallocate() }
            while !hasEnded.isSet {
                var waited = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&waited, 1, 20) == 1 else { continue }
                let (length, sender) = unsafe Kernel.receiveDatagram(socket, into: buffer)
                guard length.succeeded, let sender else { continue }
                let bytes = unsafe [UInt8](buffer.prefix(length.count))
                guard let question = try? ProbeMessage(reading: bytes.span) else { continue }
                asked.add()
                for answer in answering(question) {
                    let form = sender.kernelForm
                    _ = unsafe answer.withUnsafeBytes { answer in
                        unsafe form.withUnsafeBytes { unsafe Kernel.sendDatagram(socket, answer, to: $0) }
                    }
                }
            }
        }
    }

    deinit {
        hasEnded.set()
        thread.join()
        Kernel.close(socket)
    }

    var questions: Int { asked.value }
    var connections: Int { service.connections }

    func endpoint(cell: LoadCells.Index) -> Endpoint {
        Endpoint(
            identity: EndpointIdentity(member: "m\(cell)", address: service.address),
            fitness: Fitness(.fit, because: "The test says so."), cell: cell, probe: probes)
    }
}

/// The answer to a question, signed with the first of these keys.
func answer(
    _ question: ProbeMessage, outstanding: Int, keys: [[UInt8]] = [], _ change: (inout ProbeMessage) -> Void = { _ in }
) -> [UInt8] {
    var message = question
    message.kind = .answer(ServiceLoad(outstanding: UInt32(outstanding), connections: UInt32(outstanding)))
    change(&message)
    guard let bytes = ProbeKeyring(gossipKeys: keys).signed(message) else { return [] }
    return bytes.indices.map { bytes[$0] }
}
