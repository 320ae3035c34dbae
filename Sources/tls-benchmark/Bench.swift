// The works that are measured, and how.

import Glibc
import TLS
import Vocabulary

enum Usage {
    static let works = ["full", "resumed", "bulk", "idle"]
    static let text =
        "usage: tls-benchmark CERTIFICATE KEY [--only \(works.joined(separator: "|"))] [--times N] [--piece KIB]"
}

func fail(_ message: String) -> Never {
    let text = Array("tls-benchmark: \(message)\n\(Usage.text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, text, text.count)
    exit(64)
}

/// This thread's processor time in nanoseconds.
func processorTime() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Resident bytes of this process.
func residentBytes() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard unsafe fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
}

/// A number with `digits` behind the point.
func text(_ number: Double, _ digits: Int = 1) -> String {
    let scale = digits == 1 ? 10.0 : 100.0
    let scaled = Int((number * scale).rounded())
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

@safe
struct Bench {
    let clientContext: ClientContext
    let serverContext: ServerContext
    let wire = Wire()
    let sessions = SessionStore()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Wire.largestRead + 2 * Wire.slack, alignment: 64)
    /// Bytes that one send is given.
    let piece: Int

    init(certificate: String, key: String, piece: Int) {
        self.piece = piece
        do {
            clientContext = try ClientContext(ClientOptions(trusted: try TrustAnchors(file: certificate)))
            let pair = try CertificatePair(certificate: certificate, key: key)
            serverContext = try ServerContext(
                ServerOptions(certificates: [pair], scope: "benchmark"),
                tickets: try TicketKeys(at: Instant(nanoseconds: 0)))
        } catch {
            fail("\(error)")
        }
    }

    func makeSession(resuming: Bool) -> Session {
        let sockets = socketPair()
        return Session(
            clientContext.makePipe(
                over: sockets.near, to: .host("a.edge"), wire: wire, sessions: resuming ? sessions : nil),
            serverContext.makePipe(over: sockets.far, wire: wire), sockets)
    }

    func handshake(resuming: Bool) {
        let session = makeSession(resuming: resuming)
        unsafe session.shakeHands(into: buffer)
    }

    /// Microseconds of both ends' work for one handshake, its sockets' own subtracted.
    func handshakeCost(resuming: Bool) -> Double {
        let rounds = 2000
        for _ in 0..<50 { handshake(resuming: resuming) }
        var start = processorTime()
        for _ in 0..<rounds { handshake(resuming: resuming) }
        let whole = processorTime() - start
        start = processorTime()
        for _ in 0..<rounds {
            let sockets = socketPair()
            close(sockets.near)
            close(sockets.far)
        }
        return Double(whole - (processorTime() - start)) / Double(rounds) / 1000
    }

    /// Moves `rounds` pieces from client to server and answers the nanoseconds that each end took.
    func move(_ rounds: Int) -> (sending: Int64, receiving: Int64) {
        let session = makeSession(resuming: false)
        unsafe session.shakeHands(into: buffer)
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
        defer { unsafe bytes.deallocate() }
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0x5A)
        var (sending, receiving): (Int64, Int64) = (0, 0)
        for _ in 0..<rounds {
            var time = processorTime()
            let writing = unsafe session.client.handle.send(UnsafeRawBufferPointer(bytes))
            sending += processorTime() - time
            guard writing.count == piece else { fail("the stream has failed") }
            var left = piece
            while left > 0 {
                time = processorTime()
                left -= unsafe session.server.handle.receive(into: buffer).count
                receiving += processorTime() - time
                if session.client.handle.isBlocked {
                    time = processorTime()
                    _ = session.client.handle.flush()
                    sending += processorTime() - time
                }
            }
        }
        return (sending, receiving)
    }

    /// Resident bytes that an idle connection's server end adds. A client's end in the same process is no part of it, so
    /// clients are of another process's making where this one is: a child that holds them.
    func idleBytes(_ count: Int) -> Int {
        var pairs: [(near: Int32, far: Int32)] = []
        for _ in 0..<count { pairs.append(socketPair()) }
        // What the first connections make once for all is not theirs.
        for _ in 0..<50 { handshake(resuming: false) }
        let child = fork()
        guard child >= 0 else { fail("no child process") }
        if child == 0 {
            let own = Wire()
            for pair in pairs {
                close(pair.far)
                guard let pipe = clientContext.makePipe(over: pair.near, to: .host("a.edge"), wire: own) else {
                    _exit(1)
                }
                let handle = pipe.release()
                _ = handle.begin()
                while !handle.isEstablished, handle.fault == nil {
                    var wait = pollfd(fd: pair.near, events: Int16(POLLIN), revents: 0)
                    _ = unsafe poll(&wait, 1, 1000)
                    _ = unsafe handle.receive(into: buffer)
                }
                // One exchange, as connections have had that are idle now.
                let request: [UInt8] = [1, 2, 3]
                _ = unsafe request.withUnsafeBytes { unsafe handle.send($0) }
            }
            pause()
            _exit(0)
        }
        let before = residentBytes()
        var handles: [TLSPipe.Handle] = []
        handles.reserveCapacity(count)
        for pair in pairs {
            close(pair.near)
            guard let pipe = serverContext.makePipe(over: pair.far, wire: wire) else { fail("no memory") }
            let handle = pipe.release()
            handles.append(handle)
            var heard = 0
            while heard < 3 {
                var wait = pollfd(fd: pair.far, events: Int16(POLLIN), revents: 0)
                _ = unsafe poll(&wait, 1, 1000)
                let reading = unsafe handle.receive(into: buffer)
                heard += reading.count
                guard reading.end == .open else { fail("no handshake: \(handle.fault.map(\.description) ?? "ended")") }
            }
            let response: [UInt8] = [4, 5, 6]
            _ = unsafe response.withUnsafeBytes { unsafe handle.send($0) }
        }
        let resident = residentBytes() - before
        kill(child, SIGTERM)
        _ = waitpid(child, nil, 0)
        for handle in handles { handle.free() }
        for pair in pairs { close(pair.far) }
        return resident / count
    }
}
