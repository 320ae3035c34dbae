// A connection whose every wait has a deadline and ends at once when its store is told to stop.
//
// For the threads of stores, which have one thing to do and may wait for it. Sockets do not block; poll(2) does, on the
// socket and on the descriptor that says stop. TLS, where wanted, is carried by hand between the two.

import Glibc
import Reactor
import TLS
import Vocabulary

/// Where to, and under which name.
struct StoreAddress: Hashable {
    var host: String
    var port: UInt16
}

/// Closed when it is let go.
final class StoreConnection {
    /// Addresses of one name that are tried.
    private static let mostAddresses = 4
    private static let bufferSize = 64 << 10

    private let descriptor: Int32
    private let stop: Int32
    private var tls: TLSClientStream?

    /// Connects, and shakes hands where there is a context.
    ///
    /// Names are looked up by getaddrinfo(3), which knows neither our deadline nor our stop: its own time-outs hold, and
    /// `patience` begins after it.
    /// - Parameters:
    ///   - patience: for connecting and the handshake together.
    ///   - stop: readable when everything is to end.
    ///   - silence: after which TCP gives up a peer that acknowledges nothing.
    convenience init(
        to address: StoreAddress, within patience: Duration, tls context: TLSClientContext?, stop: Int32,
        silence: Duration
    ) throws(StoreFault) {
        try self.init(
            to: Self.addresses(of: address), of: address.host, within: patience, tls: context, stop: stop,
            silence: silence)
    }

    /// To the first of a host's addresses that takes the connection.
    ///
    /// Each has an equal share of the time that is left when its turn comes, so that one that drops every packet leaves
    /// the next ones theirs.
    init(
        to addresses: [SocketAddress], of host: String, within patience: Duration, tls context: TLSClientContext?,
        stop: Int32, silence: Duration
    ) throws(StoreFault) {
        let deadline = Kernel.now() + patience
        var descriptor: Int32?
        var fault = StoreFault.unknownHost(host, reason: "it has no address")
        let candidates = addresses.prefix(Self.mostAddresses)
        for (number, candidate) in candidates.enumerated() {
            let now = Kernel.now()
            let share = max(.zero, deadline - now) / (candidates.count - number)
            do throws(StoreFault) {
                descriptor = try Self.connected(to: candidate, by: now + share, stop: stop)
                break
            } catch {
                if error == .stopped { throw error }
                fault = error
            }
        }
        guard let descriptor else { throw fault }
        self.descriptor = descriptor
        self.stop = stop
        Kernel.disableNagle(descriptor)
        Kernel.watchForSilentPeer(descriptor, timeout: silence)
        guard let context else { return }
        do throws(TLSFault) {
            tls = try TLSClientStream(context, to: Self.peer(host), alpn: "http/1.1")
        } catch {
            throw .tls(error)
        }
        try shakeHands(by: deadline)
    }

    deinit {
        // Best effort: whoever does not read it any more gets nothing.
        tls?.end()
        if let last = tls?.takeEncrypted(), !last.isEmpty {
            _ = unsafe last.withUnsafeBytes { unsafe Kernel.send(descriptor, $0, more: false) }
        }
        Kernel.close(descriptor)
    }

    // MARK: Bytes

    func send(_ bytes: [UInt8], by deadline: Instant) throws(StoreFault) {
        guard let tls else { return try sendRaw(bytes, by: deadline) }
        do throws(TLSFault) { try tls.write(bytes) } catch { throw .tls(error) }
        try sendRaw(tls.takeEncrypted(), by: deadline)
    }

    /// The next bytes; nil where none came in time, which leaves the connection as it was.
    func receive(by deadline: Instant) throws(StoreFault) -> [UInt8]? {
        while true {
            if let tls {
                let reading: TLSClientStream.Reading
                do throws(TLSFault) { reading = try tls.read() } catch { throw .tls(error) }
                // Answers of the protocol's own, such as to a change of keys.
                try sendRaw(tls.takeEncrypted(), by: deadline)
                switch reading {
                case .bytes(let bytes): return bytes
                case .end: throw .ended
                case .nothing: break
                }
            }
            guard let bytes = try receiveRaw(by: deadline) else { return nil }
            guard let tls else { return bytes }
            do throws(TLSFault) { try tls.receive(bytes) } catch { throw .tls(error) }
        }
    }

    private func shakeHands(by deadline: Instant) throws(StoreFault) {
        guard let tls else { return }
        while true {
            var outcome: Result<Bool, TLSFault> = .success(false)
            do throws(TLSFault) { outcome = .success(try tls.shakeHands()) } catch { outcome = .failure(error) }
            // Also where it failed: the alert tells the other side why.
            try sendRaw(tls.takeEncrypted(), by: deadline)
            switch outcome {
            case .success(true): return
            case .failure(let fault): throw .tls(fault)
            case .success(false): break
            }
            guard let bytes = try receiveRaw(by: deadline) else { throw .timedOut(doing: "the TLS handshake") }
            do throws(TLSFault) { try tls.receive(bytes) } catch { throw .tls(error) }
        }
    }

    private func sendRaw(_ bytes: [UInt8], by deadline: Instant) throws(StoreFault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let outcome = unsafe rest.withUnsafeBytes { unsafe Kernel.send(descriptor, $0, more: false) }
            if outcome.wouldBlock {
                guard try Self.wait(descriptor, POLLOUT, stop: stop, until: deadline) else {
                    throw .timedOut(doing: "sending")
                }
            } else if let error = outcome.error {
                if error != .interrupted { throw .system(error, doing: "sending") }
            } else {
                rest = rest.dropFirst(outcome.count)
            }
        }
    }

    /// Nil where none came in time.
    private func receiveRaw(by deadline: Instant) throws(StoreFault) -> [UInt8]? {
        while true {
            var outcome: Outcome?
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.bufferSize) { buffer, filled in
                let result = unsafe Kernel.receive(descriptor, into: UnsafeMutableRawBufferPointer(buffer))
                filled = max(0, result.count)
                outcome = result
            }
            if let error = outcome?.error, error != .wouldBlock, error != .interrupted {
                throw .system(error, doing: "receiving")
            }
            if outcome?.succeeded == true {
                if bytes.isEmpty { throw .ended }
                return bytes
            }
            guard try Self.wait(descriptor, POLLIN, stop: stop, until: deadline) else { return nil }
        }
    }

    // MARK: Waiting and connecting

    /// Waits until `descriptor` is ready.
    /// - Parameter descriptor: nil to wait for the time alone.
    /// - Returns: false when the deadline came first.
    static func wait(
        _ descriptor: Int32?, _ events: Int32, stop: Int32, until deadline: Instant
    ) throws(StoreFault) -> Bool {
        while true {
            // A negative descriptor is left out (poll(2)).
            var wanted = [
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor ?? -1, events: Int16(events), revents: 0),
            ]
            // Rounded up, or the last millisecond would be spent turning.
            let left = (deadline - Kernel.now()).wholeNanoseconds.addingSaturating(999_999) / 1_000_000
            _ = unsafe poll(&wanted, nfds_t(wanted.count), Int32(clamping: max(0, left)))
            if wanted[0].revents != 0 { throw .stopped }
            if wanted[1].revents != 0 { return true }
            if left <= 0 { return false }
        }
    }

    private static func connected(
        to address: SocketAddress, by deadline: Instant, stop: Int32
    ) throws(StoreFault) -> Int32 {
        let doing = "connecting to \(address)"
        let descriptor: Int32
        do throws(SystemError) {
            descriptor = try Kernel.socket(family: address.family).get()
        } catch {
            throw .system(error, doing: doing)
        }
        do throws(StoreFault) {
            let outcome = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
            if outcome.error == .inProgress {
                guard try wait(descriptor, POLLOUT, stop: stop, until: deadline) else { throw .timedOut(doing: doing) }
                if let error = Kernel.connectError(descriptor) { throw .system(error, doing: doing) }
            } else if let error = outcome.error {
                throw .system(error, doing: doing)
            }
        } catch {
            Kernel.close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func peer(_ host: String) -> TLSClientStream.Peer {
        let isAddress = SocketAddress.IPv4(host) != nil || SocketAddress.IPv6(host) != nil
        return isAddress ? .address(host) : .name(host)
    }

    private static func addresses(of address: StoreAddress) throws(StoreFault) -> [SocketAddress] {
        if let ip = SocketAddress.IPv4(address.host) { return [.ipv4(ip, port: address.port)] }
        if let ip = SocketAddress.IPv6(address.host) { return [.ipv6(ip, port: address.port)] }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let failure = unsafe getaddrinfo(address.host, nil, &hints, &list)
        guard failure == 0 else {
            throw .unknownHost(address.host, reason: unsafe String(cString: gai_strerror(failure)))
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            let bytes = unsafe UnsafeRawBufferPointer(
                start: entry.pointee.ai_addr, count: Int(entry.pointee.ai_addrlen))
            if let one = unsafe SocketAddress(kernelForm: bytes) { found.append(one.with(port: address.port)) }
            unsafe next = unsafe entry.pointee.ai_next
        }
        return found
    }
}
