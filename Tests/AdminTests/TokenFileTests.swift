import Foundation
import Testing

@testable import Admin

@Suite("A token file")
struct TokenFileTests {
    @Test(
        "Blanks and line ends around the token do not belong to it",
        arguments: ["s3cret", "s3cret\n", " \t s3cret \r\n\n"])
    func trimming(text: String) throws {
        #expect(try read(text) == .success("s3cret"))
    }

    @Test("A file without a token is refused", arguments: ["", " \n"])
    func empty(text: String) throws {
        #expect(try read(text) == .failure(.empty(path: "token")))
    }

    @Test("A token is one word of visible ASCII", arguments: ["two words", "a\nb", "geheimnüs", "a\u{1}"])
    func badCharacter(text: String) throws {
        #expect(try read(text) == .failure(.badCharacter(path: "token")))
    }

    @Test("A file of 4,096 bytes may be a token, a longer one is another file")
    func length() throws {
        let longest = String(repeating: "t", count: 4096)
        #expect(try read(longest) == .success(longest))
        #expect(try read(longest + "t") == .failure(.tooLong(path: "token")))
    }

    @Test("A file that is not there is named, with the system's reason")
    func missing() {
        do {
            _ = try TokenFile.read("/nonexistent/token")
            Issue.record("it was read")
        } catch {
            #expect(error.description == "cannot read the token file /nonexistent/token: No such file or directory")
        }
    }

    /// What comes of a file with this text; its path in errors is cut down to its name.
    private func read(_ text: String) throws -> Result<String, TokenFile.ReadError> {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/token"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return Result { () throws(TokenFile.ReadError) in try TokenFile.read(path) }
                .mapError { error in
                    switch error {
                    case .unreadable(_, let errno): .unreadable(path: "token", errno: errno)
                    case .empty: .empty(path: "token")
                    case .tooLong: .tooLong(path: "token")
                    case .badCharacter: .badCharacter(path: "token")
                    }
                }
        }
    }
}

/// A directory with a short path (a unix socket's has at most 107 bytes), removed with what is in it.
func withTemporaryDirectory<Value>(_ body: (String) throws -> Value) throws -> Value {
    let path = temporaryDirectoryPath()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

func withTemporaryDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let path = temporaryDirectoryPath()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

private func temporaryDirectoryPath() -> String {
    "\(FileManager.default.temporaryDirectory.path)/remora-\(UUID().uuidString.prefix(13))"
}
