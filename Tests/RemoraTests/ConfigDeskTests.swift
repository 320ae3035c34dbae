// What is said of the config that is in force.

import Config
import Reactor
import Testing
import Vocabulary

@testable import Node

@Suite("What is said of a config")
struct ConfigDeskTests {
    private func read(_ text: String, upstreamsChecksum: UInt32) throws -> ReadConfig {
        ReadConfig(
            configuration: try ConfigFile.parse(text, file: "f", hostName: "host"), checksum: "c",
            upstreamsChecksum: upstreamsChecksum)
    }

    @Test("The checksum of upstreams was reckoned by whoever read the file, and is not reckoned again")
    func checksum() throws {
        let text =
            "upstreams: [{name: x, endpoints: [10.0.0.1:80]}]\nlisteners: [{name: i, bind: 127.0.0.1:0, upstream: x}]\n"
        let now = Kernel.now()
        // Numbers that no config has but by chance
        let desk = ConfigDesk(try read(text, upstreamsChecksum: 0xA), file: "f", at: now)
        #expect(desk.report(at: now).upstreamsChecksum == "0000000a")
        desk.accept(try read(text, upstreamsChecksum: 0xFEED_BEEF), needsRestart: [], at: now)
        #expect(desk.report(at: now).upstreamsChecksum == "feedbeef")
        // And whoever reads it reckons the config's
        let directory = try TestDirectory()
        let config = try ConfigSource(path: directory.write(text), hostName: "host").read()
        #expect(config.upstreamsChecksum == config.configuration.upstreamsChecksum)
    }
}
