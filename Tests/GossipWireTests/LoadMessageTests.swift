import GossipWire
import Testing
import Vocabulary

@Suite("Messages about load")
struct LoadMessageTests {
    /// By the page's table, byte for byte.
    static let vectors: [(message: LoadMessage, bytes: [UInt8])] = [
        (
            .question(
                from: LoadSubject(digest: 0x0102_0304), heard: LoadVersion(incarnation: 5, number: 0x4000)),
            [0xE7, 1, 3, 1, 2, 3, 4, 5, 0x80, 0x80, 1]
        ),
        (
            .reports([
                report(0xCAFE_BABE, incarnation: 300, number: 1, hundredths: 128, []),
                report(
                    1, incarnation: 0, number: LoadVersion.last, hundredths: 0,
                    [ServiceLoad(outstanding: 127, connections: 128, latency: CoarseLatency(code: 0xFF))]),
            ]),
            [0xE7, 1, 2, 0xCA, 0xFE, 0xBA, 0xBE, 0xAC, 0x02, 1, 0x80, 1, 0]
                + [0, 0, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 127, 0x80, 1, 0xFF]
        ),
    ]

    static func report(
        _ digest: UInt32, incarnation: UInt32, number: UInt64, hundredths: Int64, _ services: [ServiceLoad]
    ) -> LoadReport {
        guard let age = ReportAge(.milliseconds(10 * hundredths)) else { preconditionFailure("too old") }
        return LoadReport(
            subject: LoadSubject(digest: digest), version: LoadVersion(incarnation: incarnation, number: number),
            age: age, services: services)
    }

    @Test("Each is written and read as the page says", arguments: 0..<2)
    func vectors(index: Int) throws {
        let (message, expected) = Self.vectors[index]
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        #expect(bytes == expected)
        let read = try LoadMessage(reading: expected.span)
        let isOne = LoadMessage.isOne(expected.span)
        #expect(read == message && isOne)
        if case .reports(let reports) = message {
            #expect(reports.reduce(LoadMessage.headLength) { $0 + $1.encodedLength } == bytes.count)
        }
    }

    @Test("Cut short anywhere but between two reports, nothing of it is taken", arguments: 0..<2)
    func truncated(index: Int) {
        let bytes = Self.vectors[index].bytes
        for length in 0..<bytes.count where index == 0 || length != 13 {
            #expect(throws: WireFault.self, "\(length) bytes") {
                try LoadMessage(reading: bytes.span.extracting(..<length))
            }
        }
    }

    @Test(
        "Numbers in a longer form, out of range or without an end, trailing bytes and other kinds are refused",
        arguments: [
            // An incarnation of 2³².
            [0xE7, 1, 3, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0],
            // Zero in two bytes.
            [0xE7, 1, 3, 0, 0, 0, 0, 0x80, 0, 0],
            // A number of 2⁵⁶, and one without an end.
            [0xE7, 1, 3, 0, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
            [0xE7, 1, 3, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 40),
            // One byte too many after a question.
            [0xE7, 1, 3, 0, 0, 0, 0, 0, 0, 0],
            // An age of 300.01 s, and 65 services.
            [0xE7, 1, 2, 0, 0, 0, 0, 0, 0, 0xB1, 0xEA, 1, 0],
            [0xE7, 1, 2, 0, 0, 0, 0, 0, 0, 0, 65] + [UInt8](repeating: 0, count: 195),
            // 2²¹ connections.
            [0xE7, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x80, 0x80, 0x80, 1, 0],
            // Another version, another kind, the checksum of a view, no report at all.
            [0xE7, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0], [0xE7, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0],
            [0xE7, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0xE7, 1, 2],
        ] as [[UInt8]])
    func refused(bytes: [UInt8]) {
        #expect(throws: WireFault.self) { try LoadMessage(reading: bytes.span) }
    }

    @Test("Random and mutated bytes are refused, or are what would be written for what was read", arguments: 1...4)
    func mutated(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = Self.vectors[Int(random.below(2))].bytes
            for _ in 0..<random.below(4) { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
            if random.below(4) == 0 { bytes += (0..<random.below(30)).map { _ in UInt8(random.below(256)) } }
            guard let message = try? LoadMessage(reading: bytes.span) else { continue }
            read += 1
            var written: [UInt8] = []
            message.append(to: &written)
            #expect(written == bytes)
        }
        #expect(read > 1000)
    }

    @Test("A latency in a byte is within a sixteenth, and grows with what it stands for")
    func latencies() {
        #expect(CoarseLatency(nil).duration == nil && CoarseLatency(nil).code == 0)
        #expect(CoarseLatency(.nanoseconds(1)).duration == .microseconds(1))
        #expect(CoarseLatency(.seconds(1_000_000)).code == 255)
        var before = CoarseLatency(nil)
        for code in UInt8(1)...255 {
            let latency = CoarseLatency(code: code)
            #expect(CoarseLatency(latency.duration) == latency)
            #expect(latency.duration ?? .zero > before.duration ?? .zero)
            before = latency
        }
        for exponent in 3..<33 {
            for part in 0..<100 {
                let microseconds = (100 + part) << exponent / 100
                let told = CoarseLatency(.microseconds(microseconds)).duration ?? .zero
                #expect(abs(told / .microseconds(microseconds) - 1) <= 1.0 / 16, "\(microseconds) µs")
            }
        }
    }

    @Test("An age is told in hundredths of a second, never less than it is, up to five minutes")
    func ages() {
        #expect(ReportAge(.zero)?.hundredths == 0 && ReportAge(.seconds(-1))?.hundredths == 0)
        #expect(ReportAge(.nanoseconds(1))?.hundredths == 1)
        #expect(ReportAge(.milliseconds(10))?.hundredths == 1)
        #expect(ReportAge(.nanoseconds(10_000_001))?.hundredths == 2)
        #expect(ReportAge(.seconds(300))?.hundredths == 30_000)
        #expect(ReportAge(.seconds(300) + .nanoseconds(1)) == nil)
        #expect(ReportAge(.seconds(Int64.max)) == nil)
    }

    @Test("A subject is of the name and of every service, and of where one ends and the next begins")
    func subjects() {
        #expect(LoadSubject(member: "n1", services: ["api", "web"]).digest == 0xCE5E_7FDA)
        let all = [
            LoadSubject(member: "a", services: []), LoadSubject(member: "a", services: ["b"]),
            LoadSubject(member: "ab", services: []), LoadSubject(member: "a", services: ["b", "c"]),
            LoadSubject(member: "a", services: ["bc"]), LoadSubject(member: "a", services: [""]),
        ]
        #expect(Set(all).count == all.count)
    }

    @Test("Counts beyond three bytes are told as the most that there is")
    func clamped() {
        let load = ServiceLoad(outstanding: .max, connections: ServiceLoad.most)
        #expect(load.outstanding == ServiceLoad.most && load.connections == ServiceLoad.most)
    }
}
