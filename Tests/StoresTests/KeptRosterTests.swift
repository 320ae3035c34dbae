import Foundation
import Reactor
import Testing
import Vocabulary

@testable import Stores

private func etcd(_ hosts: String..., prefix: String = "/r/") -> RosterOptions {
    .etcd(EtcdOptions(endpoints: hosts.map { .init(isSecure: false, host: $0, port: 2379) }, prefix: prefix))
}

@Suite("The roster that is kept on disk")
struct KeptRosterTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private var file: String { directory.path + "/" + KeptRoster.fileName }

    private static func kept(_ names: [String], of options: RosterOptions) -> KeptRoster {
        KeptRoster(.init(names: Set(names), revision: 57), of: .init(options), confirmed: 1_700_000_000)
    }

    @Test("It is read as it was written, its names in order")
    func roundTrip() {
        let kept = Self.kept(["b", "a", "ü \"x\""], of: etcd("10.0.0.1"))
        #expect(KeptRoster(kept.encoded()) == kept)
        #expect(kept.names == ["a", "b", "ü \"x\""])
    }

    @Test("It stands in for the same source only, whose endpoints may change one by one")
    func identity() {
        func isSame(_ one: RosterOptions, _ other: RosterOptions) -> Bool {
            KeptRoster.Source(one).isSame(as: KeptRoster.Source(other))
        }
        #expect(isSame(etcd("a", "b"), etcd("b", "c")))
        #expect(!isSame(etcd("a"), etcd("b")))
        #expect(!isSame(etcd("a"), etcd("a", prefix: "/other/")))
        #expect(isSame(.file(path: "/x"), .file(path: "/x")))
        #expect(!isSame(.file(path: "/x"), .file(path: "/y")))
        #expect(!isSame(.file(path: "/x"), etcd("a")) && !isSame(etcd("a"), .file(path: "/x")))
    }

    @Test("Nothing is believed of what is not wholly a kept roster", arguments: 1...200 as ClosedRange<UInt64>)
    func garbage(seed: UInt64) {
        let good = Self.kept(["a", "b"], of: etcd("10.0.0.1"))
        var bytes = good.encoded()
        var random = SeededRandom(seed: seed)
        bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
        #expect(KeptRoster(bytes) == nil)
        var other = good
        other.format = 2
        #expect(KeptRoster(other.encoded()) == nil)
        other = good
        other.names = ["a", "b/c"]
        #expect(KeptRoster(other.encoded()) == nil)
    }

    @Test("A start without etcd has the last known roster at once, and says how old it is")
    func startAlone() throws {
        let server = try EtcdServer()
        try server.list("a", "b")
        let first = try RunningSource(.etcd(server.options()), keeping: directory)
        try first.wait(forNames: "a", "b")
        first.stop()
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try directory.names() == [KeptRoster.fileName])
        server.kill()
        let source = try RosterSource(
            .etcd(server.options()), stateDirectory: directory.path, seed: 1, parse: { _ in [] })
        // Before it has even started
        let update = try #require(source.take())
        #expect(update.names == ["a", "b"] && update.isStale && update.isKnown)
        let sentence = update.standing.sentence(at: Kernel.now())
        #expect(
            sentence.contains(/^etcd has not answered yet; the roster of revision 3, kept on disk [\d.]+ m?s ago/))
        let second = try RunningSource(.etcd(server.options()), keeping: directory)
        try second.wait(forTrouble: "refused")
        try server.start()
        try server.list("c")
        try second.wait(forNames: "a", "b", "c")
        second.stop()
        #expect(try KeptRoster(DiskFile.read(file, atMost: 1 << 20))?.names == ["a", "b", "c"])
    }

    @Test("Another source's copy, or none of ours, is not used; the log says why")
    func notOurs() throws {
        let server = try EtcdServer()
        try server.list("a")
        for (content, word) in [
            (Self.kept(["stranger"], of: .file(path: "/x")).encoded(), "of another source"),
            (Array("{}".utf8), "is no kept roster"),
        ] {
            try DiskFile.replace(file, with: content)
            let source = try RunningSource(.etcd(server.options()), keeping: directory)
            try source.wait(forNames: "a")
            #expect(source.notices.contains { $0.text.contains(word) })
            #expect(!source.notices.contains { $0.text.contains("stranger") })
            source.stop()
            #expect(try KeptRoster(DiskFile.read(file, atMost: 1 << 20))?.names == ["a"])
        }
    }

    @Test("A directory that cannot be written is said, and the roster is used all the same")
    func unwritable() throws {
        let server = try EtcdServer()
        try server.list("a")
        // Where the new file is to be written stands something that cannot be removed
        try FileManager.default.createDirectory(atPath: file + ".new/x", withIntermediateDirectories: true)
        let source = try RunningSource(.etcd(server.options()), keeping: directory)
        try source.wait(for: "a complaint") { _ in
            source.notices.contains { $0.text.contains("cannot be kept on disk") }
        }
        #expect(source.latest?.names == ["a"] && source.latest?.isStale == false)
    }
}

@Suite("A file of the state directory")
struct StateFileTests {
    private let directory: TestDirectory
    private let file: StateFile

    init() throws {
        directory = try TestDirectory()
        file = StateFile(directory.path + "/state")
    }

    @Test("What is written last is what is there, alone and readable by its owner only")
    func replaced() throws {
        #expect(try file.read(atMost: 10) == nil)
        for number in 0..<100 {
            file.replace(with: Array("\(number)".utf8)) { fault in Issue.record("\(fault)") }
        }
        file.finish()
        #expect(try file.read(atMost: 10) == Array("99".utf8))
        #expect(try directory.names() == ["state"])
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // What was cut short once is no hindrance
        try directory.write("half", as: "state.new")
        try DiskFile.replace(file.path, with: [1, 2])
        #expect(try file.read(atMost: 10) == [1, 2])
        #expect(try directory.names() == ["state"])
    }

    @Test("A failed write leaves what was there, whole, and nothing beside it")
    func failed() throws {
        try DiskFile.replace(file.path, with: [1, 2, 3])
        // Where no file can be made
        #expect(throws: DiskFault.self) { try DiskFile.replace("/dev/full/state", with: [4]) }
        try FileManager.default.createDirectory(
            atPath: file.path + ".new/x", withIntermediateDirectories: true)
        #expect(throws: DiskFault.self) { try DiskFile.replace(file.path, with: [4]) }
        #expect(try file.read(atMost: 10) == [1, 2, 3])
    }

    @Test("Reading has a bound, and waits for nobody")
    func bounds() throws {
        try DiskFile.replace(file.path, with: [UInt8](repeating: 7, count: 11))
        #expect(throws: DiskFault(reason: "it is longer than 10 bytes")) { try file.read(atMost: 10) }
        #expect(unsafe mkfifo(directory.path + "/fifo", 0o600) == 0)
        #expect(throws: DiskFault(reason: "it is no regular file")) {
            try DiskFile.read(directory.path + "/fifo", atMost: 10)
        }
        #expect(throws: DiskFault(reason: "it is no regular file")) { try DiskFile.read(directory.path, atMost: 10) }
        // Its length is said to be zero, and it never ends
        #expect(throws: DiskFault.self) { try DiskFile.read("/dev/zero", atMost: 10) }
    }
}
