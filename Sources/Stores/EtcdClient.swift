// Asks one endpoint of etcd: questions on a connection that is kept, a watch on one of its own.
//
// Two connections, as HTTP/1.1 answers in order and a watch's answer never ends. Every question may be asked twice
// without harm, which makes it simple to mend a kept connection that the server has closed in the meantime, and a token
// that is good no longer.

import Foundation
import Reactor
import TLS
import Vocabulary

/// For one thread.
struct EtcdClient: ~Copyable {
    /// Of one answer, and of one message of a watch.
    static let longestMessage = 16 << 20
    static let longestPassword = 4 << 10
    static let longestToken = 4 << 10

    private let endpoint: EtcdOptions.Endpoint
    private let options: EtcdOptions
    private let pace: EtcdPace
    private let stop: Int32
    private let tls: TLSClientContext?
    private var connection: StoreConnection?
    private var token: String?

    /// Reads the PEM files.
    init(
        _ endpoint: EtcdOptions.Endpoint, of options: EtcdOptions, pace: EtcdPace, stop: Int32
    ) throws(StoreFault) {
        self.endpoint = endpoint
        self.options = options
        self.pace = pace
        self.stop = stop
        do throws(TLSFault) {
            tls =
                endpoint.isSecure
                ? try TLSClientContext(ca: options.ca, certificate: options.certificate, key: options.key) : nil
        } catch {
            throw .tls(error)
        }
    }

    // MARK: Questions

    /// Asks with a token where there is a user, a fresh one if need be.
    mutating func ask<Answer: Decodable>(
        _ path: String, _ question: some Encodable, for answer: Answer.Type
    ) throws(StoreFault) -> Answer {
        if token == nil { try authenticate() }
        do throws(StoreFault) {
            return try exchange(path, question, for: answer)
        } catch  where error.asksForNewToken && options.username != nil {
            try authenticate()
            return try exchange(path, question, for: answer)
        }
    }

    private mutating func authenticate() throws(StoreFault) {
        guard let username = options.username else { return }
        token = nil
        let password = try options.passwordFile.map(Self.password(in:)) ?? ""
        let question = EtcdRequest.Authenticate(name: username, password: password)
        do throws(StoreFault) {
            let answer = try exchange("/v3/auth/authenticate", question, for: EtcdAnswer.Authenticate.self)
            // It becomes part of a head of ours.
            let isToken = answer.token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            guard isToken, (1...Self.longestToken).contains(answer.token.utf8.count) else {
                throw .unreadable("its token cannot be sent back")
            }
            token = answer.token
        } catch .refused(let message, let code, let status) {
            // As etcd's own client: who names a user before authentication is switched on is served all the same.
            guard message.contains("authentication is not enabled") else {
                throw .refused(message: message, code: code, status: status)
            }
        }
    }

    /// The first line; the file is read each time, so that it can be changed.
    private static func password(in path: String) throws(StoreFault) -> String {
        let bytes: [UInt8]
        do throws(DiskFault) { bytes = try DiskFile.read(path, atMost: longestPassword) } catch {
            throw .file(path: path, reason: error.reason)
        }
        guard let text = String(validating: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self) else {
            throw .file(path: path, reason: "it is not UTF-8")
        }
        return text
    }

    private mutating func exchange<Answer: Decodable>(
        _ path: String, _ question: some Encodable, for answer: Answer.Type
    ) throws(StoreFault) -> Answer {
        let request = try request(path, question)
        let wasKept = connection != nil
        let body: [UInt8]
        do throws(StoreFault) {
            body = try roundTrip(request)
        } catch  where wasKept && error.isEndOfConnection {
            // It was closed while nobody asked.
            body = try roundTrip(request)
        }
        do {
            return try JSONDecoder().decode(answer, from: Data(body))
        } catch {
            throw .unreadable("no JSON of the expected shape")
        }
    }

    /// The body of a successful answer. After a failure of the connection there is none.
    private mutating func roundTrip(_ request: [UInt8]) throws(StoreFault) -> [UInt8] {
        // Given back where it can be used again.
        let kept = self.connection.take()
        let connection = if let kept { kept } else { try connected() }
        let deadline = Kernel.now() + pace.exchange
        try connection.send(request, by: deadline)
        var reader = ResponseReader()
        var body: [UInt8] = []
        while !reader.isDone {
            guard let bytes = try connection.receive(by: deadline) else { throw .timedOut(doing: "an answer") }
            do throws(ResponseFault) { try reader.receive(bytes) } catch { throw .response(error) }
            body += reader.takeBody()
            guard body.count <= Self.longestMessage else { throw .tooLong(limit: Self.longestMessage) }
        }
        if reader.keepsConnection { self.connection = connection }
        let status = reader.status ?? 0
        guard status == 200 else { throw StoreFault(status: status, body: body) }
        return body
    }

    private func connected() throws(StoreFault) -> StoreConnection {
        try StoreConnection(
            to: StoreAddress(host: endpoint.host, port: endpoint.port), within: pace.connect, tls: tls, stop: stop,
            silence: pace.silence)
    }

    private func request(_ path: String, _ question: some Encodable) throws(StoreFault) -> [UInt8] {
        let body: Data
        do {
            body = try JSONEncoder().encode(question)
        } catch {
            preconditionFailure("our own questions are JSON")
        }
        let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
        var head = "POST \(path) HTTP/1.1\r\nHost: \(host):\(endpoint.port)\r\n"
        head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
        if let token { head += "Authorization: \(token)\r\n" }
        return Array(head.utf8) + Array("\r\n".utf8) + body
    }

    // MARK: The watch

    /// Opens a stream of changes on a connection of its own; its answer begins with the first message.
    func watch(_ question: EtcdRequest.Watch) throws(StoreFault) -> EtcdWatch {
        let request = try request("/v3/watch", question)
        let connection = try connected()
        try connection.send(request, by: Kernel.now() + pace.exchange)
        return EtcdWatch(connection)
    }
}

/// The changes that etcd tells as they happen.
struct EtcdWatch: ~Copyable {
    private let connection: StoreConnection
    private var reader = ResponseReader()
    private var splitter = MessageSplitter(limit: EtcdClient.longestMessage)
    /// What has come of an answer that is no success.
    private var failure: [UInt8] = []
    private static let longestFailure = 64 << 10

    fileprivate init(_ connection: StoreConnection) { self.connection = connection }

    /// The messages that came with the next bytes, maybe none; nil where nothing came in time.
    mutating func next(by deadline: Instant) throws(StoreFault) -> [EtcdAnswer.Watch.Result]? {
        guard let bytes = try connection.receive(by: deadline) else { return nil }
        do throws(ResponseFault) { try reader.receive(bytes) } catch { throw .response(error) }
        let body = reader.takeBody()
        if let status = reader.status, status != 200 {
            failure += body
            guard failure.count <= Self.longestFailure else { throw .tooLong(limit: Self.longestFailure) }
            if reader.isDone { throw StoreFault(status: status, body: failure) }
            return []
        }
        let lines: [[UInt8]]
        do throws(MessageSplitter.TooLong) { lines = try splitter.receive(body) } catch {
            throw .tooLong(limit: EtcdClient.longestMessage)
        }
        var results: [EtcdAnswer.Watch.Result] = []
        for line in lines {
            guard let message = try? JSONDecoder().decode(EtcdAnswer.Watch.self, from: Data(line)) else {
                throw .unreadable("a message of the watch is no JSON of the expected shape")
            }
            if let failure = message.error { throw StoreFault(failure, status: 200) }
            if let result = message.result { results.append(result) }
        }
        if reader.isDone { throw .ended }
        return results
    }
}
