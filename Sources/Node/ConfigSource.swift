// Where the config comes from, and how it is read again.

package import Config
import TLS

/// A config as it was read.
package struct ReadConfig: Sendable {
    package let configuration: Configuration
    /// SHA-256 of the text, in hexadecimal digits.
    let checksum: String
    /// ``Configuration/upstreamsChecksum``, reckoned where the file was read: it takes too long for the control thread.
    let upstreamsChecksum: UInt32

    /// Its checksum in the 8 digits in which pages show it.
    var upstreamsDigits: String {
        let digits = String(upstreamsChecksum, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

package struct ConfigSource: Sendable {
    /// As given; `-` is standard input.
    let path: String
    /// The default of `node.name`.
    let hostName: String

    package init(path: String, hostName: String) {
        self.path = path
        self.hostName = hostName
    }

    /// Standard input is at its end once it was read.
    var canBeReadAgain: Bool { path != "-" }

    /// Looks for every fault that would keep a node from running by it, those of files that it names included, and starts
    /// nothing.
    package func check() throws(ConfigFaults) {
        let text = try ConfigFile.text(at: path)
        _ = try ConfigFile.parse(text, file: path, hostName: hostName, inspection: fileFaults)
    }

    /// Reads and parses; O(n) in the length of the file, and as slow as what it lies on.
    package func read() throws(ConfigFaults) -> ReadConfig {
        let text = try ConfigFile.text(at: path)
        let configuration = try ConfigFile.parse(text, file: path, hostName: hostName)
        return ReadConfig(
            configuration: configuration,
            // Without one the files of two machines cannot be compared; that keeps none from running.
            checksum: SHA256.hexadecimal(of: Array(text.utf8)) ?? "", upstreamsChecksum: configuration.upstreamsChecksum
        )
    }
}
