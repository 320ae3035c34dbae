// Files as the system gives them.

import Foundation
import Testing

@testable import Config

@Suite("Loading")
struct LoadTests {
    private static let config = Array(GoodFileTests.minimal.utf8)

    /// Loads a file with these bytes, and returns its faults with the path left out.
    private func faults(_ bytes: [UInt8]) throws -> [String] {
        let path = FileManager.default.temporaryDirectory.appending(path: "remora-\(UUID().uuidString).yaml").path()
        try Data(bytes).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return faults(path: path)
    }

    private func faults(path: String) -> [String] {
        do throws(ConfigFaults) {
            _ = try ConfigFile.load(path: path, hostName: "host")
            return []
        } catch {
            return error.faults.map { $0.description.replacing("\(path):", with: "") }
        }
    }

    @Test("A file of the right bytes is a config")
    func right() throws {
        #expect(try faults(LoadTests.config).isEmpty)
        #expect(try faults([0xEF, 0xBB, 0xBF] + LoadTests.config).isEmpty)
    }

    @Test("What cannot be opened or read is a fault with the kernel's reason")
    func unreadable() {
        #expect(
            faults(path: "/nonexistent/remora.yaml") == [
                "1:1: error: the file cannot be read: No such file or directory; name one that can"
            ])
        #expect(faults(path: "/") == ["1:1: error: the file cannot be read: Is a directory; name one that can"])
    }

    @Test("An endless file is a fault")
    func endless() {
        #expect(faults(path: "/dev/zero") == ["1:1: error: the file is larger than 16 MiB; a config is smaller"])
    }

    @Test(
        "Bytes that are no UTF-8 are a fault where they stand",
        arguments: [
            ([0xFF, 0xFE, 0x61, 0x00], "1:1"), (Array("a: ü\n # \r\nb: ".utf8) + [0xC3], "3:4"),
            (Array("a: ü".utf8) + [0xC0, 0x80], "1:5"), (Array("ä".utf8) + [0xED, 0xA0, 0x80], "1:2"),
        ] as [([UInt8], String)])
    func encoding(bytes: [UInt8], place: String) throws {
        #expect(try faults(bytes) == ["\(place): error: the file is not UTF-8 from here on; save it as UTF-8 text"])
    }

    @Test("A pipe is read to its end")
    func pipe() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(LoadTests.config))
        try pipe.fileHandleForWriting.close()
        #expect(faults(path: "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)").isEmpty)
    }
}
