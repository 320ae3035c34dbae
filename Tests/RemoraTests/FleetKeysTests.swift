import Foundation
import Logging
import Serf
import Testing

@testable import Node

@Suite("The fleet's keys")
struct FleetKeysTests {
    private let directory: TestDirectory
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let first = [UInt8](repeating: 1, count: 16)
    private static let second = [UInt8](repeating: 2, count: 32)

    init() throws { directory = try TestDirectory() }

    private var file: String { directory.path + "/" + FleetKeys.fileName }

    private func keys(_ configured: [[UInt8]] = [first], keepsThem: Bool = true) -> FleetKeys {
        FleetKeys(configured: configured, stateDirectory: keepsThem ? directory.path : nil, logger: logger)
    }

    @Test("A key is installed, used, and the old one removed; the one in use cannot be")
    func rotation() {
        var keys = keys()
        #expect(keys.execute(.install(Self.second)).succeeded)
        #expect(!keys.execute(.remove(Self.first)).succeeded)
        #expect(keys.execute(.use(Self.second)).succeeded)
        let listed = keys.execute(.list)
        #expect(listed.primaryKey == Data(Self.second).base64EncodedString())
        #expect(Set(listed.keys) == Set([Self.first, Self.second].map { Data($0).base64EncodedString() }))
        #expect(keys.execute(.remove(Self.first)).succeeded)
        #expect(keys.keys == [Self.second])
    }

    @Test("What cannot be done is refused with a reason, and changes nothing")
    func refusals() {
        var keys = keys()
        for command in [.install([1, 2, 3]), .use(Self.second), .remove(Self.first)] as [KeyringCommand] {
            let answer = keys.execute(command)
            #expect(!answer.succeeded && !answer.message.isEmpty, "\(command)")
        }
        // Keys beyond what a ring holds
        for number in 10..<17 as Range<UInt8> {
            #expect(keys.execute(.install([UInt8](repeating: number, count: 16))).succeeded)
        }
        #expect(!keys.execute(.install(Self.second)).succeeded)
        #expect(keys.keys.count == 8 && keys.keys[0] == Self.first)
        // A fleet that is not encrypted has no keys to change
        var plain = self.keys([])
        #expect(!plain.execute(.install(Self.first)).succeeded)
        #expect(plain.keys.isEmpty)
    }

    @Test("A key that is there already, or gone already, is no failure: commands are told more than once")
    func repeated() {
        var keys = keys()
        for _ in 0..<2 { #expect(keys.execute(.install(Self.second)).succeeded) }
        for _ in 0..<2 { #expect(keys.execute(.remove(Self.second)).succeeded) }
        #expect(keys.keys == [Self.first])
    }

    @Test("A rotation outlives the process, in a file that only its owner reads")
    func kept() throws {
        var keys = keys()
        _ = keys.execute(.install(Self.second))
        _ = keys.execute(.use(Self.second))
        keys.finish()
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(self.keys().keys == [Self.second, Self.first])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [FleetKeys.fileName])
        // Without a directory it does not
        #expect(self.keys(keepsThem: false).keys == [Self.first])
    }

    @Test("Other keys in the config are newer than a rotation, and win")
    func newerConfig() {
        var keys = keys()
        _ = keys.execute(.install(Self.second))
        keys.finish()
        let third = [UInt8](repeating: 3, count: 24)
        #expect(self.keys([third]).keys == [third])
        #expect(self.keys([]).keys.isEmpty)
    }

    @Test(
        "A file that is no keyring is not believed, nor a part of it",
        arguments: [
            "", "{}", "[]", #"{"configured":["AQEBAQEBAQEBAQEBAQEBAQ=="],"keys":[]}"#,
            #"{"configured":["AQEBAQEBAQEBAQEBAQEBAQ=="],"keys":["AAAA"]}"#,
            #"{"configured":["AQEBAQEBAQEBAQEBAQEBAQ=="],"keys":["AgICAgICAgICAgICAgICAg==","?"]}"#,
        ])
    func garbage(text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        #expect(keys().keys == [Self.first])
    }

    @Test("A directory that cannot be written changes nothing of the rotation itself")
    func unwritable() {
        var keys = FleetKeys(configured: [Self.first], stateDirectory: directory.path + "/none", logger: logger)
        #expect(keys.execute(.install(Self.second)).succeeded)
        keys.finish()
        #expect(keys.keys == [Self.first, Self.second])
    }
}
