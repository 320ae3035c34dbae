import Admin
import Glibc
import HealthChecks
import Reactor
import Testing
import Vocabulary

@testable import Config
@testable import Node
@testable import Proxy

/// A listener that only writes down what it is told.
private final class Door {
    var told: [String] = []
    var isOpen = true
}

/// A keeper of one service.
private final class Desk {
    private let door = Door()
    let log = Lines()
    let keeper: ServiceKeeper

    var told: [String] { door.told }
    var isOpen: Bool {
        get { door.isOpen }
        set { door.isOpen = newValue }
    }

    init(_ address: SocketAddress, health: HealthCheckOptions? = nil) throws {
        let options = ServiceOptions(name: "web", address: address, health: health)
        let advertised = AdvertisedService(
            name: "web", host: nil, port: 15_000, weight: .standard, hasListener: true)
        keeper = try ServiceKeeper(
            [options], advertised: [advertised], listeners: ["web": 3],
            doors: Doors(
                stop: { [door] in door.told.append("stop \($0)") },
                close: { [door] in door.told.append("close \($0)") },
                resume: { [door] in door.told.append("resume \($0)") }, accepts: { [door] _ in door.isOpen }),
            desk: ServiceDesk(), events: EventHub(), random: SeededRandom(seed: 1), logger: log.logger)
        keeper.start()
    }

    func notice(_ kind: Notice.Kind) {
        keeper.heed(
            Notice(kind: kind, listener: 3, upstream: 0, cell: 0, detail: ECONNREFUSED), at: Kernel.now())
    }

    /// Turns as the control loop does, until the tag is the wanted one.
    func turn(untilTagIs wanted: String) throws {
        try Wait.forAnswer {
            keeper.turn(at: Kernel.now())
            let tag = keeper.tags.first?.value
            if tag != wanted { throw TooLate(description: "\(tag ?? "-") and not \(wanted)") }
        }
    }
}

@Suite("Services and their doors")
struct ServiceKeeperTests {
    private static let passing = ":15000;load=1"
    private static let failing = ":15000;health=failing;load=1"

    @Test("A refused connection closes the door once, and the instance's return opens it")
    func refusal() throws {
        let server = try Server(listens: false)
        let desk = try Desk(server.address)
        #expect(desk.keeper.tags.map(\.value) == [Self.passing])
        desk.notice(.instanceRefused)
        desk.notice(.instanceRefused)
        #expect(desk.told == ["stop 3"])
        #expect(desk.keeper.takeTags()?.map(\.value) == [Self.failing])
        #expect(desk.keeper.takeTags() == nil)
        try Kernel.listen(server.descriptor)
        try desk.turn(untilTagIs: Self.passing)
        #expect(desk.told == ["stop 3", "resume 3"])
        // Passing again and again tells nobody anything
        desk.keeper.turn(at: Kernel.now())
        #expect(desk.told.count == 2)
        #expect(desk.log.all.filter { $0.contains("service web is ") }.count == 2)
    }

    @Test("A worker that stopped without a notice is found, however often doors were opened before")
    func lostNotice() throws {
        let server = try Server(listens: false)
        let desk = try Desk(server.address)
        var now = Kernel.now()
        for round in 1...2 {
            desk.isOpen = false
            now = now + .seconds(3)
            desk.keeper.turn(at: now)
            #expect(desk.told.count == 2 * round - 1 && desk.told.last == "stop 3")
            if round == 1 { try Kernel.listen(server.descriptor) }
            try desk.turn(untilTagIs: Self.passing)
            #expect(desk.told.last == "resume 3")
            now = max(now, Kernel.now())
        }
    }

    @Test("A listener that cannot listen is failing, and is asked again until it can")
    func cannotListen() throws {
        let server = try Server()
        let desk = try Desk(server.address)
        desk.isOpen = false
        desk.notice(.listenFailed)
        #expect(desk.keeper.tags.map(\.value) == [Self.failing])
        var now = Kernel.now()
        for _ in 0..<3 {
            now = now + .seconds(3)
            desk.keeper.turn(at: now)
        }
        #expect(desk.told == ["resume 3", "resume 3", "resume 3"])
        desk.isOpen = true
        desk.keeper.turn(at: now + .seconds(3))
        #expect(desk.keeper.tags.map(\.value) == [Self.passing])
    }

    @Test("A drain is told once, outlasts what checks find, and keeps no loop awake")
    func drain() throws {
        let server = try Server(listens: false)
        let health = HealthCheckOptions(
            probe: .tcp, interval: .milliseconds(20), timeout: .milliseconds(10), fall: 1, rise: 1)
        let desk = try Desk(server.address, health: health)
        // Unknown until the first check has ended
        #expect(desk.keeper.tags.map(\.value) == [Self.failing])
        try Kernel.listen(server.descriptor)
        try desk.turn(untilTagIs: Self.passing)
        _ = desk.keeper.takeTags()
        desk.keeper.drain()
        desk.keeper.drain()
        #expect(desk.keeper.takeTags()?.map(\.value) == [":15000;health=draining;load=1"])
        #expect(desk.keeper.takeTags() == nil)
        let now = Kernel.now() + .seconds(5)
        desk.keeper.turn(at: now)
        #expect(desk.keeper.takeTags() == nil)
        // The next look is in the future, or the control thread would spin through the whole drain
        #expect(desk.keeper.nextLook > now)
    }
}
