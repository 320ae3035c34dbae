import Testing
import Upstreams
import Vocabulary

@Suite("A service tag")
struct ServiceTagTests {
    struct Case: CustomTestStringConvertible {
        var text: String
        var tag: ServiceTag?
        var testDescription: String { text }
        init(_ text: String, _ tag: ServiceTag?) { (self.text, self.tag) = (text, tag) }
    }

    static let cases = [
        Case(":8080", ServiceTag(port: 8080)),
        Case("10.0.0.17:15000", ServiceTag(host: .ipv4(.init(bits: 0x0A00_0011)), port: 15000)),
        Case("[fd00::1]:443", ServiceTag(host: .ipv6(.init(high: 0xFD00 << 48, low: 1)), port: 443)),
        Case(":80;weight=250", ServiceTag(port: 80, weight: Weight(250))),
        Case(":80;zone=a b=c", ServiceTag(port: 80, zone: "a b=c")),
        Case(":80;health=failing", ServiceTag(port: 80, health: .failing)),
        Case(":80;health=draining;load=1", ServiceTag(port: 80, health: .draining, reportsLoad: true)),
        Case(":80;load=0;health=passing;", ServiceTag(port: 80)),
        // A newer remora says more.
        Case(":80;colour=red;weight=7", ServiceTag(port: 80, weight: Weight(7))),
        Case("", nil), Case(":", nil), Case(":0", nil), Case(":65536", nil), Case("80", nil), Case(":+80", nil),
        Case("db:80", nil), Case("10.1:80", nil), Case("fd00::1:80", nil), Case("unix:/run/a", nil),
        Case("0.0.0.0:80", nil), Case("[::]:80", nil), Case("[fd00::1%eth0]:80", nil),
        Case("[::ffff:0.0.0.0]:80", nil), Case("[::ffff:0:0]:80", nil),
        Case("[::ffff:10.0.0.1]:80", ServiceTag(host: .ipv6(.init(high: 0, low: 0xFFFF_0A00_0001)), port: 80)),
        Case(":80;weight=0", nil), Case(":80;weight=10001", nil), Case(":80;weight=", nil), Case(":80;weight=+1", nil),
        Case(":80;weight=99999999999999999999", nil), Case(":80;weight=1;weight=2", nil), Case(":80;zone=", nil),
        Case(":80;health=well", nil), Case(":80;load=yes", nil), Case(":80;load", nil), Case(":80;=1", nil),
        Case(":80;;weight=1", nil), Case(" :80", nil), Case(":80 ", nil),
        Case(":80;x=" + String(repeating: "y", count: 506), ServiceTag(port: 80)),
        Case(":80;x=" + String(repeating: "y", count: 507), nil),
    ]

    @Test("It is read as CONTRACT.md says, or refused as a whole", arguments: cases)
    func reading(_ table: Case) {
        #expect((try? ServiceTag(parsing: table.text)) == table.tag)
    }

    @Test("What is wrong is said, with the text it is said of")
    func explanations() {
        func explanation(_ text: String) -> String? {
            do throws(ServiceTag.ParseError) {
                _ = try ServiceTag(parsing: text)
                return nil
            } catch {
                return error.explanation
            }
        }
        #expect(explanation(":80;weight=0") == "says weight=0, which means nothing")
        #expect(explanation("0.0.0.0:80") == "names \"0.0.0.0:80\", where nothing can be reached")
        #expect(explanation(":80;up") == "has \"up\" where name=value belongs")
        #expect(explanation("80") == "has no port; write host:port, [v6]:port or unix:/path")
    }

    @Test("What was written is read as the same", arguments: Seeds.sample)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let hosts: [ServiceTag.Host] = [
                .own, .ipv4(.init(bits: UInt32.random(in: 1...(.max), using: &random))),
                .ipv6(.init(high: random.next(), low: random.next() | 1)),
            ]
            let tag = ServiceTag(
                host: hosts[Int(random.below(3))], port: UInt16(1 + random.below(65_535)),
                weight: random.below(2) == 0 ? .standard : Weight(1 + Int(random.below(10_000))),
                zone: random.below(2) == 0 ? nil : "z=\(random.below(100)) é",
                health: ServiceTag.Health.allCases[Int(random.below(3))], reportsLoad: random.below(2) == 0)
            #expect(try ServiceTag(parsing: "\(tag)") == tag)
        }
    }

    @Test("Random, cut and mangled texts are read or refused, and what is read can be written", arguments: Seeds.sample)
    func anything(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var read = 0
        for _ in 0..<5000 {
            var bytes = Array("10.0.0.17:15000;weight=250;zone=pacific;health=failing;load=1".utf8)
            bytes.removeLast(Int(random.below(UInt32(bytes.count))))
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
            }
            guard let tag = try? ServiceTag(parsing: String(decoding: bytes, as: UTF8.self)) else { continue }
            read += 1
            #expect(try ServiceTag(parsing: "\(tag)") == tag)
        }
        #expect((25..<4975).contains(read))
    }

    @Test("Its key is svc. and the service's name")
    func keys() {
        #expect(ServiceTag.key(for: "web") == "svc.web")
        #expect(ServiceTag.service(ofKey: "svc.web.v2") == "web.v2")
        #expect(ServiceTag.service(ofKey: "svc.") == nil)
        #expect(ServiceTag.service(ofKey: "role") == nil)
    }

    @Test("Without a host, the service is at the member's own address, whatever its kind")
    func ownAddress() throws {
        let tag = try ServiceTag(parsing: ":80")
        #expect(tag.address(of: try SocketAddress(parsing: "[fd00::7]:7946")).description == "[fd00::7]:80")
        #expect(tag.address(of: try SocketAddress(parsing: "10.0.0.7:7946")).description == "10.0.0.7:80")
        let elsewhere = try ServiceTag(parsing: "10.9.9.9:81")
        #expect(elsewhere.address(of: try SocketAddress(parsing: "10.0.0.7:7946")).description == "10.9.9.9:81")
    }
}
