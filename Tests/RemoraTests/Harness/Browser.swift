// A page in a real headless Chromium, told what to do over its DevTools protocol.
//
// The protocol goes through two pipes, 3 and 4 in the browser, so that there is no port to find and the browser ends with
// the test, however that ends. Messages are JSON with a zero byte behind each. Not taken: a driver in another language, for
// a test says in one place what it does to a remora and what the page then shows.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

final class Browser {
    private static let program = "/usr/bin/chromium"

    private let process = Process()
    private let (into, out) = (Pipe(), Pipe())
    private let hasEnded = DispatchSemaphore(value: 0)
    private let directory: TestDirectory
    private var unread: [UInt8] = []
    private var calls = 0
    private var session: String?
    /// What went wrong in the page so far: exceptions, errors and warnings on its console, breaches of its policy, answers
    /// that were no success.
    private(set) var complaints: [String] = []

    /// Starts a browser with one empty page, hands it to `body`, and sees to its end.
    static func with<Result>(_ body: (Browser) throws -> Result) throws -> Result {
        let browser = try Browser()
        defer { browser.end() }
        try browser.attach()
        return try body(browser)
    }

    private init() throws {
        try #require(
            FileManager.default.isExecutableFile(atPath: Self.program),
            "no \(Self.program) on this machine; install the package chromium")
        directory = try TestDirectory()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments =
            ["-c", #"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&2"#, Self.program]
            + [
                "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage",
                "--disable-background-networking", "--no-first-run", "--user-data-dir=\(directory.path)",
            ]
            // Its sandbox refuses to be root's.
            + (getuid() == 0 ? ["--no-sandbox"] : []) + ["about:blank"]
        (process.standardInput, process.standardOutput) = (into, out)
        process.standardError = FileHandle.nullDevice
        process.terminationHandler = { [hasEnded] _ in hasEnded.signal() }
        try process.run()
    }

    private func attach() throws {
        let targets = try call("Target.getTargets")["targetInfos"] as? [[String: Any]] ?? []
        let page = try #require(targets.first { $0["type"] as? String == "page" }?["targetId"], "no page: \(targets)")
        session = try call("Target.attachToTarget", ["targetId": page, "flatten": true])["sessionId"] as? String
        try #require(session != nil)
        for domain in ["Page", "Runtime", "Log"] { try call("\(domain).enable") }
    }

    private func end() {
        _ = try? call("Browser.close")
        if hasEnded.wait(timeout: .now() + .seconds(5)) == .success { return }
        kill(process.processIdentifier, SIGKILL)
        hasEnded.wait()
    }

    // MARK: What a reader does

    func open(_ url: String) throws { try call("Page.navigate", ["url": url]) }

    /// The page's width and height, in its own pixels.
    func resize(width: Int, height: Int) throws {
        try call(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
    }

    /// - Parameter key: by its name in the DOM.
    func press(_ key: String) throws {
        var down = ["type": "keyDown", "key": key]
        // What the key writes: without it, Enter sends no form.
        if key.count == 1 { down["text"] = key } else if key == "Enter" { down["text"] = "\r" }
        try call("Input.dispatchKeyEvent", down)
        try call("Input.dispatchKeyEvent", ["type": "keyUp", "key": key])
    }

    /// Writes into whatever has the focus.
    func type(_ text: String) throws { try call("Input.insertText", ["text": text]) }

    // MARK: What a reader sees

    /// What an expression is in the page, as text. One that fails is a complaint, and nothing.
    @discardableResult
    func value(of expression: String) throws -> String {
        let answer = try call("Runtime.evaluate", ["expression": "String(\(expression))", "returnByValue": true])
        if let details = answer["exceptionDetails"] { complaints.append("\(expression): \(details)") }
        return (answer["result"] as? [String: Any])?["value"] as? String ?? ""
    }

    /// Waits until an expression is `wanted`, as text.
    func wait(for expression: String, toBe wanted: String) throws {
        // A page that is not there yet has no elements, which is no complaint.
        let guarded = "(() => { try { return \(expression) } catch (fault) { return fault } })()"
        try Wait.until(try value(of: guarded), is: wanted)
    }

    // MARK: The protocol

    /// Calls a method and waits for its result; events that come before it are heard.
    @discardableResult
    private func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        calls += 1
        var message: [String: Any] = ["id": calls, "method": method, "params": parameters]
        message["sessionId"] = session
        try into.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: message) + [0])
        while true {
            let answer = try nextMessage()
            guard answer["id"] as? Int == calls else {
                hear(answer)
                continue
            }
            if let error = answer["error"] { throw Refused(description: "\(method): \(error)") }
            return answer["result"] as? [String: Any] ?? [:]
        }
    }

    private struct Refused: Error, CustomStringConvertible {
        var description: String
    }

    private func hear(_ event: [String: Any]) {
        let parameters = event["params"] as? [String: Any] ?? [:]
        switch event["method"] as? String {
        case "Runtime.exceptionThrown":
            complaints.append("exception: \(parameters)")
        case "Runtime.consoleAPICalled":
            complaints.append("console: \(parameters)")
        case "Log.entryAdded":
            let entry = parameters["entry"] as? [String: Any] ?? [:]
            complaints.append("\(entry["source"] ?? ""): \(entry["text"] ?? "")")
        default:
            break
        }
    }

    private func nextMessage() throws -> [String: Any] {
        let descriptor = out.fileHandleForReading.fileDescriptor
        var searched = 0
        while true {
            if let end = unread[searched...].firstIndex(of: 0) {
                defer { unread.removeSubrange(...end) }
                return try JSONSerialization.jsonObject(with: Data(unread[..<end])) as? [String: Any] ?? [:]
            }
            searched = unread.count
            guard Wait.until(descriptor, isReady: .toRead, deadline: Kernel.now() + patience) else {
                throw TooLate(description: "the browser says nothing")
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw TooLate(description: "the browser has ended") }
            unread += buffer.prefix(count)
        }
    }
}
