// Every row of vectors/formulas.json, and what the rows leave open.

import Foundation
import Gossip
import Testing
import Vocabulary

/// The rows of one table, each a result with what it follows from.
private func rows(of table: String) throws -> [[String: Int]] {
    struct Formulas: Decodable { let values: [String: [[String: Int]]] }
    let values = try VectorFile.load("formulas.json", as: Formulas.self).values
    #expect(
        values.mapValues(\.count) == [
            "awareness_max_8": 10, "push_pull_scale": 15, "retransmit_limit": 30, "suspicion_remaining": 42,
            "suspicion_timeout": 48,
        ], "a table or a row without a test")
    return try #require(values[table])
}

extension [String: Int] {
    fileprivate func number(_ key: String) throws -> Int { try #require(self[key], "no \(key) in \(self)") }
    fileprivate func duration(_ key: String) throws -> Duration { .milliseconds(try number(key)) }
}

@Suite("What follows from the size of a fleet")
struct FleetSizeTests {
    @Test("A thing is told as often as by the reference")
    func transmissions() throws {
        for row in try rows(of: "retransmit_limit") {
            let size = FleetSize(try row.number("n"))
            #expect(size.transmissions(multiplier: try row.number("mult")) == (try row.number("limit")), "\(row)")
        }
    }

    @Test("The shortest suspicion is the reference's")
    func shortestSuspicion() throws {
        for row in try rows(of: "suspicion_timeout") {
            let shortest = FleetSize(try row.number("n")).shortestSuspicion(
                multiplier: try row.number("mult"), interval: try row.duration("interval_ms"))
            #expect(shortest == (try row.duration("timeout_ms")), "\(row)")
        }
    }

    @Test("Push-pulls are as far apart as the reference's")
    func pushPullInterval() throws {
        for row in try rows(of: "push_pull_scale") {
            let interval = FleetSize(try row.number("n")).pushPullInterval(try row.duration("interval_ms"))
            #expect(interval == (try row.duration("scaled_ms")), "\(row)")
        }
    }

    @Test("The logarithm is cut, never rounded up, at every size that a fleet may have")
    func cutLogarithm() {
        for members in 1...70_000 {
            let shortest = FleetSize(members).shortestSuspicion(multiplier: 1, interval: .seconds(1))
            if members < 10 {
                #expect(shortest == .seconds(1))
                continue
            }
            let thousandths = shortest / .milliseconds(1)
            // No size but a power of ten is as near as this to a whole thousandth's.
            let size = Double(members) * (1 + 1e-12)
            #expect(pow(10, thousandths / 1000) <= size && size < pow(10, (thousandths + 1) / 1000))
        }
    }

    @Test(
        "Confirmations are wanted where enough members could confirm",
        arguments: [
            // Two less than the multiplier, of the members but ourselves and the suspect.
            (members: 4, multiplier: 4, wanted: 2), (3, 4, 0), (2, 4, 0), (0, 4, 0), (6, 6, 4), (5, 6, 0), (3, 3, 1),
            (100, 2, 0), (100, 1, 0), (1, 1, 0),
        ])
    func confirmationsWanted(members: Int, multiplier: Int, wanted: Int) {
        #expect(FleetSize(members).confirmationsWanted(multiplier: multiplier) == wanted)
    }
}

@Suite("Local health")
struct LocalHealthTests {
    @Test("Score and stretched interval are the reference's (Lifeguard §IV-A)")
    func reference() throws {
        var health = LocalHealth(maximum: 8)
        for row in try rows(of: "awareness_max_8") {
            health.change(by: try row.number("delta"))
            #expect(health.score == (try row.number("score")), "\(row)")
            #expect(health.stretched(.seconds(1)) == (try row.duration("probe_interval_ms")), "\(row)")
        }
    }

    @Test("The score saturates, whatever is added, and never leaves 0 where it is switched off")
    func saturation() {
        var health = LocalHealth(maximum: 8)
        health.change(by: .max)
        #expect(health.score == 7)
        health.change(by: .max)
        #expect(health.score == 7)
        health.change(by: .min)
        #expect(health.score == 0)
        var off = LocalHealth(maximum: 1)
        off.change(by: 5)
        #expect(off.score == 0 && off.stretched(.seconds(1)) == .seconds(1))
    }
}

@Suite("How long a suspicion lasts")
struct SuspicionLengthTests {
    @Test("What is left of a suspicion is what the reference leaves (Lifeguard §IV-B)")
    func reference() throws {
        let start = Instant(nanoseconds: 77)
        for row in try rows(of: "suspicion_remaining") {
            var suspicion = Suspicion(
                of: 1, accuser: "starter", evidence: .gossip, at: start, confirmationsWanted: try row.number("k"),
                minimum: try row.duration("min_ms"), maximum: try row.duration("max_ms"))
            let now = start + (try row.duration("elapsed_ms"))
            for confirmer in 0..<(try row.number("confirmations")) {
                let taken = suspicion.confirm(by: "c\(confirmer)", at: now)
                #expect(taken)
            }
            #expect(suspicion.deadline - now == (try row.duration("remaining_ms")), "\(row)")
        }
    }
}
