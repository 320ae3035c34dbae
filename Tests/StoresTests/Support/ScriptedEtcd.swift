// A server that answers like etcd's gateway, or as a test wants it to misbehave.

import Foundation
import Glibc
import Reactor
import Synchronization
import Vocabulary

@testable import Stores

final class ScriptedEtcd: Sendable {
    struct Question {
        var path: String
        var body: String
        /// How many of this path have been asked, this one included.
        var number: Int
    }

    enum Answer {
        case json(_ text: String, status: Int = 200)
        /// The head of a watch, these messages, and then nothing more.
        case messages([String])
        /// As it stands; then nothing more.
        case bytes([UInt8])
        /// As it stands; then the end.
        case last(String)
    }

    static let header = #""header":{"revision":"5"}"#
    static let created = #"{"result":{\#(header),"created":true}}"#

    let endpoint: EtcdOptions.Endpoint
    private let door: Int32
    private let stop: Wake
    private let script: @Sendable (Question) -> Answer
    private let counts = Mutex<[String: Int]>([:])
    private let threads = Mutex<[KernelThread]>([])
    /// Fills the queue before the door while nobody is let in.
    private let crowd: Crowd?

    /// - Parameter busy: for so long it lets nobody in, and the kernel drops whoever knocks.
    init(busy: Duration? = nil, _ script: @escaping @Sendable (Question) -> Answer) throws {
        self.script = script
        stop = try Wake()
        door = try Kernel.bind(.ipv4(.loopback, port: 0), sharingPort: false)
        try Kernel.listen(door)
        crowd = busy == nil ? nil : try Crowd(before: door)
        endpoint = EtcdOptions.Endpoint(
            isSecure: false, host: "127.0.0.1", port: Kernel.localAddress(of: door)?.port ?? 0)
        start { server in
            if let busy {
                do {
                    _ = try StoreConnection.wait(nil, 0, stop: server.stop.descriptor, until: Kernel.now() + busy)
                } catch {
                    return
                }
            }
            while server.awaits(server.door) {
                let accepted = Kernel.accept(server.door)
                if accepted.succeeded { server.start { $0.serve(accepted.value) } }
            }
        }
    }

    /// To be called at the end of a test: its threads know no other.
    func end() {
        stop.signal()
        while let thread = threads.withLock({ $0.popLast() }) { thread.join() }
        Kernel.close(door)
    }

    var options: EtcdOptions { EtcdOptions(endpoints: [endpoint], prefix: "/roster/") }

    /// The keys of a roster as a range answers them.
    static func range(_ names: String...) -> String {
        let pairs = names.map { #"{"key":"\#(Data("/roster/\($0)".utf8).base64EncodedString())"}"# }
        return #"{\#(header),"kvs":[\#(pairs.joined(separator: ","))],"count":"\#(names.count)"}"#
    }

    private func start(_ body: @escaping @Sendable (ScriptedEtcd) -> Void) {
        let thread = KernelThread.start(name: "scripted") { [self] in body(self) }
        threads.withLock { $0.append(thread) }
    }

    /// False when all is to end.
    private func awaits(_ descriptor: Int32) -> Bool {
        do {
            return try StoreConnection.wait(
                descriptor, POLLIN, stop: stop.descriptor, until: Kernel.now() + .seconds(3600))
        } catch {
            return false
        }
    }

    private func serve(_ descriptor: Int32) {
        defer { Kernel.close(descriptor) }
        var text = ""
        while awaits(descriptor) {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(descriptor, into: $0) }.count
            guard count > 0 else { return }
            text += String(decoding: buffer.prefix(count), as: UTF8.self)
            // By scalars: CR LF is one character, and \r\n would not match it.
            let head = /^POST (\S+) (?s:.)*?Content-Length: (\d+)(?s:.)*?\r\n\r\n/
                .matchingSemantics(.unicodeScalar)
            guard let match = text.firstMatch(of: head), let length = Int(match.2),
                text[match.range.upperBound...].utf8.count >= length
            else { continue }
            let path = String(match.1)
            let number = counts.withLock { counts in
                counts[path, default: 0] += 1
                return counts[path, default: 0]
            }
            let body = String(text[match.range.upperBound...])
            text = ""
            switch script(Question(path: path, body: body, number: number)) {
            case .json(let text, let status):
                send("HTTP/1.1 \(status) X\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)", descriptor)
            case .messages(let lines):
                let chunks = lines.map { "\(String($0.utf8.count + 1, radix: 16))\r\n\($0)\n\r\n" }
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks.joined(), descriptor)
            case .bytes(let bytes): send(bytes, descriptor)
            case .last(let text): return send(text, descriptor)
            }
        }
    }

    private func send(_ text: String, _ descriptor: Int32) { send(Array(text.utf8), descriptor) }

    /// As much as the other side takes.
    private func send(_ bytes: [UInt8], _ descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let outcome = unsafe rest.withUnsafeBytes { unsafe Kernel.send(descriptor, $0, more: false) }
            if outcome.wouldBlock {
                let mayGoOn = try? StoreConnection.wait(
                    descriptor, POLLOUT, stop: stop.descriptor, until: Kernel.now() + patience)
                guard mayGoOn == true else { return }
            } else {
                guard outcome.succeeded else { return }
                rest = rest.dropFirst(outcome.count)
            }
        }
    }
}
