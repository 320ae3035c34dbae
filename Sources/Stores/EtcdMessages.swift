// What is said to etcd's JSON gateway and what it says (etcd 3.4 and later, /v3; api_grpc_gateway of its manual).
//
// Keys are Base64, 64-bit numbers are written as strings, and what is zero, empty or false is left out.

import Foundation

enum EtcdRequest {
    /// One page of the keys below a prefix, values left out.
    struct Range: Encodable {
        var key: Data
        var range_end: Data
        /// As of this revision; nil for the newest.
        var revision: String?
        var limit: String?
        var keys_only: Bool?
        var count_only: Bool?
    }

    struct Watch: Encodable {
        struct Create: Encodable {
            var key: Data
            var range_end: Data
            var start_revision: String
        }

        var create_request: Create
    }

    struct Authenticate: Encodable {
        var name: String
        var password: String
    }
}

enum EtcdAnswer {
    /// A number that may be written as a string.
    struct Number: Decodable {
        var value: Int64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                guard let number = Int64(text) else {
                    throw DecodingError.dataCorruptedError(in: container, debugDescription: "no number")
                }
                value = number
            } else {
                value = try container.decode(Int64.self)
            }
        }
    }

    struct Header: Decodable {
        var revision: Number?
    }

    struct KeyValue: Decodable {
        var key: Data?
    }

    struct Range: Decodable {
        var header: Header
        var kvs: [KeyValue]?
        var more: Bool?
        var count: Number?
    }

    struct Authenticate: Decodable {
        var token: String
    }

    struct Event: Decodable {
        /// Left out for a put.
        var type: String?
        var kv: KeyValue
    }

    struct Watch: Decodable {
        struct Result: Decodable {
            var header: Header?
            var created: Bool?
            var canceled: Bool?
            var compact_revision: Number?
            var cancel_reason: String?
            var events: [Event]?
        }

        var result: Result?
        var error: Failure?
    }

    /// Beside a status that is no success, and within a watch.
    struct Failure: Decodable {
        var message: String?
        var error: String?
        var code: Int?
        var grpc_code: Int?
    }
}

extension StoreFault {
    /// The error in an answer that is no success.
    init(status: Int, body: [UInt8]) {
        guard let failure = try? JSONDecoder().decode(EtcdAnswer.Failure.self, from: Data(body)) else {
            let hint = status == 404 ? "; is it etcd 3.4 or later, with its gateway on?" : ""
            self = .unreadable("status \(status)\(hint)")
            return
        }
        self.init(failure, status: status)
    }

    init(_ failure: EtcdAnswer.Failure, status: Int) {
        self = .refused(
            message: Self.quoted(failure.message ?? failure.error ?? "no reason is given"),
            code: failure.code ?? failure.grpc_code ?? 0, status: status)
    }
}
