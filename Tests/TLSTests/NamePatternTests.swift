import Testing

@testable import TLS

@Suite("Names that are let in")
struct NamePatternTests {
    static let matches: [(pattern: String, name: SubjectName, isMatch: Bool)] = [
        ("a.edge", .dns("a.edge"), true), ("A.Edge", .dns("a.edge"), true), ("a.edge", .dns("a.edge.example"), false),
        ("*.edge", .dns("a.edge"), true), ("*.edge", .dns("a.b.edge"), false), ("*.edge", .dns(".edge"), false),
        ("*.edge", .dns("edge"), false), ("*.*.edge", .dns("a.b.edge"), true), ("a*b.edge", .dns("axxb.edge"), true),
        ("a*b.edge", .dns("ab.edge"), false), ("a*b*c", .dns("a1b2b3c"), true), ("a*b*c", .dns("a1b.c"), false),
        ("*", .dns("host"), true), ("*", .dns("host.edge"), false),
        ("spiffe://edge/*", .uri("spiffe://edge/web"), true),
        ("spiffe://edge/*", .uri("spiffe://edge/ns/a/sa/b"), true),
        ("spiffe://edge/*", .uri("spiffe://edge/"), false), ("spiffe://edge/*", .uri("spiffe://edge.evil/web"), false),
        ("spiffe://edge/*", .uri("spiffe://Edge/web"), false), ("spiffe://edge*", .uri("spiffe://edge.a/web"), false),
        ("spiffe://*/web", .uri("spiffe://edge/web"), true), ("spiffe://*/web", .uri("spiffe://evil/edge/web"), false),
        ("spiffe://edge/ns/*/sa/web", .uri("spiffe://edge/ns/a/sa/web"), true),
        ("spiffe://edge/ns/*/sa/web", .uri("spiffe://edge/ns/a/b/sa/web"), false),
        ("spiffe://edge/*-web", .uri("spiffe://edge/a-web"), true), ("urn:edge:*", .uri("urn:edge:7"), true),
        ("*@edge.example", .email("ops@edge.example"), true), ("*@Edge.Example", .email("ops@EDGE.example"), true),
        ("Ops@edge.example", .email("ops@edge.example"), false), ("ops@*", .email("ops@edge.example"), true),
        ("*@edge.example", .email("a@b@edge.example"), false),
        ("10.0.0.7", .address("10.0.0.7"), true), ("10.0.0.*", .address("10.0.0.7"), true),
        ("10.*.0.7", .address("10.200.0.7"), true), ("10.*", .address("10.0.0.7"), false),
        ("fd00::1", .address("fd00::1"), true), ("FD00:0:0::1", .address("fd00::1"), true),
        // Kinds are never mixed.
        ("10.0.0.7", .dns("10.0.0.7"), false), ("a.edge", .uri("a.edge"), false), ("*", .address("fd00::1"), false),
        ("*", .uri("anything"), false), ("spiffe://edge/web", .dns("spiffe://edge/web"), false),
        ("*@edge.example", .dns("ops@edge.example"), false), ("ops@edge.example", .uri("ops@edge.example"), false),
    ]

    @Test("A pattern means what its kind says", arguments: matches)
    func matching(pattern: String, name: SubjectName, isMatch: Bool) throws {
        #expect(try NamePattern(pattern).matches(name) == isMatch)
    }

    @Test("A pattern that could match nothing is refused", arguments: ["", "a b", "ä.edge", "fd00::*", "fd00:*:1"])
    func refused(text: String) {
        #expect(throws: NamePattern.Fault.self) { try NamePattern(text) }
    }

    @Test("Many stars cost no more than the product of the lengths")
    func costly() throws {
        let pattern = try NamePattern(String(repeating: "*a", count: 500) + "b")
        #expect(!pattern.matches(.dns(String(repeating: "a", count: 5000))))
    }

    @Test("A long name is shown by its first bytes, also where they are one character")
    func shown() {
        let marks = "u" + String(repeating: "\u{308}", count: 50_000)
        #expect(marks.count == 1)
        let shown = SubjectName.uri(marks).shown
        #expect(shown.utf8.starts(with: "URI u\u{308}".utf8) && shown.utf8.count <= SubjectName.longestShown + 5)
        #expect(SubjectName.dns("a.edge").shown == "DNS a.edge")
    }

    // MARK: Certificates by name

    @Test("A name's own certificate goes before a wildcard's; who asks for nothing gets the first")
    func choice() {
        let choice = CertificateChoice([
            ["a.edge", "*.edge"], ["b.edge"], ["*.b.edge", "a.edge"], ["*.edge", "a.edge"],
        ])
        #expect(choice.pairs(for: nil) == [0, 3] && choice.pairs(for: "else.where") == [0, 3])
        #expect(choice.pairs(for: "a.edge") == [0, 2, 3] && choice.pairs(for: "A.EDGE") == [0, 2, 3])
        #expect(choice.pairs(for: "b.edge") == [1])
        #expect(choice.pairs(for: "x.b.edge") == [2])
        #expect(choice.pairs(for: "c.edge") == [0, 3])
        #expect(choice.pairs(for: "x.c.edge") == [0, 3] && choice.pairs(for: ".edge") == [0, 3])
    }
}
