// Requests out of the bytes of one connection, as FlyingFox's values, bounded in every direction.

import FlyingFox
import Foundation

/// A request and what becomes of its connection.
struct AdminRequest: Sendable {
    var message: HTTPRequest
    /// Whether the client will send another one (RFC 9112 §9.3).
    var keepsConnection: Bool
}

struct RequestReader {
    private let bodyLimit: Int
    private var stream: HeadReader
    /// The request whose body has not come yet.
    private var waiting: (head: MessageHead, bodyLength: Int)?

    init(limits: AdminLimits) {
        bodyLimit = limits.bodyBytes
        stream = HeadReader(limit: limits.headBytes)
    }

    /// Whether the client is between two requests.
    var isIdle: Bool { waiting == nil && stream.isEmpty }

    mutating func append(_ bytes: [UInt8]) { stream.append(bytes) }

    /// The next request, once all of it has come. After a fault the connection is of no further use.
    mutating func next() throws(MessageFault) -> AdminRequest? {
        if waiting == nil, let head = try stream.next() {
            if let coding = head.values(of: "transfer-encoding").first { throw .transferEncoding(coding) }
            let length = try head.contentLength() ?? 0
            guard length <= bodyLimit else { throw .bodyTooLong(limit: bodyLimit) }
            waiting = (head, length)
        }
        guard let (head, length) = waiting, stream.holds(length) else { return nil }
        waiting = nil
        return try AdminRequest(head: head, body: stream.take(length))
    }
}

extension AdminRequest {
    fileprivate init(head: MessageHead, body: [UInt8]) throws(MessageFault) {
        let words = head.startLine.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .malformed("\"\(head.startLine)\" is no request line; it reads like GET /stats HTTP/1.1")
        }
        guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { throw .version(String(words[2])) }
        // Only paths: a target with a host in it would speak past the gate's look at Host (RFC 9112 §3.2.2).
        guard words[1].hasPrefix("/"), words[1].utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .malformed(
                "the target \"\(words[1])\" is no path; it begins with / and has no other characters than a URL")
        }
        // Two hosts: which one the gate sees would be luck (RFC 9112 §3.2).
        guard head.values(of: "host").count <= 1 else { throw .malformed("there is more than one Host") }

        let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var headers = HTTPHeaders()
        for field in head.fields { headers.addValue(field.value, for: HTTPHeader(field.name)) }
        message = HTTPRequest(
            method: HTTPMethod(String(words[0])),
            version: HTTPVersion(String(words[2])),
            target: .init(path: String(target[0]), query: target.count > 1 ? String(target[1]) : ""),
            headers: headers,
            body: HTTPBodySequence(data: Data(body)))

        let options = head.values(of: "connection").flatMap { value in
            value.lowercased().split { $0 == "," || $0 == " " || $0 == "\t" }
        }
        keepsConnection = words[2] == "HTTP/1.1" ? !options.contains("close") : options.contains("keep-alive")
    }
}
