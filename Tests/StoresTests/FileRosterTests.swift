import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@testable import Stores

@Suite("A roster in a file")
struct FileRosterTests {
    private let directory: TestDirectory
    private var file: String { directory.path + "/roster.yaml" }

    init() throws { directory = try TestDirectory() }

    /// One name a line; a line that begins with "!" is a fault.
    private func source(keeping kept: TestDirectory? = nil) throws -> RunningSource {
        let file = file
        return try RunningSource(.file(path: file), keeping: kept) { bytes in
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw StoreFault.roster("\(file):1:1: error: not UTF-8")
            }
            let lines = text.split(separator: "\n").map(String.init)
            if let line = lines.firstIndex(where: { $0.hasPrefix("!") }) {
                throw StoreFault.roster("\(file):\(line + 1):1: error: no name")
            }
            return Set(lines)
        }
    }

    private func rename(_ text: String) throws {
        try directory.write(text, as: "fresh")
        #expect(unsafe Glibc.rename(directory.path + "/fresh", file) == 0)
    }

    @Test("It is read, and again when it is written or another one is put in its place")
    func changes() throws {
        try directory.write("a\nb\n", as: "roster.yaml")
        let source = try source()
        let update = try source.wait(forNames: "a", "b")
        #expect(update.standing.sentence(at: Kernel.now()) == "the roster of \(file) lists 2 members")
        try directory.write("a\nb\nc\n", as: "roster.yaml")
        try source.wait(forNames: "a", "b", "c")
        try rename("d\n")
        try source.wait(forNames: "d")
    }

    @Test("A faulty one changes nothing and is told by its place; a mended one is taken")
    func faulty() throws {
        try directory.write("a\n", as: "roster.yaml")
        let source = try source()
        try source.wait(forNames: "a")
        try rename("b\n!\n")
        let update = try source.wait(forTrouble: "\(file):2:1: error: no name")
        #expect(update.names == ["a"] && update.isStale)
        try rename("b\n")
        try source.wait(forNames: "b")
        // The rules for names are the same as for etcd's
        try rename("x/y\n")
        try source.wait(forTrouble: "\"x/y\" has a \"/\"")
        try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: directory.path + "/fresh"))
        #expect(unsafe Glibc.rename(directory.path + "/fresh", file) == 0)
        try source.wait(forTrouble: "not UTF-8")
        try rename("b\n")
        try source.wait(forNames: "b")
    }

    @Test("One that is gone holds, and the file that comes back is read even if it is the same")
    func deleted() throws {
        try directory.write("a\n", as: "roster.yaml")
        let source = try source()
        try source.wait(forNames: "a")
        #expect(unsafe unlink(file) == 0)
        let update = try source.wait(forTrouble: "there is no such file")
        #expect(update.names == ["a"])
        #expect(update.standing.sentence(at: Kernel.now()).hasSuffix("holds (1 member)"))
        try directory.write("a\n", as: "roster.yaml")
        try source.wait(forNames: "a")
    }

    @Test("Links that are swapped are followed, as Kubernetes swaps them")
    func links() throws {
        for (revision, names) in [("1", "a\n"), ("2", "b\n")] {
            try FileManager.default.createDirectory(
                atPath: directory.path + "/..\(revision)", withIntermediateDirectories: false)
            try directory.write(names, as: "..\(revision)/roster.yaml")
        }
        #expect(unsafe symlink("..1", directory.path + "/..data") == 0)
        #expect(unsafe symlink("..data/roster.yaml", file) == 0)
        let source = try source()
        try source.wait(forNames: "a")
        #expect(unsafe symlink("..2", directory.path + "/..fresh") == 0)
        #expect(unsafe Glibc.rename(directory.path + "/..fresh", directory.path + "/..data") == 0)
        try source.wait(forNames: "b")
    }

    @Test("One that is not there at first is read when it comes; until then nobody is listed")
    func late() throws {
        let source = try source()
        let update = try source.wait(forTrouble: "there is no such file")
        #expect(!update.isKnown && update.names.isEmpty)
        #expect(source.notices.contains { $0.level == .error && $0.text.contains("no member is listed") })
        try rename("a\n")
        try source.wait(forNames: "a")
    }

    @Test("A start with a faulty file has the last good roster, where one is kept")
    func kept() throws {
        let state = try TestDirectory()
        try directory.write("a\nb\n", as: "roster.yaml")
        let first = try source(keeping: state)
        try first.wait(forNames: "a", "b")
        first.stop()
        try rename("!\n")
        let second = try source(keeping: state)
        let update = try second.wait(forTrouble: "no name")
        #expect(update.names == ["a", "b"] && update.standing.holding?.origin == .disk)
    }

    @Test("A file that is written bit by bit is never taken for a shorter roster")
    func slowWriter() throws {
        try directory.write("a\nb\n", as: "roster.yaml")
        let source = try source()
        try source.wait(forNames: "a", "b")
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: 0)
        // Longer than two looks at the file, with pauses shorter than what counts as stillness
        for number in 0..<50 {
            try handle.write(contentsOf: Data("n\(number)\n".utf8))
            poll(nil, 0, 50)
        }
        try handle.close()
        try source.wait(for: "the whole roster") { $0.names.count == 50 }
        #expect(source.latest?.version == 2)
        #expect(!source.notices.contains { $0.level == .warning || $0.level == .error })
    }

    @Test("What is no file, or too long, is told")
    func noFile() throws {
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        try source().wait(forTrouble: "no regular file")
        let long = try RunningSource(.file(path: directory.write("a\n", as: "many"))) { _ in
            Set((0...RosterNames.most).map { "n\($0)" })
        }
        try long.wait(forTrouble: "more than 65536 members")
    }
}
