// The parts of the demo that are values: its pace, its configs and what it makes of what it has seen.

import Config
import Stats
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

    @Test("A demo that goes on for longer has no longer story", arguments: [nil, 60, 61, 1150, 86_400])
    func longDemo(seconds: Int?) {
        #expect(DemoPace.story(in: seconds.map { .seconds($0) }) == DemoPace.usual)
        #expect(DemoPace.story(in: DemoPace.shortest) == DemoPace.shortest)
    }

    @Test("Nothing of an act is kept once it was taken, and a look is of one act alone")
    func tally() {
        var tally = DemoTally()
        let request = PlannedRequest(offset: 0, node: 0, demand: 0)
        for _ in 0..<3 { tally.take(.begun(request, late: 0), of: .fleet) }
        tally.take(.answered(request, by: 0, after: 5), of: .fleet)
        #expect(tally.takeLook().fleet.latencies == [5] && tally.takeLook().fleet.latencies == [])
        tally.take(.answered(request, by: 0, after: 6), of: .fleet)
        tally.take(.begun(request, late: 0), of: .turns)
        tally.take(.failed(request, why: "closed"), of: .turns)
        let act = tally.takeAct()
        #expect(act.fleet.latencies == [5, 6] && act.fleet.waiting == 1)
        #expect(act.turns.failed == 1 && act.turns.examples == ["closed"])
        for next in [tally.takeLook(), tally.takeAct()] {
            #expect(next.fleet.latencies == [] && next.turns.failed == 0 && next.turns.examples == [])
            // It is under way still.
            #expect(next.fleet.waiting == 1)
        }
    }

    private func report(_ states: [DemoSubject: String]) -> UpstreamsReport {
        UpstreamsReport(
            upstreams: DemoSubject.allCases.map { subject in
                let others = (0..<4).map { (DemoPlaces.name($0), "fit") }
                let endpoints = (others + (states[subject].map { [("n5", $0)] } ?? [])).map { member, state in
                    var endpoint = EndpointReport(
                        address: "127.0.0.1:1", member: member, zone: nil, state: state, reason: "why", weight: 100)
                    endpoint.connections = member == "n5" ? 3 : 50
                    return endpoint
                }
                return UpstreamReport(name: subject.upstream, balance: "p2c", load: "fleet", endpoints: endpoints)
            })
    }

    @Test("Who does not answer has not said that an endpoint is gone: nothing is told before all have answered")
    func silence() throws {
        let fit = report([.fleet: "fit", .turns: "fit"])
        let gone = report([.fleet: "ejected", .turns: "dead"])
        let unknown = report([:])
        #expect(DemoView(of: 4, [gone, nil, gone]) == nil)
        #expect(DemoView(of: 4, [nil, nil, nil]) == nil)
        #expect(DemoView(of: 4, [gone, gone, unknown])?.isFitToNobody == true)
        for caller in 0..<3 {
            for other in [report([.fleet: "fit"]), report([.fleet: "dead", .turns: "fit"]), fit] {
                var reports = [gone, gone, gone]
                reports[caller] = other
                #expect(DemoView(of: 4, reports)?.isFitToNobody == false)
            }
        }
        let view = try #require(DemoView(of: 4, [fit, fit, fit]))
        #expect(view.isWhole && view.states == ["fit"] && view.connections(of: .turns) == 9)
        #expect(DemoView(of: 4, [fit, fit, report([.fleet: "fit"])])?.isWhole == false)
        let last = try #require(DemoView(of: 4, [gone, fit, unknown]))
        #expect(last.endpoint(of: .turns, at: 0)?.state == "dead" && last.endpoint(of: .turns, at: 2) == nil)
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
