import ArgumentParser
import Config

/// A key for a fleet, as `membership.keys` and `serf keys -install` take it.
struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Print a new random key for membership.keys.",
        discussion: "It goes to standard output alone, so that it can be sent into a file that only its owner reads.")

    @Option(help: "Its length: 16, 24 or 32 bytes, for AES-128, AES-192 or AES-256.")
    var bytes = 32

    func validate() throws {
        guard [16, 24, 32].contains(bytes) else {
            throw ValidationError("--bytes \(bytes): a key has 16, 24 or 32 bytes")
        }
    }

    func run() {
        // getrandom(2), which waits for a machine's first entropy.
        var random = SystemRandomNumberGenerator()
        let key = (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        StandardStreams.output(Base64.encode(key) + "\n")
    }
}
