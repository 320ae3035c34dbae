// What holds of every header and of every other bytes.

import Routing
import Testing
import Vocabulary

@Suite("PROXY headers, whatever the bytes")
struct ProxyHeaderPropertyTests {
    static let samples: [[UInt8]] =
        Captured.headers.map(\.bytes) + ProxyHeaderTests.lines.map { .text($0.line) }
        + ProxyHeaderTests.binaries.map(\.bytes)

    @Test("What is written is read back", arguments: 1...10 as ClosedRange<UInt64>, ProxyProtocolVersion.allCases)
    func roundTrip(seed: UInt64, version: ProxyProtocolVersion) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<1000 {
            let header = ProxyHeader.random(using: &random)
            let bytes = header.encoded(as: version)
            #expect(ProxyHeader.read(exactly: bytes + [0x20]) == .header(header, length: bytes.count))
        }
    }

    @Test("Every beginning of a header asks for more, and for no more than there is", arguments: samples)
    func truncation(bytes: [UInt8]) {
        for count in 0..<min(bytes.count, 300) {
            guard case .needMore(let wanted) = ProxyHeader.read(exactly: bytes.prefix(count)) else {
                Issue.record("\(count) of \(bytes.count) bytes were decided")
                return
            }
            #expect(wanted > count && wanted <= bytes.count)
        }
    }

    @Test("A reader that waits for what is asked gets there in a few steps")
    func fewSteps() {
        for bytes in Self.samples where bytes[0] == 0x0D {
            var counts = [0]
            while let last = counts.last, case .needMore(let wanted) = ProxyHeader.read(exactly: bytes.prefix(last)) {
                counts.append(wanted)
            }
            #expect(counts.last == bytes.count && counts.count <= 4, "\(counts)")
        }
    }

    @Test("Bytes that come one by one are judged as bytes that come at once", arguments: 1...10 as ClosedRange<UInt64>)
    func byteByByte(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let bytes = mutant(using: &random)
            let whole = ProxyHeader.read(exactly: bytes)
            let last = (0...bytes.count).lazy.map { ProxyHeader.read(exactly: bytes.prefix($0)) }
                .first { if case .needMore = $0 { false } else { true } }
            if let last { #expect(last == whole) } else { #expect(isWanting(whole, over: bytes.count)) }
        }
    }

    @Test("No bytes crash the reader or make it see more than there are", arguments: 1...20 as ClosedRange<UInt64>)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for round in 0..<3000 {
            let bytes = round % 3 == 0 ? noise(using: &random) : mutant(using: &random)
            switch ProxyHeader.read(exactly: bytes) {
            case .header(let header, let length):
                #expect(length > 0 && length <= bytes.count && length <= Preface.bound.bytes)
                // Nothing behind the header counts, and what was read of it can be written.
                #expect(ProxyHeader.read(exactly: bytes.prefix(length)) == .header(header, length: length))
                #expect(header.encoded(as: .v1).count <= ProxyHeader.longestText)
            case .needMore(let count):
                #expect(count > bytes.count && count <= Preface.bound.bytes)
            case .malformed(let fault):
                #expect(!fault.description.isEmpty)
                #expect(ProxyHeader.read(exactly: bytes + [0]) == .malformed(fault), "more bytes mend nothing")
            }
        }
    }

    @Test("A line's addresses are those that inet_pton reads", arguments: 1...20 as ClosedRange<UInt64>)
    func likeTheLibrary(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var (accepted, refused) = (0, 0)
        for _ in 0..<1000 {
            let text = addressText(using: &random)
            let expected = SocketAddress.IPv6(text)
            let reading = ProxyHeader.read(exactly: [UInt8].text("PROXY TCP6 \(text) :: 1 2\r\n"))
            switch reading {
            case .header(.relayed(.ipv6(let ip, _), _), _):
                accepted += 1
                #expect(ip == expected, "\(text)")
            default:
                refused += 1
                #expect(expected == nil, "\(text) was refused: \(reading)")
            }
        }
        #expect(accepted > 100 && refused > 100)
    }

    // MARK: Bytes

    private func isWanting(_ reading: ProxyHeader.Reading, over count: Int) -> Bool {
        if case .needMore(let wanted) = reading { wanted > count } else { false }
    }

    private func noise(using random: inout SeededRandom) -> [UInt8] {
        let start = [[], [UInt8].text("PROXY "), .text("PROXY TCP6 "), .binary(length: 40)][Int(random.below(4))]
        return start + (0..<random.below(140)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// A header with some bytes changed, taken out, doubled or put in.
    private func mutant(using random: inout SeededRandom) -> [UInt8] {
        var bytes = Array(Self.samples[Int(random.below(UInt32(Self.samples.count)))].prefix(300))
        for _ in 0..<random.below(4) where !bytes.isEmpty {
            let place = Int(random.below(UInt32(bytes.count)))
            switch random.below(5) {
            case 0: bytes[place] ^= 1 << UInt8(random.below(8))
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(bytes[place], at: place)
            case 3: bytes[place] = Array(" .:0159afF\r\n".utf8)[Int(random.below(12))]
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }

    /// Something like an IPv6 address, often a right one.
    private func addressText(using random: inout SeededRandom) -> String {
        var text = ""
        let groups = [7, 8, 8, random.below(10)][Int(random.below(4))]
        for group in 0..<groups {
            if group > 0 { text += random.below(8) == 0 ? "::" : ":" }
            if group == groups - 1, random.below(4) == 0 {
                text += "\(random.below(260)).0.\(random.below(3)).1"
            } else if random.below(40) > 0 {
                text += String(
                    random.next() & 0xFFFF >> UInt64(random.below(16)), radix: 16, uppercase: random.below(2) == 0)
            }
        }
        return text
    }
}
