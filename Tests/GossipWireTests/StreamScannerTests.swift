import Gossip
import GossipWire
import Testing

@Suite("The scanner of streams")
struct StreamScannerTests {
    @Test("Bytes that come one by one end where the message ends", arguments: StreamVectorTests.whole)
    func byteByByte(vector: WireVector) {
        let bytes = vector.bytes
        var scanner = StreamScanner()
        for count in 0..<bytes.count {
            guard case .partial(let wanted) = scanner.scan(bytes.span.extracting(first: count)) else {
                Issue.record("\(count) of \(bytes.count) bytes were decided")
                return
            }
            #expect(wanted > count && wanted <= bytes.count)
        }
        #expect(scanner.scan(bytes.span) == .whole(bytes.count))
        #expect(scanner.scan((bytes + bytes).span) == .whole(bytes.count))
    }

    @Test("A large exchange that comes in single bytes takes time in its length")
    func largeExchange() {
        let codec = Codec()
        var generator = MessageGenerator(seed: 1, directory: codec.directory)
        let record = generator.record()
        let members = (0..<3000).map { index in
            MemberClaim(node: codec.directory.intern("n\(index)"), incarnation: 1, state: .alive, record: record)
        }
        let bytes = codec.encode(.pushPull(PushPull(isJoin: true, members: members, userState: [1, 2, 3])))
        // From the start after each byte it would be five thousand million steps, which nobody would wait for.
        var scanner = StreamScanner()
        for count in 0..<bytes.count {
            guard case .partial = scanner.scan(bytes.span.extracting(first: count)) else {
                Issue.record("\(count) of \(bytes.count) bytes were decided")
                return
            }
        }
        #expect(scanner.scan(bytes.span) == .whole(bytes.count))
    }

    @Test(
        "A message that can be none is refused as soon as that is known, and stays refused",
        arguments: [
            ("63", WireFault.unexpectedType(0x63)), ("04", .unexpectedType(4)), ("0a", .unexpectedType(10)),
            ("f4", .unexpectedType(244)), ("00c1", .notMessagePack(0xC1)), ("06a161", .wrongKind),
            // Lengths and counts: negative, and one above the limit.
            ("0681a54e6f646573ff", .outOfRange), ("0681a54e6f646573ce00100001", .outOfRange),
            ("0681ac5573657253746174654c656eff", .outOfRange),
            ("0681ac5573657253746174654c656ece01400001", .outOfRange),
            ("0881aa557365724d73674c656eff", .outOfRange), ("0881aa557365724d73674c656ece01400001", .outOfRange),
            // What cannot end within the limit: a raw, an array, a map, an extension.
            ("00dbffffffff", .tooLong), ("00ddffffffff", .tooLong), ("00df7fffffff", .tooLong),
            ("00c9ffffffff", .tooLong),
            // Of one byte less than the whole limit, which their heads have begun to use up.
            ("00db027fffff", .tooLong), ("00dd027fffff", .tooLong),
        ])
    func malformed(hex: String, fault: WireFault) {
        let bytes = [UInt8](hex: hex)
        var scanner = StreamScanner()
        for count in 0..<bytes.count {
            if case .partial = scanner.scan(bytes.span.extracting(first: count)) { continue }
            Issue.record("refused after \(count) bytes")
        }
        #expect(scanner.scan(bytes.span) == .malformed(fault))
        #expect(scanner.scan((bytes + [0, 0, 0]).span) == .malformed(fault))
    }

    @Test(
        "Counts and lengths at the limit are waited for",
        arguments: [
            "0681a54e6f646573ce00100000", "0681ac5573657253746174654c656ece01400000",
            "0881aa557365724d73674c656ece01400000",
            "0681ac5573657253746174654c656ed201400000",
        ])
    func limits(hex: String) {
        let bytes = [UInt8](hex: hex)
        var scanner = StreamScanner()
        let tail = bytes.count + (hex.contains("4e6f646573") ? 1 : StreamLimit.userBytes)
        #expect(scanner.scan(bytes.span) == .partial(atLeast: tail))
    }

    @Test("Members that are declared and not there cost nothing")
    func declaredMembers() {
        var codec = Codec()
        #expect(throws: WireFault.cutShort) {
            try codec.decodeStream([UInt8](hex: "0681a54e6f646573ce00100000"))
        }
    }

    @Test("A state that is none, and a compression within a compression, are refused")
    func oddities() {
        var codec = Codec()
        let member = "83a44e616d65a161a441646472a40a000001a5537461746504"
        #expect(throws: WireFault.outOfRange) { try codec.decodeStream([UInt8](hex: "0681a54e6f64657301" + member)) }
        var twice: [UInt8] = [0, 0x80]
        for _ in 0..<2 {
            var packed: [UInt8] = []
            unsafe twice.withUnsafeBytes { unsafe LZW.compress($0, into: &packed) }
            twice = [UInt8](hex: "0981a3427566c4") + [UInt8(packed.count)] + packed
        }
        #expect(throws: WireFault.unexpectedType(9)) { try codec.decodeStream(twice) }
        #expect(throws: WireFault.empty) { try codec.decodeStream([]) }
    }
}
