// What members see, against who is there; and the figures that are made of many.

import Testing
import Vocabulary

@testable import Rig
@testable import fleet_trial

@Suite("Views and figures")
struct ViewTests {
    private func complaints(_ view: [String: String]?) -> [String] {
        var agreement = Agreement(running: ["a", "b"])
        agreement.take(view, of: "a")
        return agreement.complaints
    }

    @Test("A view agrees that holds those who run for alive and nobody else, whatever else it remembers")
    func agreement() {
        #expect(complaints(["a": "alive", "b": "alive"]) == [])
        #expect(complaints(["a": "alive", "b": "alive", "c": "dead", "d": "left"]) == [])
    }

    @Test(
        "A view disagrees that suspects, misses or buries somebody who runs, or holds somebody else for present",
        arguments: [
            ["a": "alive"], ["a": "alive", "b": "suspect"], ["a": "alive", "b": "dead"], ["a": "alive", "b": "left"],
            ["a": "alive", "b": "leaving"], ["a": "alive", "b": "alive", "c": "alive"],
            ["a": "alive", "b": "alive", "c": "suspect"], ["a": "alive", "b": "alive", "c": "leaving"], [:], nil,
        ])
    func disagreement(view: [String: String]?) {
        #expect(!complaints(view).isEmpty)
    }

    @Test("A start is complete when each has seen all, by its log or by its number")
    func started() {
        var views = StartedViews(members: 2)
        for subject in ["a", "b"] {
            views.take(Sighting(observer: 0, subject: subject, news: .there, at: Instant(nanoseconds: 0)))
        }
        views.take(Sighting(observer: 7, subject: "a", news: .there, at: Instant(nanoseconds: 0)))
        #expect(!views.isComplete && views.share == 0.5)
        views.take(1, by: 1)
        #expect(!views.isComplete && views.share == 0.75)
        views.take(2, by: 1)
        #expect(views.isComplete && views.share == 1)
    }

    @Test("The kernel's counters are read without the heads of IP and UDP; an empty set has none")
    func counters() throws {
        let json = """
            {"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"family": "inet", "name": "sent", "elem": [
            {"elem": {"val": "127.0.0.2", "counter": {"packets": 2, "bytes": 256}}},
            {"elem": {"val": "127.0.0.3", "counter": {"packets": 1, "bytes": 28}}}]}}]}
            """
        let sent = try SentDatagrams(json: json)
        #expect(sent.counts["127.0.0.2"]?.bytes == 200)
        let total = sent.total(of: ["127.0.0.2", "127.0.0.3", "127.0.0.4"])
        #expect(total.datagrams == 3 && total.bytes == 200)
        let none = try SentDatagrams(json: #"{"nftables": [{"set": {"family": "inet", "name": "sent"}}]}"#)
        #expect(none.counts.isEmpty)
    }

    @Test("A spread is of the values, and of none there is none")
    func spread() throws {
        let spread = try #require(Spread([3, 1, 2, 10]))
        #expect(spread.min == 1 && spread.p50 == 2 && spread.max == 10)
        #expect(Spread([]) == nil)
    }

    @Test(
        "Figures are written with as many decimals as are asked for",
        arguments: [
            (0.0, 2, "0.00"), (1.005, 1, "1.0"), (12.96, 1, "13.0"), (-0.04, 1, "0.0"), (-1.5, 1, "-1.5"),
            (7.4, 0, "7"),
        ])
    func written(value: Double, places: Int, text: String) {
        #expect(value.written(places) == text)
    }

    @Test("Addresses of one run differ, and those of processes with near ids do too")
    func addresses() {
        let own = (0..<OwnAddresses.capacity).map(OwnAddresses(process: 4711).host)
        #expect(Set(own).count == own.count)
        for other in [4712, 4961, 5211] {
            #expect(Set(own).isDisjoint(with: (0..<OwnAddresses.capacity).map(OwnAddresses(process: other).host)))
        }
    }
}
