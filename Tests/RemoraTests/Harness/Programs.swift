// Programs of others beside the process under test: they make certificates, and are its peers.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

/// Runs a program to its end, or until it has taken too long, which fails it.
/// - Returns: what it has written, stderr among it.
@discardableResult
func runProgram(
    _ arguments: [String], input: String = "", in directory: String? = nil
) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Not SIGTERM, which threads that start programs may have blocked for them.
    process.arguments = ["timeout", "-s", "KILL", "\(patience.components.seconds)"] + arguments
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    let (standardInput, output) = (Pipe(), Pipe())
    process.standardInput = standardInput
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try? standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try? standardInput.fileHandleForWriting.close()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
}

/// A program that runs beside a test, with whatever it starts; all of them are killed when it is let go.
final class Companion {
    private let process = Process()
    let output = TextPipe()

    init(_ arguments: [String], in directory: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output.pipe
        process.standardError = output.pipe
        try process.run()
    }

    deinit {
        // The group first, which is the program's own: what a program such as timeout has started outlives it otherwise,
        // and holds its output open.
        if process.isRunning, kill(-process.processIdentifier, SIGKILL) != 0 {
            kill(process.processIdentifier, SIGKILL)
        }
        process.waitUntilExit()
    }
}

/// A directory with an authority `ca`, and with what the openssl command makes for it.
struct TLSFiles {
    let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
        try make("ca", extensions: ["basicConstraints=critical,CA:true"])
    }

    func path(_ file: String) -> String { "\(directory.path)/\(file)" }

    /// `certificate` and `key` as they stand in a config.
    func pair(_ name: String) -> String { "certificate: \(path("\(name).pem")), key: \(path("\(name).key"))" }

    /// Writes `NAME.pem` and `NAME.key`.
    func make(
        _ name: String, by authority: String? = nil, names: String? = nil, isRSA: Bool = false,
        extensions: [String] = []
    ) throws {
        let key = isRSA ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        var arguments =
            ["openssl", "req", "-x509", "-newkey"] + key + [
                "-nodes", "-days", "30", "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out",
                path("\(name).pem"),
            ]
        if let authority {
            arguments += ["-CA", path("\(authority).pem"), "-CAkey", path("\(authority).key")]
            arguments += ["-addext", "basicConstraints=critical,CA:false"]
        }
        if let names { arguments += ["-addext", "subjectAltName=\(names)"] }
        for text in extensions { arguments += ["-addext", text] }
        let outcome = try runProgram(arguments)
        try #require(outcome.status == 0, "\(outcome.output)")
    }

    /// Writes a pair that has ended before it began, which only `openssl x509` makes.
    func makeExpired(_ name: String, by authority: String, names: String) throws {
        let request = path("\(name).csr")
        let steps = [
            [
                "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=\(name)",
                "-addext", "subjectAltName=\(names)", "-keyout", path("\(name).key"), "-out", request,
            ],
            [
                "openssl", "x509", "-req", "-in", request, "-CA", path("\(authority).pem"), "-CAkey",
                path("\(authority).key"), "-CAcreateserial", "-copy_extensions", "copy", "-days", "-1", "-out",
                path("\(name).pem"),
            ],
        ]
        for step in steps {
            let outcome = try runProgram(step)
            try #require(outcome.status == 0, "\(outcome.output)")
        }
    }

    /// `openssl s_client` to a listener, with one request; its output has the answer, or the number of an alert.
    func openssl(_ listener: SocketAddress, _ options: [String]) throws -> String {
        try runProgram(
            ["openssl", "s_client", "-ign_eof", "-connect", "\(listener)", "-CAfile", path("ca.pem")] + options,
            input: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        ).output
    }

    func showing(_ name: String) -> [String] { ["-cert", path("\(name).pem"), "-key", path("\(name).key")] }
}
