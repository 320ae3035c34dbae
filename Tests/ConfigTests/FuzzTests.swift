// Whatever bytes come, reading ends in a configuration or in faults that name a place of the text.

import Testing

@testable import Config

@Suite("Fuzz")
struct FuzzTests {
    private static let seeds = UInt64(0)..<60
    private static let originals = [GoodFileTests.full, GoodFileTests.fullAsJSON, GoodFileTests.minimal]
    private static let fragments = [
        ":", "- ", "\n", "\t", " ", "[", "]", "{", "}", ",", "\"", "'", "|", ">", "&a ", "*a", "!!str ", "!x ", "? ",
        "---\n", "...\n", "#", "%", "@", "`", "~", "null", "<<: ", "name: ", "name", "0x1", "1e9", "-", "\\", "\u{0}",
        "\u{7F}", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{100000}", "\u{10FFFD}", "😀", "\r", "\r\n", "\\U00100000",
        "\"\\U00100000\"", "999999999999999999999", "127.0.0.1:1", "unix:/", "[::]:1",
    ]

    /// The text after one to eight cuts, copies and insertions.
    private func mutated(_ text: String, _ random: inout TestRandom) -> String {
        var scalars = Array(text.unicodeScalars)
        for _ in 0...random.below(8) {
            let start = random.below(scalars.count + 1)
            let end = min(scalars.count, start + random.below(40))
            switch random.below(5) {
            case 0: scalars.removeSubrange(start..<end)
            case 1: scalars.insert(contentsOf: scalars[start..<end], at: random.below(scalars.count + 1))
            case 2: scalars.insert(contentsOf: random.pick(FuzzTests.fragments).unicodeScalars, at: start)
            case 3: scalars.replaceSubrange(start..<end, with: random.pick(FuzzTests.fragments).unicodeScalars)
            default: scalars.removeSubrange(random.chance(90) ? start..<end : start..<scalars.count)
            }
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }

    private func outcome(_ text: String) -> Result<Configuration, ConfigFaults> {
        Result { () throws(ConfigFaults) in try ConfigFile.parse(text, file: "f", hostName: "host") }
    }

    @Test(
        "A damaged config is read as a config or ends in faults with places, the same ones each time", arguments: seeds)
    func damaged(seed: UInt64) {
        var random = TestRandom(seed: seed)
        for _ in 0..<40 {
            let text = mutated(random.pick(FuzzTests.originals), &random)
            let outcome = outcome(text)
            #expect(outcome == self.outcome(text), "\(text.debugDescription)")
            guard case .failure(let faults) = outcome else { continue }
            let lines = text.unicodeScalars.count { "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0) } + 1
            #expect(!faults.faults.isEmpty)
            #expect(faults.faults.count <= ConfigFaults.limit)
            for fault in faults.faults {
                #expect((1...lines).contains(fault.line) && fault.column >= 1, "\(fault) \(text.debugDescription)")
                #expect(fault.message.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(fault)")
            }
        }
    }

    @Test("Random scalars of YAML's alphabet end in a config or in faults", arguments: seeds)
    func noise(seed: UInt64) {
        var random = TestRandom(seed: seed)
        for _ in 0..<40 {
            let text = (0..<random.below(60)).map { _ in random.pick(FuzzTests.fragments) }.joined()
            if case .success(let configuration) = outcome(text) { #expect(!configuration.listeners.isEmpty) }
        }
    }

    @Test("A config cut short anywhere is never taken for another, but for its last scalar and what it leaves out")
    func truncated() {
        for count in 0..<GoodFileTests.full.utf8.count {
            let text = String(decoding: GoodFileTests.full.utf8.prefix(count), as: UTF8.self)
            if case .success(let configuration) = outcome(text) {
                #expect(configuration.upstreams.count == 2 && !configuration.listeners.isEmpty)
            }
        }
    }
}
