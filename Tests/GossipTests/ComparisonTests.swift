import Testing
import Vocabulary

@testable import Gossip

/// Views that remoras compare by their checksums.
@Suite struct ComparisonTests {
    private func remoras(_ names: [String]) -> Lab {
        var lab = Lab(others: names)
        for name in names {
            lab.hear(alive: name, 2, record: Lab.record(port: lab.address(of: name).port, meta: [7], isRemora: true))
        }
        lab.member.gossip.queue.removeAll()
        lab.member.gossip.nextTick = nil
        lab.member.prober.nextTick = .distantFuture
        _ = lab.take()
        return lab
    }

    @Test("A remora's differing checksum begins an exchange with it once our own view has been quiet")
    func comparison() {
        var lab = remoras(["a", "b"])
        lab.receive(.viewChecksum(1), from: "a")
        #expect(lab.take().streams.isEmpty, "news may still be on its way")
        lab.run(for: .seconds(2))
        lab.receive(.viewChecksum(lab.member.viewChecksum), from: "a")
        #expect(lab.take().streams.isEmpty, "equal views have nothing to exchange")
        lab.receive(.viewChecksum(1), from: "a")
        #expect(lab.take().openedExchanges.map(\.to) == [lab.address(of: "a")])
    }

    @Test("Views that stay different are compared ever more rarely, down to the push-pull's interval")
    func comparisonBackoff() {
        var lab = remoras(["a", "b"])
        lab.member.exchange.nextPushPull = .distantFuture
        lab.run(for: .seconds(2))
        var counts: [Int] = []
        for _ in 0..<10 {
            for _ in 0..<60 {
                lab.receive(.viewChecksum(1), from: "a")
                lab.run(for: .seconds(1))
            }
            let opened = lab.take().openedExchanges
            for stream in opened.map(\.stream) { lab.member.fail(stream, at: lab.now, into: &lab.effects) }
            counts.append(opened.count)
        }
        #expect(counts[0] >= 3 && counts[0] <= 10)
        #expect(counts.suffix(5).reduce(0, +) <= 20)
        #expect(counts.last != 0)
    }

    @Test(
        "A view that changed is compared at the usual pace again; one that was only equal to somebody's is not",
        arguments: [true, false])
    func comparisonRecovers(changes: Bool) {
        var lab = remoras(["a", "b"])
        lab.member.exchange.nextPushPull = .distantFuture
        lab.member.exchange.nextContact = .distantFuture
        lab.run(for: .seconds(2))
        // Given differences that lasted
        for _ in 0..<200 {
            lab.receive(.viewChecksum(1), from: "a")
            lab.run(for: .seconds(1))
        }
        lab.receive(.viewChecksum(lab.member.viewChecksum), from: "b")
        if changes { lab.hear(alive: "x", 1) }
        lab.run(for: .seconds(60))
        _ = lab.take()
        // When there is another
        for _ in 0..<4 {
            lab.receive(.viewChecksum(1), from: "a")
            lab.run(for: .seconds(2))
        }
        // Then two exchanges follow within seconds, or one at most: of two peers one may differ for good
        #expect(changes == (lab.take().openedExchanges.count >= 2))
    }

    @Test("A dead member's checksum begins nothing")
    func deadChecksum() {
        var lab = remoras(["a", "b"])
        lab.hear(dead: "a", 2, from: "b")
        lab.run(for: .seconds(5))
        _ = lab.take()
        lab.receive(.viewChecksum(1), from: "a")
        #expect(lab.take().streams.isEmpty)
    }

    @Test("A stranger's checksum begins nothing, nor does that of a member that is no remora")
    func strangersChecksum() {
        var lab = remoras(["a", "b"])
        lab.hear(alive: "b", 3)
        lab.run(for: .seconds(5))
        _ = lab.take()
        lab.receive(.viewChecksum(1), from: "x")
        lab.receive(.viewChecksum(1), from: "b")
        #expect(lab.take().streams.isEmpty)
    }

    @Test("Only remoras are sent our checksum, and only if views are compared", arguments: [true, false])
    func checksumRecipients(compares: Bool) throws {
        var options = GossipOptions.lan
        options.comparesViews = compares
        var lab = Lab(others: ["a", "b"], options: options)
        lab.hear(alive: "a", 2, record: Lab.record(port: lab.address(of: "a").port, meta: [7], isRemora: true))
        lab.member.gossip.queue.removeAll()
        for _ in 0..<4 {
            lab.run(until: lab.member.prober.nextTick)
            for datagram in lab.take().datagrams {
                guard case .ping(let ping) = datagram.messages[0], let node = ping.node else { continue }
                let tells = compares && lab.name(node) == "a"
                #expect(datagram.messages.map(lab.describe) == ["ping \(lab.name(node))"] + (tells ? ["view"] : []))
                lab.receive(.ack(Ack(sequence: ping.sequence)), from: lab.name(node))
            }
        }
    }

    @Test("The checksum is of who is present and at which incarnation: order, suspicion and the dead do not show")
    func checksum() {
        var one = Lab(others: ["a", "b", "c"])
        var other = Lab(others: ["c", "a", "b"])
        #expect(one.member.viewChecksum == other.member.viewChecksum)
        one.hear(suspect: "a", 1, from: "b")
        #expect(one.member.viewChecksum == other.member.viewChecksum)
        one.hear(dead: "a", 1, from: "b")
        #expect(one.member.viewChecksum != other.member.viewChecksum)
        other.hear(dead: "a", 1, from: "a")
        #expect(one.member.viewChecksum == other.member.viewChecksum)
        one.hear(alive: "b", 2)
        #expect(one.member.viewChecksum != other.member.viewChecksum)
        #expect(Lab(others: ["a", "b"]).member.viewChecksum != one.member.viewChecksum)
    }
}
