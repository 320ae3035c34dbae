// The dashboard of real remoras in a real browser: what a reader sees, and that it changes while the page stays.

import Foundation
import Glibc
import Testing
import Vocabulary

@Suite("The dashboard", .serialized)
struct DashboardTests {
    /// The state of an upstream's first endpoint, as the page shows it.
    private static let endpointState = "document.querySelector('#upstreams tbody td').textContent"

    @Test("An endpoint's end shows without a reload, in the table and among the events")
    func endpointDies() throws {
        let instance = try Instance("only")
        defer { instance.end() }
        try withRemora(TestConfig(endpoints: [instance.address])) { remora in
            let ready = try remora.ready()
            try Browser.with { page in
                // Given a page that shows a fit endpoint, and whose script has been here all along
                try page.open("http://\(ready.admin)/")
                try page.wait(for: Self.endpointState, toBe: "fit")
                #expect(try page.value(of: "byId('ready').textContent") == "ready")
                #expect(try page.value(of: "document.querySelector('#listeners tbody').innerText").contains("in"))
                #expect(try page.value(of: "byId('events').children.length") == "0")
                try page.wait(for: "byId('link').textContent", toBe: "live")
                // That nothing is shown does not say that nothing happened before what is kept.
                let quiet = try page.value(
                    of: "(state.covers = 30, drawEvents(), state.covers = 600, byId('covers').textContent)")
                #expect(quiet == "Nothing changed. Of more than 30.0 s ago some are missing: too much happened.")
                try page.value(of: "window.witness = 'here'")
                // When its instance goes, and a client finds out
                instance.end()
                #expect(request(through: ready.listener) == nil)
                // Then the page says so
                try page.wait(for: Self.endpointState, toBe: "ejected")
                let event = "upstream out: \(instance.address) is ejected"
                try page.wait(for: "byId('events').innerText.includes('\(event)')", toBe: "true")
                // No event tells of numbers; they are asked for again and again.
                let failures = "document.querySelectorAll('#upstreams tbody td')[10].textContent"
                try page.wait(for: "\(failures) !== '0'", toBe: "true")
                #expect(try page.value(of: "window.witness") == "here")
                #expect(page.complaints == [])
            }
        }
    }

    @Test("What the access log has and what it lost stand below the listeners, and go with it")
    func accessLog() throws {
        let instance = try Instance("only")
        defer { instance.end() }
        let directory = try TestDirectory()
        let plain = TestConfig(endpoints: [instance.address]).text
        let file = try directory.write("\(plain)access_log: {path: \(directory.path)/fifo}\n")
        // Nobody reads it yet.
        try #require(unsafe mkfifo("\(directory.path)/fifo", 0o600) == 0)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            try Browser.with { page in
                try page.open("http://\(ready.admin)/")
                let (line, name) = ("byId('access-log')", "Access log \(directory.path)/fifo: ")
                try page.wait(for: "\(line).textContent", toBe: "\(name)0 lines written, 0 dropped.")
                #expect(try page.value(of: "\(line).className") == "muted")
                // When more comes than a pipe holds
                for _ in 0..<400 { _ = request(through: ready.listener) }
                try page.wait(
                    for: "\(line).textContent.endsWith(' dropped; it takes none now: nobody reads it')", toBe: "true")
                try page.wait(
                    for: "/ [1-9][0-9]* lines written, [1-9][0-9]* dropped/.test(\(line).textContent)", toBe: "true")
                #expect(try page.value(of: "\(line).className") == "bad")
                // When there is none any more
                _ = try directory.write(plain)
                #expect(try RemoraProcess.outcome(of: ["reload", "--admin", "\(ready.admin)"]).ending == .exit(0))
                try page.wait(for: "\(line).hidden", toBe: "true")
                #expect(page.complaints == [])
            }
        }
    }

    @Test("A member's death shows without a reload; a page opened later, and small, shows that it happened")
    func memberDies() throws {
        let hosts = (0..<2).map { LoopbackHosts.host(220 + $0) }
        var first = FleetConfig(name: "a", bind: "\(hosts[0]):7946")
        first.node = ", tags: {note: '<b id=bait>bait</b>'}"
        try withMember(first) { _, admin in
            try Browser.with { page in
                let state = "document.querySelector('.tile[data-name=b]').dataset.state"
                let join = ["\(hosts[0]):7946"]
                try withMember(FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: join)) { b, _ in
                    try page.open("http://\(admin)/")
                    try page.wait(for: state, toBe: "alive")
                    try page.wait(for: "byId('link').textContent", toBe: "live")
                    let agreed = "All 2 remoras have our view of the fleet; all have our upstreams in their configs."
                    try page.wait(for: "byId('agreement').textContent", toBe: agreed)
                    try page.value(of: "window.witness = 'here'")
                    b.signal(SIGKILL)
                    try page.wait(for: state, toBe: "dead")
                    #expect(try page.value(of: "window.witness") == "here")
                }
                // Keys alone lead to who says so.
                try page.press("/")
                try page.type("dead")
                try page.wait(for: "document.querySelectorAll('.tile.dim').length", toBe: "1")
                try page.press("Escape")
                try page.wait(for: "document.querySelectorAll('.tile.dim').length", toBe: "0")
                try page.value(of: "document.querySelector('.tile').focus()")
                try page.press("ArrowRight")
                #expect(try page.value(of: "document.activeElement.getAttribute('aria-label')").hasPrefix("b, dead"))
                try page.value(of: "document.activeElement.click()")
                try page.wait(for: "byId('member').innerText.includes('dead for')", toBe: "true")
                // What others write is text.
                try page.press("Home")
                try page.value(of: "document.activeElement.click()")
                try page.wait(for: "byId('member').innerText.includes('note=<b id=bait>bait</b>')", toBe: "true")
                #expect(try page.value(of: "byId('bait')") == "null")
                // A telephone's page knows what was before it.
                try page.resize(width: 400, height: 800)
                try page.open("http://\(admin)/?again")
                try page.wait(for: "window.witness", toBe: "undefined")
                try page.wait(for: "byId('events').innerText.includes('member b is dead')", toBe: "true")
                let root = "document.documentElement"
                #expect(try page.value(of: "\(root).scrollWidth <= \(root).clientWidth") == "true")
                #expect(page.complaints == [])
            }
        }
    }

    @Test("Where a token is asked for, the page shows nothing before it has the right one, and keeps it in its tab")
    func token() throws {
        let directory = try TestDirectory()
        let tokenFile = try directory.write("correct-horse-battery\n", as: "token")
        let config = TestConfig(endpoints: [.ipv4(.loopback, port: 1)]).text
            .replacing("\"}\nshutdown", with: "\", token_file: \(tokenFile)}\nshutdown")
        try RemoraProcess.with(["run", "--config", try directory.write(config), "--threads", "1"]) { remora in
            let admin = try remora.ready().admin
            try Browser.with { page in
                try page.open("http://\(admin)/")
                try page.wait(for: "byId('ready').textContent", toBe: "locked")
                #expect(try page.value(of: "byId('content').hidden") == "true")
                #expect(try page.value(of: "document.activeElement.id") == "token")
                // The wrong one
                try page.type("correct-horse")
                try page.press("Enter")
                try page.wait(for: "byId('refused').textContent", toBe: "That is not the token.")
                #expect(try page.value(of: "byId('content').hidden") == "true")
                #expect(try page.value(of: "sessionStorage.length") == "0")
                // The right one, and again after a reload
                try page.value(of: "byId('token').value = ''")
                try page.type("correct-horse-battery")
                try page.press("Enter")
                try page.wait(for: "byId('ready').textContent", toBe: "ready")
                try page.open("http://\(admin)/?again")
                try page.wait(for: "byId('ready').textContent + location.search", toBe: "ready?again")
                #expect(try page.value(of: "byId('gate').hidden") == "true")
                // What it complains of are the answers that it asked for.
                #expect(!page.complaints.isEmpty)
                #expect(page.complaints.allSatisfy { $0.hasPrefix("network: ") && $0.contains("401") })
            }
        }
    }
}
