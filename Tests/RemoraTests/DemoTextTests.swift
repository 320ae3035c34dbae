// The parts of the demo that are values: its pace, its configs and what it makes of what it has seen.

import Config
import Testing
import Vocabulary

@testable import Rig
@testable import remora

@Suite("Parts of the demo")
struct DemoTextTests {
    private func comparison(fleet: Int64, turns: Int64, failed: Int = 0) -> DemoComparison {
        let all = { (milliseconds: Int64) in Array(repeating: milliseconds * 1_000_000, count: 100) }
        return DemoComparison(
            fleet: DemoFigures(latencies: all(fleet), failed: failed, examples: failed > 0 ? ["closed"] : []),
            turns: DemoFigures(latencies: all(turns), waiting: 7))
    }

    @Test("Acts that take no longer than they are given fill the story, and none is so short that it shows nothing")
    func pace() {
        for story in [Duration.seconds(18), .seconds(60)] {
            var left = story
            for act in DemoAct.allCases { left -= DemoPace.length(of: act, left: left) }
            #expect(abs(left.inSeconds) < 0.001)
        }
        let slow = DemoPace.length(of: .slow, left: .seconds(56))
        #expect(slow > DemoPace.length(of: .slow, left: .seconds(40)))
        #expect(DemoPace.length(of: .drained, left: .seconds(-3)) == DemoPace.shortestAct)
    }

    @Test("Every node's config is one that remora takes, and fits into its standard input's pipe")
    func configs() throws {
        let hosts = (1...DemoPlaces.nodes).map { "127.250.250.\($0)" }
        for hasUsualAdmin in [true, false] {
            var places = DemoPlaces(hosts: hosts, firstPort: 26_000)
            places.hasUsualAdmin = hasUsualAdmin
            for node in 0..<DemoPlaces.nodes {
                let text = places.config(node)
                _ = try ConfigFile.parse(text, file: "demo", hostName: "host")
                #expect(text.utf8.count <= 4096)
            }
            #expect(Set((0..<DemoPlaces.nodes).map(places.admin)).count == DemoPlaces.nodes)
            #expect(places.adminOption(0) == (hasUsualAdmin ? "" : " --admin 127.250.250.1:26007"))
            #expect(places.adminOption(5) == " --admin 127.250.250.6:26007")
        }
    }

    @Test("An act is complained of where requests failed that should not, or fleet load was of no use with a slow node")
    func complaints() {
        let (well, slow) = (DemoAct.well, DemoAct.slow)
        #expect(DemoText.complaints(well, comparison(fleet: 80, turns: 70)) == [])
        #expect(DemoText.complaints(slow, comparison(fleet: 80, turns: 300)) == [])
        #expect(
            DemoText.complaints(slow, comparison(fleet: 300, turns: 300))
                == ["n5 slow: the p99 of fleet load is 300 ms, that of round robin 300 ms"])
        #expect(
            DemoText.complaints(.drained, comparison(fleet: 80, turns: 90, failed: 1))
                == ["n6 drained: 1 request to shop failed: closed"])
        #expect(DemoText.complaints(.killed, comparison(fleet: 80, turns: 90, failed: 1)) == [])
        #expect(DemoText.complaints(well, DemoComparison()).count == 2)
    }

    @Test("Both ways stand side by side in an act's table, in the summary and in a line")
    func tables() {
        let seen = comparison(fleet: 80, turns: 12_340, failed: 2)
        #expect(
            DemoText.table(seen, of: .milliseconds(3_710)) == [
                "last 3.7 s   answered  failed  waiting    mean     p50     p99",
                "fleet load        100       2        0   80 ms   80 ms   80 ms",
                "round robin       100       0        7  12.3 s  12.3 s  12.3 s",
            ])
        #expect(
            DemoText.summary([(.killed, seen)]) == [
                "p50 / p99     fleet load  failed      round robin  failed",
                "n5 killed  80 ms / 80 ms       2  12.3 s / 12.3 s       0",
            ])
        #expect(
            DemoText.line(seen) == "fleet load 80 ms / 80 ms, round robin 12.3 s / 12.3 s; 2 failed")
        #expect(DemoText.line(DemoComparison()).contains("fleet load - / -"))
    }

    @Test("Text is broken at blanks, and a word that is longer than a line stands alone")
    func wrapping() {
        #expect(DemoText.wrapped("a bb ccc dddd", width: 6) == ["a bb", "ccc", "dddd"])
        #expect(DemoText.wrapped("a abcdefgh b", width: 4) == ["a", "abcdefgh", "b"])
        #expect(DemoText.wrapped("", width: 4) == [])
    }
}
