// `remora support`: all that somebody else needs to see, in one file.
//
// One JSON object, not an archive: it can be read where it lands, searched, and cut down by whoever sends it. What the
// admin port does not answer is named in it with the reason, and keeps nothing else out.

import Admin
import ArgumentParser
import Foundation
import Glibc
import Stats
import TLS
import Vocabulary

struct SupportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support",
        abstract: "Write what a running remora says of itself into one JSON file, to be sent to who helps.",
        discussion: """
            Config without its secrets, figures, members, recent events, versions, limits of the process (in /stats). \
            Names and addresses of your machines are in it. The file is made anew and readable by you alone; a FIFO or a \
            device is written to as it is.
            """)

    @Argument(help: ArgumentHelp("The file to write; - is stdout.", valueName: "FILE"))
    var file: String

    @OptionGroup var admin: AdminOptions

    /// What is asked of the admin port. Answers that are no JSON are kept as text.
    private static let paths = [
        "/stats", "/explain", "/members", "/config", "/events?recent", "/metrics", "/ready", "/live",
    ]
    private static let patience = Duration.seconds(10)

    func run() async throws {
        let client = try admin.client()
        // A remora that does not answer at all is not worth a file.
        _ = try await admin.get("/stats")
        var answers: [String: Any] = [:]
        var missing: [String: String] = [:]
        for path in Self.paths {
            do throws(AdminClient.Failure) {
                let reply = try await client.get(path, timeout: Self.patience)
                // Not ready is an answer as well.
                if reply.status == 200 || path == "/ready" || path == "/live" {
                    answers[path] = Self.value(of: reply.body)
                } else {
                    missing[path] = reply.refusal(from: admin.admin, tokenFile: admin.tokenFile)
                }
            } catch {
                missing[path] = error.description
            }
        }
        let bundle: [String: Any] = [
            "collected": Date.now.formatted(.iso8601), "command": Version.current, "openssl": OpenSSL.version,
            "system": Self.system, "answers": answers, "missing": missing,
        ]
        let text = try JSONSerialization.data(
            withJSONObject: bundle, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        try write(Array(text) + [UInt8(ascii: "\n")])
    }

    private func write(_ bytes: [UInt8]) throws {
        guard file != "-" else { return StandardStreams.output(bytes) }
        try OutputFile.writePrivately(bytes, to: file)
        StandardStreams.complain("wrote \(file), \(HumanUnits.bytes(UInt64(bytes.count)))")
    }

    private static func value(of body: [UInt8]) -> Any {
        (try? JSONSerialization.jsonObject(with: Data(body))) ?? String(decoding: body, as: UTF8.self)
    }

    /// Of the machine that the command runs on, which is the remora's unless its admin port is elsewhere.
    private static var system: String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "unknown" }
        func text<Field>(_ field: Field) -> String {
            unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return "\(text(names.sysname)) \(text(names.release)) \(text(names.machine))"
    }
}
