// Lines and the files that take them, or do not.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@testable import AccessLog

/// A directory that is gone with the test.
private final class Directory {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "remora-log-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}

/// A terminal whose other side is read when a test says so; the only file here that takes a part of a line.
private final class Terminal {
    let path: String
    private let other: Int32
    /// As what it was set to is forgotten with the last descriptor.
    private let own: Int32

    /// TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which Swift does not see: macros with a type in them.
    private static let (unlock, giveNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    init() throws {
        other = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        var (lock, number): (Int32, UInt32) = (0, 0)
        let isUnlocked = unsafe ioctl(other, Self.unlock, &lock) == 0
        let isNumbered = unsafe ioctl(other, Self.giveNumber, &number) == 0
        path = "/dev/pts/\(number)"
        own = unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(isUnlocked && isNumbered && own >= 0)
        // Bytes as they are, without a return before each line's end.
        var modes = termios()
        unsafe cfmakeraw(&modes)
        try #require(unsafe tcsetattr(own, TCSANOW, &modes) == 0)
    }

    deinit {
        close(own)
        close(other)
    }

    /// What was written, up to so many bytes.
    func read(atMost limit: Int = .max) -> [UInt8] { drain(other, atMost: limit) }
}

/// What a descriptor has to read without waiting.
private func drain(_ descriptor: Int32, atMost limit: Int = .max) -> [UInt8] {
    var (bytes, buffer): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 10_007))
    while bytes.count < limit {
        let count = unsafe Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
        guard count > 0 else { break }
        bytes += buffer.prefix(count)
    }
    return bytes
}

@Suite("Lines and files")
struct LineBatchTests {
    private func entry(_ number: Int, padding: Int = 0, with character: Character = "x") -> AccessEntry {
        let name = padding > 0 ? String(repeating: character, count: padding) : nil
        return AccessEntry(
            start: 0, listener: "in", client: nil, serverName: name, clientIdentity: character == "x" ? nil : name,
            upstream: "web", attempts: number, duration: .zero, end: "clean")
    }

    /// The numbers of whole lines.
    private func numbers(in text: String) throws -> [Int] {
        try #require(text.isEmpty || text.hasSuffix("\n"), "the last line is not whole")
        return try text.split(separator: "\n").map { line in
            try #require(line.components(separatedBy: " listener=").count == 2, "more than one line: \(line)")
            let match = try #require(line.wholeMatch(of: /1970\S* .* attempts=(\d+) .* reason=-/), "no line: \(line)")
            return try #require(Int(match.1))
        }
    }

    @Test("A file is made for its owner and group, and appended to")
    func file() throws {
        let directory = try Directory()
        let path = "\(directory.path)/access.log"
        let mask = umask(0o022)
        defer { umask(mask) }
        for number in 0..<2 {
            let sink = try LineSink(path)
            var batch = LineBatch()
            batch.add(entry(number), as: .text)
            batch.flush(to: sink)
            #expect(batch.written == 1 && batch.dropped == 0 && batch.outage == nil)
        }
        #expect(try numbers(in: directory.text("access.log")) == [0, 1])
        let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(rights == 0o640)
    }

    @Test("A symbolic link leads to the file, and two sinks of one file mix no lines")
    func link() throws {
        let directory = try Directory()
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/link", withDestinationPath: "\(directory.path)/real")
        let (one, two) = (try LineSink("\(directory.path)/link"), try LineSink("\(directory.path)/real"))
        var (first, second) = (LineBatch(), LineBatch())
        for number in 0..<100 {
            first.add(entry(2 * number), as: .text)
            second.add(entry(2 * number + 1), as: .text)
            if number % 10 == 9 {
                first.flush(to: one)
                second.flush(to: two)
            }
        }
        #expect(try numbers(in: directory.text("real")).sorted() == Array(0..<200))
    }

    @Test("What cannot be a log is refused with what would be right, and a look beforehand says the same")
    func refusals() throws {
        let directory = try Directory()
        let missing = "\(directory.path)/none/access.log"
        let socket = "\(directory.path)/socket"
        let descriptor = try Kernel.bind(.unix(path: socket), sharingPort: false)
        defer { Kernel.close(descriptor) }
        let cases: [(path: String, cause: String)] = [
            (missing, "the directory \(directory.path)/none is not there; make it, or name another file"),
            (directory.path, "it is a directory; name a file in it"),
            (socket, "it is a socket; name a file, a FIFO, /dev/stdout or /dev/stderr"),
        ]
        for (path, cause) in cases {
            #expect(throws: LineSink.Refusal(path: path, cause: cause)) { try LineSink(path) }
            if path != socket { #expect(LineSink.obstacle(to: path)?.cause == cause) }
        }
        #expect(LineSink.obstacle(to: "\(directory.path)/new.log") == nil)
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/new.log"), "a look makes nothing")
        #expect(
            "\(LineSink.Refusal(path: "/a", cause: "it is full"))" == "access_log: /a cannot be opened: it is full")
    }

    @Test("A full disk costs lines and not the process, and each is counted")
    func fullDisk() throws {
        let (full, directory) = (try LineSink("/dev/full"), try Directory())
        var batch = LineBatch()
        for number in 0..<3 { batch.add(entry(number), as: .json) }
        batch.flush(to: full)
        #expect(batch.written == 0 && batch.dropped == 3)
        #expect(batch.outage?.code == ENOSPC)
        // When there is room again
        batch.add(entry(3), as: .text)
        batch.flush(to: try LineSink("\(directory.path)/log"))
        #expect(batch.written == 1 && batch.dropped == 3 && batch.outage == nil)
        #expect(try numbers(in: directory.text("log")) == [3])
        batch.drop(2)
        #expect(batch.dropped == 5)
    }

    /// The second makes lines of over 4 KiB, which a pipe takes in parts too: each is written as six.
    @Test(
        "Of a line that was written in part the rest comes first, so every line is whole",
        arguments: [(true, "x"), (false, "\u{1}"), (false, "x")])
    func partialLines(inTerminal: Bool, character: Character) throws {
        let (terminal, directory) = (try Terminal(), try Directory())
        let path = inTerminal ? terminal.path : "\(directory.path)/fifo"
        if !inTerminal { try #require(unsafe mkfifo(path, 0o600) == 0) }
        let sink = try LineSink(path)
        let reader = inTerminal ? -1 : unsafe open(path, O_RDONLY | O_NONBLOCK)
        defer { if !inTerminal { close(reader) } }
        func some(_ limit: Int = .max) -> [UInt8] {
            inTerminal ? terminal.read(atMost: limit) : drain(reader, atMost: limit)
        }
        var (batch, read): (LineBatch, [UInt8]) = (LineBatch(), [])
        // Nobody reads while a batch is written, which is more than there is room for; then some is read.
        for round in 0..<20 {
            for number in 0..<200 {
                batch.add(entry(round * 200 + number, padding: 500, with: character), as: .text)
            }
            // The first time a second is waited; after that nothing, as it was for nothing.
            batch.flush(to: sink)
            read += some(30_021)
        }
        read += some()
        // What is missing of the last line
        batch.flush(to: sink)
        read += some()
        let numbers = try numbers(in: String(decoding: read, as: UTF8.self))
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        #expect(batch.written == UInt64(numbers.count))
        #expect(batch.written + batch.dropped == 4_000)
        #expect(batch.dropped > 0 && batch.written > 50)
    }

    @Test("What somebody else writes to the same pipe stands between lines, however full it was")
    func sharedPipe() throws {
        let directory = try Directory()
        let path = "\(directory.path)/fifo"
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let sink = try LineSink(path)
        let reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
        let other = unsafe open(path, O_WRONLY | O_NONBLOCK)
        defer {
            close(reader)
            close(other)
        }
        var (batch, read): (LineBatch, [UInt8]) = (LineBatch(), [])
        for round in 0..<20 {
            for number in 0..<150 { batch.add(entry(round * 150 + number, padding: 400 + round), as: .text) }
            batch.flush(to: sink)
            read += drain(reader, atMost: 20_011)
            _ = unsafe "of another\n".withCString { unsafe write(other, $0, strlen($0)) }
            batch.flush(to: sink)
        }
        read += drain(reader)
        let lines = String(decoding: read, as: UTF8.self).split(separator: "\n")
        let others = lines.count { $0 == "of another" }
        #expect(others > 10)
        let own = lines.filter { $0 != "of another" }
        #expect(own.allSatisfy { $0.wholeMatch(of: /1970\S* .* attempts=(\d+) .* reason=-/) != nil })
        #expect(UInt64(own.count) == batch.written && batch.dropped > 0)
    }

    @Test("A FIFO is opened though nobody reads it, and is read by who comes later")
    func lateReader() throws {
        let directory = try Directory()
        let path = "\(directory.path)/fifo"
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let sink = try LineSink(path)
        var batch = LineBatch()
        for number in 0..<2 { batch.add(entry(number), as: .text) }
        batch.flush(to: sink)
        #expect(batch.written == 2)
        let reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe Glibc.read(reader, &buffer, buffer.count)
        #expect(try numbers(in: String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)) == [0, 1])
    }

    @Test("What is left of a line, and why none are taken, is nobody's in another file; the line counts as dropped")
    func turning() throws {
        let (directory, terminal) = (try Directory(), try Terminal())
        let (before, after) = (try LineSink(terminal.path), try LineSink("\(directory.path)/log"))
        var batch = LineBatch()
        for number in 0..<400 { batch.add(entry(number, padding: 500), as: .text) }
        batch.flush(to: before)
        let (written, dropped) = (batch.written, batch.dropped)
        #expect(written + dropped == 399, "one is there in part")
        #expect(batch.outage == .wouldBlock)
        batch.turn(from: before, to: after)
        #expect(batch.dropped == dropped + 1 && batch.outage == nil)
        batch.add(entry(400), as: .text)
        batch.flush(to: after)
        #expect(try numbers(in: directory.text("log")) == [400])
        #expect(batch.written + batch.dropped == 401)
    }

    @Test("A file that is opened anew while it holds a part of a line gets the rest of it before any other")
    func turningToItself() throws {
        let terminal = try Terminal()
        let (before, after) = (try LineSink(terminal.path), try LineSink(terminal.path))
        var batch = LineBatch()
        for number in 0..<400 { batch.add(entry(number, padding: 500), as: .text) }
        batch.flush(to: before)
        #expect(batch.written + batch.dropped == 399, "one is there in part")
        batch.turn(from: before, to: after)
        #expect(batch.outage == .wouldBlock, "it is the file's")
        var read = terminal.read()
        batch.add(entry(400), as: .text)
        batch.flush(to: after)
        read += terminal.read()
        let numbers = try numbers(in: String(decoding: read, as: UTF8.self))
        #expect(numbers.last == 400 && UInt64(numbers.count) == batch.written)
        #expect(batch.written + batch.dropped == 401 && batch.outage == nil)
    }
}
