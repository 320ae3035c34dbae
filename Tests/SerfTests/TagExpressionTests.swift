import Testing
import Vocabulary

@testable import Serf

@Suite("Expressions that choose members")
struct TagExpressionTests {
    @Test(
        "Match as RE2 does, anywhere in the text",
        arguments: [
            ("", "", true), ("", "x", true), ("web", "a web b", true), ("web", "we", false), ("^web$", "web", true),
            ("^web$", "webs", false), ("^$", "", true), ("^$", "x", false), ("a.c", "abc", true),
            ("a.c", "a\nc", false),
            ("(?s)a.c", "a\nc", true), ("^a*$", "", true), ("^a*$", "aaa", true), ("^a+$", "", false),
            ("^ab?c$", "ac", true), ("^ab?c$", "abbc", false), ("^a{2}$", "aa", true), ("^a{2}$", "aaa", false),
            ("^a{2,}$", "aaaa", true), ("^a{2,}$", "a", false), ("^a{1,2}$", "aaa", false), ("^a{0,1}$", "", true),
            ("a{,2}", "a{,2}", true), ("a{", "a{", true), ("^(a|bc)+$", "abca", true), ("^(a|bc)+$", "abb", false),
            ("^(?:x|y)$", "y", true), ("^(?P<n>x)$", "x", true), ("^(?<n1>x)$", "x", true), ("a||b", "", true),
            ("^[abc]$", "b", true), ("^[^abc]$", "b", false), ("^[^abc]$", "d", true), ("^[a-f0-9]+$", "c0ffee", true),
            ("^[a-]$", "-", true), ("^[]a]$", "]", true), ("^[\\]]$", "]", true), ("^[\\d.]+$", "1.4.2", true),
            ("^[^\\D]$", "7", true), ("^[^\\D]$", "x", false), ("^\\d+$", "42", true), ("^\\D$", "4", false),
            ("^\\w+$", "a_Z9", true), ("^\\w$", "-", false), ("^\\W$", "-", true), ("^\\s\\S$", " x", true),
            ("eu\\.west", "eu.west", true), ("eu\\.west", "euxwest", false), ("\\bweb\\b", "a web.", true),
            ("\\bweb\\b", "cobweb", false), ("\\Bweb", "cobweb", true), ("\\Aa\\z", "a", true),
            ("\\Aa\\z", "ba", false),
            ("(?i)^WEB$", "weB", true), ("(?i)[a-c]", "B", true), ("WEB", "web", false), ("^a*?b+?$", "aab", true),
            ("^.$", "é", true), ("^é+$", "éé", true), ("(a*)*$", "b", true), ("^(a?){3}$", "aa", true),
            ("()", "x", true),
            ("^(|a)+$", "aa", true), ("\\$\\t", "$\t", true),
        ] as [(String, String, Bool)])
    func matching(expression: String, text: String, isMatch: Bool) throws {
        #expect(try TagExpression(expression).matches(in: text) == isMatch)
    }

    @Test(
        "What is no expression, or not of the subset, is refused",
        arguments: [
            "(", ")", "a)", "[a", "[]", "*a", "+", "?", "a**", "a+*", "{2}", "a{3,2}", "\\", "[z-a]", "\\pL", "\\1",
            "\\Q",
            "(?=a)", "(?!a)", "(?i:a)", "a(?i)b", "(?", "(?P<>a)", "(?P<n", "[[:alpha:]]", "(?u)a", "[\\",
        ])
    func refused(expression: String) {
        #expect(throws: TagExpression.Fault.notUnderstood) { try TagExpression(expression) }
    }

    @Test(
        "What would be a large machine is refused",
        arguments: [
            String(repeating: "a", count: 513), "a{1001}", "(a{1000}){1000}", "(((){1000}){1000}){1000}",
            "((((((){0}){1000}){1000}){1000}){1000}){1000}", "a{99999999999999999999}",
            String(repeating: "(", count: 65) + String(repeating: ")", count: 65),
            "([a-bc-de-fg-hi-jk-lm-no-pq-r]{20}){20}",
        ])
    func tooLarge(expression: String) {
        #expect(throws: TagExpression.Fault.tooLarge) { try TagExpression(expression) }
    }

    @Test("What takes a backtracker minutes takes steps times letters")
    func linear() throws {
        let text = String(repeating: "a", count: 512)
        for expression in ["^(a*)*b$", "^(a|aa)+b$", "(a?){100}a{100}b", "(.*)(.*)(.*)(.*)(.*)b"] {
            #expect(try !TagExpression(expression).matches(in: text))
        }
    }

    @Test("No bytes are a trap", arguments: seeds)
    func random(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let alphabet = Array("ab^$.*+?{}()[]|\\-,:1dwP<>i")
        for _ in 0..<3000 {
            let length = Int(random.below(24))
            let expression = String((0..<length).map { _ in alphabet[Int(random.below(UInt32(alphabet.count)))] })
            guard let compiled = try? TagExpression(expression) else { continue }
            // Repeating what may be nothing adds nothing and takes nothing.
            if let optional = try? TagExpression("(?:\(expression))?") { #expect(optional.matches(in: "ab1")) }
            if !expression.hasPrefix("(?"), let twice = try? TagExpression("(?:\(expression))|(?:\(expression))") {
                #expect(twice.matches(in: "ab1") == compiled.matches(in: "ab1"))
            }
        }
    }
}
