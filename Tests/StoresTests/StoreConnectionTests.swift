import Reactor
import Testing
import Vocabulary

@testable import Stores

@Suite("A store's connection")
struct StoreConnectionTests {
    @Test("Addresses that drop every packet leave the next one its share of the time")
    func blackHoles() throws {
        let stop = try Wake()
        let doors = try (0..<3).map { _ in try Kernel.bind(.ipv4(.loopback, port: 0), sharingPort: false) }
        defer { for door in doors { Kernel.close(door) } }
        for door in doors { try Kernel.listen(door) }
        let crowds = try doors.prefix(2).map { try Crowd(before: $0) }
        let addresses = try doors.map { try #require(Kernel.localAddress(of: $0)) }
        // When two of three answer nobody, and when all do
        let start = Kernel.now()
        let connection = try StoreConnection(
            to: addresses, of: "etcd.example", within: .seconds(3), tls: nil, stop: stop.descriptor,
            silence: .seconds(10))
        let elapsed = Kernel.now() - start
        try connection.send([0], by: Kernel.now() + .seconds(1))
        // Two shares of a second, and not all the time there is
        #expect(elapsed >= .seconds(1.9) && elapsed < .seconds(2.9))
        #expect(throws: StoreFault.timedOut(doing: "connecting to \(addresses[1])")) {
            _ = try StoreConnection(
                to: Array(addresses.prefix(2)), of: "etcd.example", within: .milliseconds(200), tls: nil,
                stop: stop.descriptor, silence: .seconds(10))
        }
        withExtendedLifetime(crowds) {}
    }
}
