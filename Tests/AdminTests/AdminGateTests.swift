import Testing

@testable import Admin
import Vocabulary

@Suite("The gate")
struct AdminGateTests {
    @Test(
        "Lets a request pass that names the port by its address or by loopback",
        arguments: [
            ("127.0.0.1:9901", "127.0.0.1:9901"), ("127.0.0.1:9901", "127.0.0.1"), ("127.0.0.1:9901", "localhost"),
            ("127.0.0.1:9901", "LocalHost:9901"), ("127.0.0.1:9901", "localhost:8080"),
            ("127.0.0.1:9901", "127.8.9.1:1"),
            ("127.0.0.1:9901", "[::1]:9901"), ("[::1]:9901", "[0:0::1]"), ("10.0.0.17:9901", "10.0.0.17:9901"),
            ("10.0.0.17:9901", "localhost"), ("[fd00::17]:9901", "[fd00::17]:9901"), ("0.0.0.0:9901", "10.0.0.17:9901"),
            ("[::]:9901", "[fd00::17]"), ("unix:/run/a", "localhost"), ("unix:/run/a", ""),
        ])
    func ownHost(bound: String, host: String) throws {
        #expect(try gate(bound).refusal(host: host, origin: nil, authorization: nil) == nil)
    }

    @Test(
        "Refuses every other Host",
        arguments: [
            ("127.0.0.1:9901", "evil.example"), ("127.0.0.1:9901", "evil.example:9901"),
            ("127.0.0.1:9901", "10.0.0.17"),
            ("127.0.0.1:9901", "localhost.evil.example"), ("127.0.0.1:9901", "127.0.0.1.evil.example"),
            ("127.0.0.1:9901", "127.1"), ("127.0.0.1:9901", "::1"), ("127.0.0.1:9901", "localhost:port"),
            ("127.0.0.1:9901", "localhost:"), ("127.0.0.1:9901", "localhost:99999"),
            ("127.0.0.1:9901", "localhost:1:2"),
            ("127.0.0.1:9901", "user@localhost"), ("127.0.0.1:9901", ""), ("10.0.0.17:9901", "10.0.0.18:9901"),
            ("0.0.0.0:9901", "evil.example"), ("[::1]:9901", "[::2]"), ("unix:/run/a", "evil.example"),
        ])
    func foreignHost(bound: String, host: String) throws {
        #expect(try gate(bound).refusal(host: host, origin: nil, authorization: nil) == .foreignHost(host))
    }

    @Test("A request without Host comes in through a unix socket alone")
    func noHost() throws {
        #expect(try gate("unix:/run/a").refusal(host: nil, origin: nil, authorization: nil) == nil)
        #expect(try gate("127.0.0.1:1").refusal(host: nil, origin: nil, authorization: nil) == .foreignHost(nil))
    }

    @Test("A page served by this very address may ask", arguments: ["localhost:9901", "127.0.0.1:9901", "[::1]:1"])
    func ownOrigin(host: String) throws {
        #expect(try gate("127.0.0.1:9901").refusal(host: host, origin: "http://\(host)", authorization: nil) == nil)
    }

    @Test(
        "Refuses every other Origin",
        arguments: [
            "http://evil.example", "null", "", "http://localhost", "http://localhost:9902", "https://localhost:9901",
            "http://127.0.0.1:9901", "localhost:9901", "http://localhost:9901, http://evil.example",
        ])
    func foreignOrigin(origin: String) throws {
        let refusal = try gate("127.0.0.1:9901").refusal(host: "localhost:9901", origin: origin, authorization: nil)
        #expect(refusal == .foreignOrigin(origin))
    }

    @Test(
        "The right token passes, its scheme in any case",
        arguments: ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret"])
    func rightToken(authorization: String) throws {
        #expect(
            try gate("127.0.0.1:1", "s3cret").refusal(host: "localhost", origin: nil, authorization: authorization)
                == nil)
    }

    @Test(
        "Another token is wrong",
        arguments: ["Bearer s3cres", "Bearer x3cret", "Bearer s3cre", "Bearer s3crett", "Bearer S3CRET"])
    func wrongToken(authorization: String) throws {
        let refusal = try gate("127.0.0.1:1", "s3cret").refusal(
            host: "localhost", origin: nil, authorization: authorization)
        #expect(refusal == .tokenWrong)
    }

    @Test(
        "What is no bearer token is none",
        arguments: [nil, "", "s3cret", "Bearer", "Bearer ", "Basic s3cret", "Bearer s3cret x"])
    func noToken(authorization: String?) throws {
        let refusal = try gate("127.0.0.1:1", "s3cret").refusal(
            host: "localhost", origin: nil, authorization: authorization)
        #expect(refusal == .tokenMissing)
    }

    @Test("A foreign Host is refused before its token is looked at")
    func order() throws {
        let refusal = try gate("127.0.0.1:1", "s3cret").refusal(
            host: "evil", origin: nil, authorization: "Bearer s3cret")
        #expect(refusal == .foreignHost("evil"))
    }

    private func gate(_ bound: String, _ token: String? = nil) throws -> AdminGate {
        AdminGate(address: try SocketAddress(parsing: bound), token: token)
    }
}
