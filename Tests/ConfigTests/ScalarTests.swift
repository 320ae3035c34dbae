// The arithmetic of texts: durations, plain scalars, near names, places.

import Testing

@testable import Config
@testable import Vocabulary

@Suite("Scalars")
struct ScalarTests {
    @Test(
        "A duration is one whole number and one unit",
        arguments: [
            ("0s", .zero, "0s"), ("250ms", .milliseconds(250), "250ms"), ("5s", .seconds(5), "5s"),
            ("2m", .seconds(120), "2m"), ("1h", .seconds(3_600), "1h"), ("90s", .seconds(90), "90s"),
            ("1500ms", .milliseconds(1_500), "1500ms"), ("007s", .seconds(7), "7s"), ("60m", .seconds(3_600), "1h"),
            ("2000ms", .seconds(2), "2s"),
        ] as [(String, Duration, String)])
    func durations(text: String, duration: Duration, written: String) throws {
        #expect(try Duration(parsing: text) == duration)
        #expect(duration.written == written)
        #expect(try Duration(parsing: written) == duration)
    }

    @Test(
        "What is no duration is refused with its reason",
        arguments: [
            ("", .notOneNumberAndUnit), ("s", .notOneNumberAndUnit), ("5", .noUnit), ("5S", .badUnit("S")),
            ("5us", .badUnit("us")), ("5d", .badUnit("d")), ("1h30m", .notOneNumberAndUnit),
            ("1.5s", .notOneNumberAndUnit), ("-5s", .notOneNumberAndUnit), ("+5s", .notOneNumberAndUnit),
            ("5 s", .notOneNumberAndUnit), (" 5s", .notOneNumberAndUnit), ("5s ", .notOneNumberAndUnit),
            ("٥s", .notOneNumberAndUnit), ("9223372036854775808ms", .tooLong), ("9223372036854775807s", .tooLong),
        ] as [(String, Duration.TextError)])
    func noDurations(text: String, reason: Duration.TextError) {
        #expect(throws: reason) { try Duration(parsing: text) }
    }

    @Test(
        "A size is one whole number and one unit of 1024",
        arguments: [
            ("0B", 0, "0B"), ("100B", 100, "100B"), ("2KiB", 2_048, "2KiB"), ("2048B", 2_048, "2KiB"),
            ("1536KiB", 1_572_864, "1536KiB"), ("1024KiB", 1 << 20, "1MiB"), ("3GiB", 3 << 30, "3GiB"),
            ("007B", 7, "7B"), ("8589934591GiB", 8_589_934_591 << 30, "8589934591GiB"),
        ])
    func sizes(text: String, bytes: Int, written: String) throws {
        let size = try ByteCount(parsing: text)
        #expect(size == ByteCount(bytes) && size.written == written)
        #expect(try ByteCount(parsing: written) == size)
    }

    @Test(
        "What is no size is refused with its reason",
        arguments: [
            ("", .notOneNumberAndUnit), ("KiB", .notOneNumberAndUnit), ("5", .noUnit), ("5KB", .badUnit("KB")),
            ("5kib", .badUnit("kib")), ("5b", .badUnit("b")), ("1.5KiB", .notOneNumberAndUnit),
            ("-5B", .notOneNumberAndUnit), ("5 B", .notOneNumberAndUnit), ("5B ", .notOneNumberAndUnit),
            ("8589934592GiB", .tooLarge), ("9223372036854775808B", .tooLarge),
        ] as [(String, ByteCount.TextError)])
    func noSizes(text: String, reason: ByteCount.TextError) {
        #expect(throws: reason) { try ByteCount(parsing: text) }
    }

    @Test(
        "Plain scalars mean what the core schema of YAML 1.2 says",
        arguments: [
            (.null, ["", "~", "null", "Null", "NULL"]),
            (.flag, ["true", "True", "TRUE", "false", "False", "FALSE"]),
            (
                .number,
                [
                    "0", "-0", "+12", "007", "0o17", "0xFf", "1.", "1.5", ".5", "-.5", "1e3", "1E+3", "1.5e-3", ".inf",
                    "-.Inf", "+.INF", ".nan", ".NaN", ".NAN",
                ]
            ),
            (
                .text,
                [
                    "yes", "no", "on", "nULL", "tRUE", "-", "+", ".", "-.", "1e", "1e+", "e3", "0o8", "0o", "0x", "0xg",
                    "-0x1", "1_000", "1:30", "10.0.0.1", "10.0.0.1:80", "+.nan", ".infinity", "1s", "0b1",
                ]
            ),
        ] as [(PlainMeaning, [String])])
    func plainScalars(meaning: PlainMeaning, texts: [String]) {
        for text in texts { #expect(PlainMeaning(text) == meaning, "\(text)") }
    }

    @Test(
        "The nearest name is at most three slips away, one per three letters",
        arguments: [
            ("bidn", "bind"), ("idle_timout", "idle_timeout"), ("bnd", "bind"), ("bindd", "bind"), ("BIND", nil),
            ("idl_timout", "idle_timeout"), ("xdl_timout", "idle_timeout"), ("xdl_tmou", nil), ("", nil),
            ("bind", "bind"), ("bond", "bind"),
        ])
    func nearest(typed: String, meant: String?) {
        #expect(nearestName(to: typed, among: ["name", "bind", "bond_", "idle_timeout"]) == meant)
    }

    @Test("The nearest of several wins, and the first of equals")
    func nearestOfSeveral() {
        #expect(nearestName(to: "upstream-12", among: ["upstream-99", "upstream-13", "upstream-2"]) == "upstream-13")
        #expect(nearestName(to: "web", among: [] as [String]) == nil)
    }

    @Test(
        "Suggestions agree with the whole table of edit distances", arguments: UInt64(0)..<20)
    func nearestAgainstReference(seed: UInt64) {
        var random = TestRandom(seed: seed)
        for _ in 0..<200 {
            let typed = random.word()
            let candidates = (0..<4).map { _ in random.word() }
            let most = max(1, min(3, typed.utf8.count / 3))
            let distances = candidates.map { referenceDistance(Array($0.utf8), Array(typed.utf8)) }
            let least = distances.min() ?? .max
            let expected = least <= most ? candidates[distances.firstIndex(of: least) ?? 0] : nil
            #expect(nearestName(to: typed, among: candidates) == expected, "\(typed) \(candidates)")
        }
    }

    /// Optimal string alignment over the whole table.
    private func referenceDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var table = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
        for i in 0...a.count {
            for j in 0...b.count {
                guard i > 0, j > 0 else {
                    table[i][j] = i + j
                    continue
                }
                table[i][j] = min(
                    table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
                }
            }
        }
        return table[a.count][b.count]
    }

    @Test("Lines end in LF, CR LF, CR, NEL, LS or PS, and columns are scalars")
    func places() {
        var cursor = LineCursor()
        var lines: [Int] = []
        for scalar in "a\nb\r\nc\rd\u{85}e\u{2028}f\u{2029}g".unicodeScalars {
            if scalar.properties.isAlphabetic { lines.append(cursor.place.line) }
            cursor.pass(scalar)
        }
        #expect(lines == [1, 2, 3, 4, 5, 6, 7])
        #expect(cursor.place == Place(line: 7, column: 2))
    }
}
