// One client of the admin port: requests in, answers out, until either has enough.
//
// FlyingFox has a server of its own. It was not taken, because of what was seen of
// version 0.27.1 and cannot be mended from outside:
// - it writes an answer's head and body in two sends, and Nagle's algorithm holds
//   the second back until the client's delayed acknowledgement of the first: 42 ms
//   for every request on a kept connection (strace: two sendto, then 42 ms);
// - one accept(2) that fails for want of descriptors ends the server for good;
// - heads have no bound, silent clients no time limit, connections no number.
// Its messages, handlers and sockets are used; this loop is ours.

import FlyingFox
import FlyingSocks
import Foundation
import Glibc

struct AdminConnection: Sendable {
    /// What is written at once.
    static let pieceBytes = 64 << 10

    let socket: AsyncSocket
    let routes: AdminRoutes
    let limits: AdminLimits
    /// Called whenever the client has done something: asked, or read on.
    let progressed: @Sendable () async -> Void

    /// Serves until the client leaves, errs, is too slow, or the task is cancelled; closes nothing.
    func serve() async {
        var reader = RequestReader(limits: limits)
        do {
            var isKept = true
            while isKept {
                let request = try await nextRequest(&reader)
                await progressed()
                let response = await routes.handleRequest(request.message)
                isKept = request.keepsConnection
                try await send(response, isKept: isKept, withBody: request.message.method != .HEAD)
            }
        } catch let fault as MessageFault {
            // A client that cannot even be told has nobody else to tell.
            try? await send(.refusing(fault), isKept: false, withBody: true)
            await linger()
        } catch {
            // It left, went silent or had to give way: as common as clients are.
        }
    }

    private func nextRequest(_ reader: inout RequestReader) async throws -> AdminRequest {
        let clock = ContinuousClock()
        var deadline: ContinuousClock.Instant?
        while true {
            if let request = try reader.next() { return request }
            if !reader.isIdle, deadline == nil { deadline = clock.now + limits.request }
            let left = deadline.map { clock.now.duration(to: $0) } ?? limits.idle
            do {
                reader.append(try await within(left) { [socket] in try await socket.read(atMost: 4096) })
            } catch is DeadlineExceeded where deadline != nil {
                throw MessageFault.tooSlow
            }
        }
    }

    /// Head and first piece of the body go out in one send; see above.
    private func send(_ response: HTTPResponse, isKept: Bool, withBody: Bool) async throws {
        guard case .httpBody(let body) = response.payload else {
            preconditionFailure("the routes answer with bodies; web sockets are not among them")
        }
        var pending = Self.head(of: response, bodyCount: body.count, isKept: isKept)
        if withBody {
            for try await piece in body {
                pending.append(piece)
                try await write(pending)
                pending = Data()
            }
        }
        if !pending.isEmpty { try await write(pending) }
    }

    private func write(_ bytes: Data) async throws {
        try await within(limits.write) { [socket] in try await socket.write(bytes) }
        await progressed()
    }

    private static func head(of response: HTTPResponse, bodyCount: Int?, isKept: Bool) -> Data {
        var headers = response.headers
        if let bodyCount {
            headers[.contentLength] = String(bodyCount)
        } else {
            // FlyingFox's sequences of unknown length bring their own chunk marks.
            headers[.transferEncoding] = "chunked"
        }
        headers[.connection] = isKept ? "keep-alive" : "close"
        var text = "HTTP/1.1 \(response.statusCode.code) \(response.statusCode.phrase)\r\n"
        for (name, value) in headers.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text += "\(name.rawValue): \(value)\r\n"
        }
        return Data("\(text)\r\n".utf8)
    }

    /// Takes what the client still sends, for a second and up to 1 MiB: closing over unread bytes
    /// would reset the connection, and the client might never see the answer (RFC 9112 §9.6).
    private func linger() async {
        shutdown(socket.socket.file.rawValue, Int32(SHUT_WR))
        try? await within(.seconds(1)) { [socket] in
            var left = 1 << 20
            while left > 0 { left -= try await socket.read(atMost: 4096).count }
        }
    }
}
