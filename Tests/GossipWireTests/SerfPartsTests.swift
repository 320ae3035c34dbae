import Gossip
import GossipWire
import Testing

@Suite("What Serf puts into metas, payloads and queries")
struct SerfPartsTests {
    @Test("Tags are in the order of their bytes, whatever the order in which they came")
    func order() {
        let names = ["b", "", "Z", "é", "a", "e\u{301}", "aa"]
        var tags = SerfTags()
        for name in names { tags[name] = "old" }
        for name in names.reversed() { tags[name] = "of \(name)" }
        #expect(
            tags.tags.map { Array($0.name.utf8) } == ["", "Z", "a", "aa", "b", "e\u{301}", "é"].map { Array($0.utf8) })
        #expect(names.allSatisfy { tags[$0] == "of \($0)" })
        #expect(tags["A"] == nil && tags["c"] == nil)
        tags["a"] = nil
        tags["none"] = nil
        #expect(tags["a"] == nil && tags.tags.count == 6)
        #expect(SerfTags(meta: tags.meta) == tags)
    }

    @Test(
        "A meta that says that it bears tags, and does not, bears none",
        arguments: [
            "ff", "ffc1", "ff81", "ff81a161", "ff81a16105", "ff8105a161", "ff91a161", "ffa0", "ffdfffffffff",
        ])
    func badTags(hex: String) {
        #expect(SerfTags(meta: [UInt8](hex: hex)) == nil)
    }

    @Test("Of a tag that comes twice the last value counts; no map is no tags")
    func oddTags() {
        #expect(SerfTags(meta: [UInt8](hex: "ff82a161a131a161a132"))?["a"] == "2")
        #expect(SerfTags(meta: [0xFF, 0xC0]) == SerfTags())
        #expect(SerfTags(meta: Array("old role".utf8))?.tags.map(\.value) == ["old role"])
        #expect(SerfTags(meta: [0xC3, 0x28])?["role"] == "\u{FFFD}(")
    }

    @Test("A coordinate has eight finite dimensions, or is none")
    func coordinates() throws {
        var whole: [UInt8] = []
        SerfCoordinate(vector: .init(1, 2, 3, 4, 5, 6, 7, 8), error: 1, adjustment: -1, height: 0.5).append(to: &whole)
        #expect(try SerfCoordinate.read(payload: whole)?.vector[7] == 8)
        #expect(try SerfCoordinate.read(payload: []) == nil)
        var faulty: [[UInt8]] = [[2] + whole.dropFirst(), [1, 0x80]]
        // Seven dimensions, or nine.
        let length = whole.count - 8 * 9 - 1
        faulty.append(Array(whole.dropLast(9)))
        faulty[2][length] = 0x97
        faulty.append(whole + whole.suffix(9))
        faulty[3][length] = 0x99
        // An infinity and what is no number, in the last dimension and in the first field.
        for number in [Double.infinity, -.infinity, .nan] {
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (56 - 8 * UInt64($0))) }
            faulty.append(whole.dropLast(8) + bytes)
            faulty.append(whole.prefix(14) + bytes + whole.dropFirst(22))
        }
        for payload in faulty {
            #expect(throws: WireFault.badCoordinate) { try SerfCoordinate.read(payload: payload) }
        }
        #expect(throws: WireFault.cutShort) { try SerfCoordinate.read(payload: whole.dropLast()) }
    }

    @Test(
        "A timeout is counted in nanoseconds, and one beyond them is the longest there is",
        arguments: [
            (.zero, 0), (.nanoseconds(1), 1), (.nanoseconds(-1), -1), (.seconds(15), 15_000_000_000),
            (.nanoseconds(-33), -33), (.nanoseconds(Int64.max), .max), (.seconds(Int64.max), .max),
            (.seconds(Int64.min), .min),
        ] as [(Duration, Int64)])
    func timeouts(timeout: Duration, nanoseconds: Int64) throws {
        let query = SerfQuery(
            time: LamportTime(1), id: 1, source: PeerAddress(.init(bits: 1), port: 1), sourceNode: "a",
            timeout: timeout,
            name: "q")
        guard case .query(let read) = try SerfMessage(SerfMessage.query(query).bytes) else {
            Issue.record("no query")
            return
        }
        #expect(read.timeout == .nanoseconds(nanoseconds))
    }

    @Test("A message of another type, or about a name that is not UTF-8, is refused")
    func refused() throws {
        #expect(throws: WireFault.empty) { try SerfMessage([]) }
        #expect(throws: WireFault.unexpectedType(10)) { try SerfMessage([10, 0x80]) }
        #expect(throws: WireFault.badName) { try SerfMessage([UInt8](hex: "0181a44e6f6465a1ff")) }
        #expect(throws: WireFault.badAddress(length: 0)) { try SerfMessage([UInt8](hex: "0480")) }
        #expect(throws: WireFault.outOfRange) {
            try SerfMessage([UInt8](hex: "0682a441646472a40a000001a653746174757305"))
        }
        // A conflict about a name that nobody knows is an answer.
        #expect(try SerfMessage([6, 0xC0]) == .conflict(nil))
    }
}
