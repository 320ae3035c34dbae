// A roster's own file.

import Stores
import Testing

@testable import Config

@Suite("The roster's file")
struct RosterFileTests {
    private func names(_ text: String) throws(ConfigFaults) -> Set<String> {
        try RosterFile.parse(Array(text.utf8), file: "roster.yaml")
    }

    private func faults(_ bytes: [UInt8]) -> [String] {
        do throws(ConfigFaults) {
            _ = try RosterFile.parse(bytes, file: "roster.yaml")
            return []
        } catch {
            return error.description.split(separator: "\n").map(String.init)
        }
    }

    @Test(
        "It is a list of names, bare or under members, in YAML or JSON",
        arguments: [
            "- edge-001\n- edge-002\n", "[edge-001, 'edge-002']", "members:\n- edge-001\n- edge-002",
            #"["edge-001", "edge-002"]"#, #"{"members": ["edge-001", "edge-002"]}"#,
            "# Who belongs here.\n\n- edge-001 # the first\n- edge-002\n",
        ])
    func forms(text: String) throws {
        #expect(try names(text) == ["edge-001", "edge-002"])
    }

    @Test("A list without names is a roster without members; names are any text that gossip may know")
    func edges() throws {
        #expect(try names("[]").isEmpty && names("members: []").isEmpty)
        let odd = ["no", "12", "a b", "ü", String(repeating: "ü", count: 64)]
        #expect(try names("[no, \"12\", a b, ü, \(odd[4])]") == Set(odd))
    }

    @Test(
        "What is no roster ends in these faults",
        arguments: [
            ("", ["1:1: error: the file is empty; write [] for a roster without members"]),
            ("# nothing\n", ["1:1: error: the file is empty; write [] for a roster without members"]),
            (
                "~\n",
                ["1:1: error: the roster has no value; write a list, one name each, or a mapping with members"]
            ),
            (
                "edge-001",
                [#"1:1: error: the roster is "edge-001"; write a list, one name each, or a mapping with members"#]
            ),
            ("{}", ["1:1: error: the roster needs members; add members: a list, one name each"]),
            ("members: ~", ["1:1: error: members has no value; write a list, one name each"]),
            ("members: {a: b}", ["1:10: error: members is a mapping; write a list, one name each"]),
            (
                "names: [a]",
                [
                    "1:1: error: the roster needs members; add members: a list, one name each",
                    #"1:1: error: unknown key "names" in the roster; its keys are members"#,
                ]
            ),
            (
                "- a\n- 12\n- ''\n- [b]\n- ~\n- true\n- a\n- {name: c}\n",
                [
                    #"2:3: error: name 12 is a number; write "12", in quotes"#,
                    #"3:3: error: name "" has 0 characters; write text of 1 to 128 characters"#,
                    "4:3: error: name is a list; write text of 1 to 128 characters",
                    "5:3: error: name has no value; write text of 1 to 128 characters",
                    #"6:3: error: name true is a boolean; write "true", in quotes"#,
                    #"7:3: error: the name "a" stands in this roster already, on line 1; remove one"#,
                    "8:3: error: name is a mapping; write text of 1 to 128 characters",
                ]
            ),
            ("- a\n---\n- b\n", ["3:1: error: a second YAML document starts here; join them into one"]),
            (
                "- a\n- \"b\n",
                [
                    "3:1: error: not YAML: found unexpected end of stream while scanning a quoted scalar from line 2; close the quote or bracket"
                ]
            ),
        ] as [(String, [String])])
    func faults(text: String, faults: [String]) {
        #expect(self.faults(Array(text.utf8)) == faults.map { "roster.yaml:\($0)" })
    }

    @Test("Bytes that are no text end in a fault at the first of them")
    func noText() {
        #expect(
            faults(Array("- a\n- b".utf8) + [0xFF]) == [
                "roster.yaml:2:4: error: the file is not UTF-8 from here on; save it as UTF-8 text"
            ])
    }

    @Test("A name that gossip or etcd could not carry is a fault at its place")
    func noNames() {
        let (long, many) = (String(repeating: "ü", count: 65), String(repeating: "x", count: 129))
        #expect(
            faults(Array("- a\n- b/c\n- \(long)\n- \(many)\n- e\u{301}\n- \u{E8}\n".utf8)) == [
                #"roster.yaml:2:3: error: name "b/c" has a "/", which no member's name has; remove it"#,
                "roster.yaml:3:3: error: name \"\(long.prefix(60))…\" has 130 bytes; a member's name has 1 to 128",
                "roster.yaml:4:3: error: name \"\(many.prefix(60))…\" has 129 characters; write text of 1 to 128 characters",
                "roster.yaml:5:3: error: name \"e\u{301}\" has a letter apart from its accent; write it in Unicode's form NFC",
            ])
    }

    @Test("It has up to 65,536 names and 16 MiB")
    func limits() throws {
        func text(_ count: Int) -> String { (0..<count).map { "- edge-\($0)\n" }.joined() }
        #expect(try names(text(65_536)).count == 65_536)
        #expect(
            faults(Array(text(65_537).utf8)) == [
                "roster.yaml:1:1: error: the roster has 65537 entries; at most 65536 are allowed"
            ])
        let comment = [UInt8](repeating: UInt8(ascii: "#"), count: RosterNames.longestFile - 3)
        #expect(faults(Array("[]\n".utf8) + comment).isEmpty)
        #expect(
            faults(Array("[]\n".utf8) + comment + [UInt8(ascii: "#")]) == [
                "roster.yaml:1:1: error: the file is larger than 16 MiB; a roster is smaller"
            ])
    }

    @Test("Cut short or noisy, it ends in names or in faults with places", arguments: UInt64(0)..<40)
    func noise(seed: UInt64) {
        var random = TestRandom(seed: seed)
        let original = Array("members: # all\n- edge-001\n- \"edge-002\"\n- &a x\n- *a\n- {}\n".utf8)
        for _ in 0..<40 {
            var bytes = Array(original.prefix(random.below(original.count + 1)))
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            do throws(ConfigFaults) {
                _ = try RosterFile.parse(bytes, file: "f")
            } catch {
                #expect(error.faults.allSatisfy { $0.line >= 1 && $0.column >= 1 })
            }
        }
    }
}
