// What a flow does next after everything it can be told: a table, row by row.

import Forwarding
import Testing

/// Something that the owner of a flow tells it.
private enum Event {
    case readable, readableToTheEnd, readableWithUrgentByte
    case writable
    case received(Int, of: Int)
    case holds(Int)
    case sourceEmpty, sourceEnded
    case sent(Int)
    case sentHeld(Int, of: Int)
    case filledPipe(Int), drainedPipe(Int), spliceStopped
    case sinkFull
    case noPipe
    case finished
    case tls
    case decrypted(Int, received: Int, isDrained: Bool)
    case encrypted(Int), keeps(Int)

    /// Three reads in a row that make a stream bulky, each passed on.
    static let bulk: [Event] = Array(repeating: [.received(65_536, of: 65_536), .sent(65_536)], count: 3).flatMap(
        \.self)

    func apply(to flow: inout Flow) {
        switch self {
        case .readable: flow.sourceIsReadable()
        case .readableToTheEnd: flow.sourceIsReadable(ending: true)
        case .readableWithUrgentByte: flow.sourceIsReadable(urgent: true)
        case .writable: flow.sinkIsWritable()
        case .received(let count, let asked): flow.received(count, of: asked)
        case .holds(let count): flow.holds(count)
        case .sourceEmpty: flow.sourceIsEmpty()
        case .sourceEnded: flow.sourceEnded()
        case .sent(let count): flow.sent(count)
        case .sentHeld(let count, let offered): flow.sentHeld(count, of: offered)
        case .filledPipe(let count): flow.filledPipe(count)
        case .drainedPipe(let count): flow.drainedPipe(count)
        case .spliceStopped: flow.spliceStopped()
        case .sinkFull: flow.sinkIsFull()
        case .noPipe: flow.cannotSplice()
        case .finished: flow.finish()
        case .tls: flow.passesThroughTLS()
        case .decrypted(let count, let received, let isDrained):
            flow.decrypted(count, received: received, isDrained: isDrained)
        case .encrypted(let count): flow.encrypted(count)
        case .keeps(let more): flow.keeps(more: more)
        }
    }
}

private struct Transition: CustomTestStringConvertible {
    var testDescription: String
    var isTCP = true
    var canSplice = true
    var events: [Event]
    var next: Flow.Step

    init(_ name: String, isTCP: Bool = true, canSplice: Bool = true, _ events: [Event], then next: Flow.Step) {
        (testDescription, self.isTCP, self.canSplice, self.events, self.next) = (name, isTCP, canSplice, events, next)
    }
}

private let transitions: [Transition] = [
    // Through TLS
    Transition("both, and one of them speaks TLS", [.tls, .readable, .writable], then: .relay),
    Transition("bulk is never spliced through TLS", [.tls, .readable, .writable] + Event.bulk, then: .relay),
    Transition(
        "a drained source has nothing more",
        [.tls, .readable, .writable, .decrypted(50, received: 80, isDrained: true), .encrypted(50)], then: .rest),
    Transition(
        "one that is not may have",
        [.tls, .readable, .writable, .decrypted(0, received: 80, isDrained: false)], then: .relay),
    Transition(
        "a socket's end is read: only its stream says whether it was one",
        [.tls, .readableToTheEnd, .writable, .decrypted(50, received: 80, isDrained: true), .encrypted(50)],
        then: .relay),
    Transition(
        "but not again where nothing came",
        [.tls, .readableToTheEnd, .writable, .decrypted(0, received: 0, isDrained: true)], then: .rest),
    Transition(
        "a short read of a unix socket may have left something through TLS too", isTCP: false,
        [.tls, .readable, .writable, .decrypted(50, received: 80, isDrained: true), .encrypted(50)], then: .relay),
    Transition(
        "what a sink did not take waits for it",
        [.tls, .readable, .writable, .decrypted(50, received: 80, isDrained: false), .encrypted(40), .sinkFull],
        then: .rest),
    Transition(
        "and is delivered",
        [
            .tls, .readable, .writable, .decrypted(50, received: 80, isDrained: false), .encrypted(40), .sinkFull,
            .writable,
        ],
        then: .deliver),
    Transition(
        "encrypted bytes that are kept are held too",
        [.tls, .readable, .writable, .decrypted(9, received: 30, isDrained: false), .encrypted(9), .keeps(31)],
        then: .deliver),
    Transition("nothing is read before they are gone", [.tls, .readable, .keeps(31), .sinkFull], then: .rest),
    Transition("nor is the end told", [.tls, .writable, .keeps(31), .sourceEnded, .sinkFull], then: .rest),
    Transition(
        "then it is", [.tls, .writable, .keeps(31), .sourceEnded, .sinkFull, .writable, .keeps(-31)], then: .finish),

    // Edges
    Transition("nothing has happened", [], then: .rest),
    Transition("a source alone", [.readable], then: .rest),
    Transition("a sink alone", [.writable], then: .rest),
    Transition("both", [.readable, .writable], then: .receive),
    Transition("both, the other way round", [.writable, .readable], then: .receive),
    Transition("the source was empty", [.readable, .writable, .sourceEmpty], then: .rest),

    // Short reads
    Transition(
        "a full read may have left something", [.readable, .writable, .received(100, of: 100), .sent(100)],
        then: .receive),
    Transition("a short read has not", [.readable, .writable, .received(99, of: 100), .sent(99)], then: .rest),
    Transition(
        "a short read of a unix socket may have", isTCP: false,
        [.readable, .writable, .received(99, of: 100), .sent(99)], then: .receive),
    Transition(
        "a short read at an urgent byte has", [.readableWithUrgentByte, .writable, .received(99, of: 100), .sent(99)],
        then: .receive),

    // Ends
    Transition(
        "a short read with the end behind it is the last",
        [.readableToTheEnd, .writable, .received(99, of: 100), .sent(99)], then: .finish),
    Transition(
        "a full read with the end behind it may not be",
        [.readableToTheEnd, .writable, .received(100, of: 100), .sent(100)], then: .receive),
    Transition(
        "an end behind an urgent byte is looked for",
        [.readableWithUrgentByte, .readableToTheEnd, .writable, .received(9, of: 100), .sent(9)], then: .receive),
    Transition("an end without bytes", [.readableToTheEnd, .writable, .sourceEnded], then: .finish),
    Transition("an end that a blocked sink need not be ready for", [.readable, .sourceEnded], then: .finish),
    Transition("an end is told once", [.readable, .writable, .sourceEnded, .finished], then: .rest),
    Transition("nothing follows an end", [.sourceEnded, .finished, .readableToTheEnd, .writable], then: .rest),
    Transition(
        "an end that arrives while the sink is blocked waits for the bytes before it",
        [.readable, .writable, .received(100, of: 100), .sent(40), .readableToTheEnd], then: .rest),
    Transition(
        "and is looked for once they are through",
        [
            .readable, .writable, .received(100, of: 100), .sent(40), .readableToTheEnd, .writable,
            .sentHeld(60, of: 60),
        ],
        then: .receive),
    Transition(
        "an end is not told before the last byte",
        [.readableToTheEnd, .writable, .received(99, of: 100), .sent(40), .writable, .sentHeld(58, of: 58)],
        then: .sendHeld),

    // Held bytes
    Transition("bytes put in front wait for the sink", [.holds(10), .readable], then: .rest),
    Transition("bytes put in front go first", [.holds(10), .readable, .writable], then: .sendHeld),
    Transition(
        "a sink that left something is full", [.readable, .writable, .received(100, of: 100), .sent(99)], then: .rest),
    Transition(
        "held bytes go before others",
        [.readable, .writable, .received(100, of: 100), .sent(99), .readable, .writable], then: .sendHeld),
    Transition(
        "a whole block of several says nothing of the sink", [.holds(30), .writable, .sentHeld(10, of: 10)],
        then: .sendHeld),
    Transition("a part of a block does", [.holds(30), .writable, .sentHeld(9, of: 10)], then: .rest),
    Transition("a sink that took nothing", [.holds(30), .writable, .sinkFull], then: .rest),

    // Splicing
    Transition("three large reads in a row", [.readable, .writable] + Event.bulk, then: .fillPipe),
    Transition("two", [.readable, .writable] + Event.bulk.dropLast(2), then: .receive),
    Transition(
        "a small one between them",
        [.readable, .writable] + Event.bulk.dropLast(2) + [.received(100, of: 100), .sent(100)] + Event.bulk.prefix(2),
        then: .receive),
    Transition("a half that cannot be spliced", canSplice: false, [.readable, .writable] + Event.bulk, then: .receive),
    Transition("no pipe to be had", [.readable, .writable] + Event.bulk + [.noPipe], then: .receive),
    Transition("and none later", [.readable, .writable] + Event.bulk + [.noPipe] + Event.bulk, then: .receive),
    Transition(
        "what lies in a pipe is drained", [.readable, .writable] + Event.bulk + [.filledPipe(1000)], then: .drainPipe),
    Transition(
        "a part drained says nothing of the sink",
        [.readable, .writable] + Event.bulk + [.filledPipe(1000), .drainedPipe(1)], then: .drainPipe),
    Transition(
        "a sink that takes nothing from a pipe",
        [.readable, .writable] + Event.bulk + [.filledPipe(1000), .sinkFull], then: .rest),
    Transition(
        "a drained pipe is filled again",
        [.readable, .writable] + Event.bulk + [.filledPipe(1000), .drainedPipe(1000)], then: .fillPipe),
    Transition(
        "an empty source", [.readable, .writable] + Event.bulk + [.sourceEmpty], then: .rest),
    Transition(
        "a source that was empty and is readable again",
        [.readable, .writable] + Event.bulk + [.sourceEmpty, .readable], then: .fillPipe),
    Transition(
        "a splice that stops for good leaves it to a read to say why",
        [.readable, .writable] + Event.bulk + [.spliceStopped], then: .receive),
    Transition(
        "no splice gets past an urgent byte",
        [.readable, .writable] + Event.bulk + [.readableWithUrgentByte], then: .receive),
    Transition(
        "a pipe is drained before an urgent byte is read",
        [.readable, .writable] + Event.bulk + [.filledPipe(1000), .readableWithUrgentByte], then: .drainPipe),
    Transition(
        "four small fills in a row are messages again",
        [.readable, .writable] + Event.bulk
            + Array(repeating: [.filledPipe(100), .drainedPipe(100)], count: 4).flatMap(\.self), then: .receive),
    Transition(
        "three are not",
        [.readable, .writable] + Event.bulk
            + Array(repeating: [.filledPipe(100), .drainedPipe(100)], count: 3).flatMap(\.self), then: .fillPipe),
    Transition(
        "a large fill between them",
        [.readable, .writable] + Event.bulk
            + [100, 100, 100, 20_000, 100].flatMap { [.filledPipe($0), .drainedPipe($0)] }, then: .fillPipe),
]

@Suite("Flow: transitions")
struct FlowTests {
    @Test("A flow does next what it was told of allows", arguments: transitions)
    fileprivate func transition(_ row: Transition) {
        var flow = Flow(shortReadMeansEmpty: row.isTCP, canSplice: row.canSplice)
        for event in row.events { event.apply(to: &flow) }
        #expect(flow.next == row.next)
    }

    @Test("A flow that cannot splice still knows a bulky stream, however long it lasts")
    func bulkWithoutSplice() {
        var flow = Flow(shortReadMeansEmpty: true, canSplice: false)
        flow.sourceIsReadable()
        flow.sinkIsWritable()
        for read in 1...1000 {
            flow.received(65_536, of: 65_536)
            flow.sent(65_536)
            #expect(flow.isBulky == (read >= 3), "after read \(read)")
        }
        flow.received(100, of: 65_536)
        #expect(!flow.isBulky)
    }

    @Test("The questions about a flow agree with what happened")
    func questions() {
        var flow = Flow(shortReadMeansEmpty: true, canSplice: true)
        #expect(flow.awaitsSink)
        flow.sourceIsReadable(ending: true)
        flow.sinkIsWritable()
        #expect(!flow.awaitsSink)
        flow.received(80, of: 100)
        #expect(flow.hasEnded && !flow.isThrough && flow.held == 80)
        flow.sent(30)
        #expect(flow.awaitsSink && flow.held == 50 && !flow.isPiped)
        flow.sinkIsWritable()
        flow.sentHeld(50, of: 50)
        #expect(flow.isThrough && !flow.isFinished)
        flow.finish()
        #expect(flow.isFinished)
    }

    @Test("A flow fits a word")
    func size() { #expect(MemoryLayout<Flow>.size <= 8) }
}
