// What the command line asks a running remora with: one request, one connection, on a thread of its own.
//
// FlyingFox's client was not taken: it cannot be told how long an answer may be or
// take, and a connect that is refused loses its reason on the way.

import Dispatch
package import Vocabulary

/// What a remora's admin port answered.
package struct AdminReply: Hashable, Sendable {
    package var status: Int
    package var body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

package struct AdminClient: Sendable {
    /// Bytes of an answer's body at most.
    package static let longestBody = 64 << 20
    private static let longestHead = 16 << 10

    package let address: SocketAddress
    private let token: String?

    /// - Parameter token: from ``TokenFile``; nil sends none.
    package init(address: SocketAddress, token: String?) {
        self.address = address
        self.token = token
    }

    package enum Failure: Error, Hashable {
        /// Nobody listens there, or nobody can be reached.
        case unreachable(SocketAddress, reason: String)
        case tooSlow(SocketAddress, limit: Duration)
        /// What came is no answer: not HTTP, or cut short.
        case notUnderstood(SocketAddress, reason: String)
        case tooLong(SocketAddress)
    }

    /// Asks for `path`, whatever the status of the answer.
    /// - Parameter timeout: for all of it, connecting included; being cancelled does not shorten it.
    package func get(_ path: String, timeout: Duration = .seconds(5)) async throws(Failure) -> AdminReply {
        try await ask("GET", path, timeout)
    }

    /// The same by POST, without a body.
    package func post(_ path: String, timeout: Duration = .seconds(60)) async throws(Failure) -> AdminReply {
        try await ask("POST", path, timeout)
    }

    private func ask(_ method: String, _ path: String, _ timeout: Duration) async throws(Failure) -> AdminReply {
        let result = await withCheckedContinuation { continuation in
            DispatchQueue(label: "remora.admin.client").async {
                continuation.resume(
                    returning: Result { () throws(Failure) in try exchange(method, path, timeout) })
            }
        }
        return try result.get()
    }

    private func exchange(_ method: String, _ path: String, _ timeout: Duration) throws(Failure) -> AdminReply {
        let stream = try ClientStream.connected(to: address, timeout: timeout)
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let host = address.port == nil ? "localhost" : "\(address)"
        let length = method == "GET" ? "" : "Content-Length: 0\r\n"
        try stream.send(
            "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(authorization)\(length)Connection: close\r\n\r\n")

        var reader = HeadReader(limit: Self.longestHead)
        while true {
            let bytes = try stream.receive()
            guard !bytes.isEmpty else { throw notUnderstood("it closed without an answer") }
            reader.append(bytes)
            let head: MessageHead?
            do { head = try reader.next() } catch { throw notUnderstood(error.explanation) }
            guard let head else { continue }
            return try AdminReply(status: status(of: head), body: body(after: head, &reader, on: stream))
        }
    }

    private func status(of head: MessageHead) throws(Failure) -> Int {
        let words = head.startLine.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw notUnderstood("it began with \"\(head.startLine.prefix(60))\"")
        }
        return status
    }

    /// As many bytes as the head announces; where it does not, all until the end.
    private func body(
        after head: MessageHead, _ reader: inout HeadReader, on stream: borrowing ClientStream
    ) throws(Failure) -> [UInt8] {
        guard head.values(of: "transfer-encoding").isEmpty else { throw notUnderstood("its answer comes in chunks") }
        let length: Int?
        do { length = try head.contentLength() } catch { throw notUnderstood(error.explanation) }
        if let length, length > Self.longestBody { throw .tooLong(address) }

        var body = reader.take(length ?? Self.longestBody)
        while body.count < length ?? Int.max {
            let bytes = try stream.receive()
            if bytes.isEmpty {
                guard length == nil else { throw notUnderstood("its answer was cut short") }
                break
            }
            body += bytes
            guard body.count <= Self.longestBody else { throw .tooLong(address) }
        }
        return length.map { Array(body.prefix($0)) } ?? body
    }

    private func notUnderstood(_ reason: String) -> Failure { .notUnderstood(address, reason: reason) }
}

// MARK: - What to tell the operator

extension AdminClient.Failure: CustomStringConvertible {
    /// What was tried, what came of it, what to do.
    package var description: String {
        switch self {
        case .unreachable(let address, let reason):
            "no remora answers at \(address): \(reason)\nstart one with: remora run --config FILE\n"
                + "or name its admin port with: --admin ADDRESS (the ready line of `remora run` shows it)"
        case .tooSlow(let address, let limit):
            "the admin port at \(address) did not answer within \(limit.components.seconds) s\n"
                + "ask again; if it stays so, look at the log of that remora"
        case .notUnderstood(let address, let reason):
            "what listens at \(address) does not answer as a remora's admin port: \(reason)\n"
                + "name the right one with: --admin ADDRESS"
        case .tooLong(let address):
            "the answer of \(address) is longer than \(AdminClient.longestBody >> 20) MiB\nask for less, such as one path alone"
        }
    }
}

extension AdminReply {
    /// Why this is not the answer that was asked for, and what to do; nil if it is.
    package func refusal(from address: SocketAddress, tokenFile: String?) -> String? {
        let said = String(decoding: body.prefix(500), as: UTF8.self).split(whereSeparator: \.isNewline).joined(
            separator: " ")
        switch status {
        case 200..<300: return nil
        case 401:
            guard let tokenFile else {
                return "the admin port at \(address) asks for a token\n"
                    + "pass the file that its admin.token_file names with: --token-file FILE"
            }
            return "the admin port at \(address) does not know the token in \(tokenFile)\n"
                + "pass the file that its admin.token_file names"
        case 403:
            return "the admin port at \(address) takes this for a foreign request: \(said)\n"
                + "name it by the address it is bound to, or by one of loopback"
        default: return "the admin port at \(address) answered \(status): \(said)"
        }
    }
}
