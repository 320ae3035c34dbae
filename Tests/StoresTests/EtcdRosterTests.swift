import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@testable import Stores

@Suite("A roster in a real etcd")
struct EtcdRosterTests {
    @Test("What is there is read, and changes are seen as they happen")
    func changes() throws {
        let etcd = try EtcdServer()
        try etcd.list("a", "b")
        try etcd.ctl("put", "/rosters", "beside the prefix")
        let source = try RunningSource(.etcd(etcd.options()))
        let first = try source.wait(forNames: "a", "b")
        #expect(try first.standing.holding?.revision == etcd.revision())
        try etcd.list("c")
        try source.wait(forNames: "a", "b", "c")
        try etcd.unlist("a")
        let last = try source.wait(forNames: "b", "c")
        #expect(last.version == first.version + 2)
        #expect(source.notices.contains { $0.text.contains("listed: c") })
        #expect(source.notices.contains { $0.text.contains("no longer listed: a") })
    }

    @Test("An etcd on IPv6 is read and watched")
    func ipv6() throws {
        let etcd = try EtcdServer(host: "::1", port: freePort(.ipv6(.loopback, port: 0)))
        try etcd.list("a")
        let source = try RunningSource(.etcd(etcd.options()))
        try source.wait(forNames: "a")
        try etcd.list("b")
        try source.wait(forNames: "a", "b")
    }

    @Test("Keys that name nobody are ignored and counted, and so is a name's value")
    func otherKeys() throws {
        let etcd = try EtcdServer()
        try etcd.list("a", "x/y", String(repeating: "n", count: 129), "")
        try etcd.ctl("put", "/roster/b", "whatever")
        let source = try RunningSource(.etcd(etcd.options()))
        try source.wait(forNames: "a", "b")
        #expect(source.notices.contains { $0.level == .warning && $0.text.hasPrefix("3 keys below /roster/ ") })
        // They count among what etcd counts: the watch is not taken for a deaf one
        try etcd.list("z/z")
        try etcd.list("c")
        let update = try source.wait(forNames: "a", "b", "c")
        #expect(update.standing.trouble == nil)
    }

    @Test("An empty prefix is a roster without members, said as a warning")
    func empty() throws {
        let etcd = try EtcdServer()
        let source = try RunningSource(.etcd(etcd.options()))
        let update = try source.wait(for: "a roster") { $0.isKnown }
        #expect(update.names.isEmpty && !update.isStale)
        #expect(source.notices.contains { $0.level == .warning && $0.text.contains("lists 0 members") })
        try etcd.list("a")
        try source.wait(forNames: "a")
    }

    @Test("More keys than one answer holds are read in pages, all of them")
    func pages() throws {
        let etcd = try EtcdServer()
        let names = (0..<(2 * EtcdRoster.page + 10)).map { "member-\($0)" }
        for start in stride(from: 0, to: names.count, by: 100) {
            let puts = names[start..<min(start + 100, names.count)].map { "put /roster/\($0) x" }
            try etcd.transaction(puts)
        }
        let source = try RunningSource(.etcd(etcd.options()))
        let update = try source.wait(for: "all names") { $0.names.count == names.count }
        #expect(update.names == Set(names))
    }

    @Test("While etcd is dead the roster holds and says so; what changed meanwhile is seen when it is back")
    func restart() throws {
        let etcd = try EtcdServer()
        try etcd.list("a", "b")
        let source = try RunningSource(.etcd(etcd.options()))
        let before = try source.wait(forNames: "a", "b")
        etcd.kill()
        let during = try source.wait(forTrouble: "Connection refused")
        #expect(during.names == before.names && during.version == before.version && during.isStale)
        let sentence = during.standing.sentence(at: Kernel.now())
        #expect(
            sentence.contains(/^etcd has given no roster for [\d.]+ m?s: http:.*refused; the roster of revision/))
        #expect(sentence.contains(/confirmed [\d.]+ m?s ago, holds \(2 members\)$/))
        try etcd.start()
        try etcd.list("c")
        try etcd.unlist("a")
        try source.wait(forNames: "b", "c")
        #expect(source.notices.contains { $0.text.hasPrefix("etcd answers again, after ") })
    }

    @Test("Compaction of everything that happened meanwhile loses no change")
    func compaction() throws {
        let etcd = try EtcdServer()
        try etcd.list("a", "b")
        let source = try RunningSource(.etcd(etcd.options()))
        try source.wait(forNames: "a", "b")
        etcd.kill()
        try source.wait(forTrouble: "refused")
        try etcd.start()
        // Stopped, it answers nobody: the source has no chance to follow step by step
        try etcd.list("c", "d")
        try etcd.unlist("a")
        try etcd.ctl("compact", "\(etcd.revision())")
        try source.wait(forNames: "b", "c", "d")
        try etcd.list("e")
        try source.wait(forNames: "b", "c", "d", "e")
    }

    @Test("A stopped etcd, whose sockets still acknowledge, is noticed within 15 s")
    func stopped() throws {
        let etcd = try EtcdServer()
        try etcd.list("a")
        let source = try RunningSource(.etcd(etcd.options()), pace: EtcdPace())
        try source.wait(forNames: "a")
        etcd.signal(SIGSTOP)
        defer { etcd.signal(SIGCONT) }
        let update = try source.wait(for: "trouble", within: .seconds(15)) { $0.standing.trouble != nil }
        #expect(update.names == ["a"])
        etcd.signal(SIGCONT)
        try etcd.list("b")
        try source.wait(forNames: "a", "b")
    }

    @Test("A dead endpoint is passed over without a word of trouble")
    func twoEndpoints() throws {
        let etcd = try EtcdServer()
        try etcd.list("a")
        var options = etcd.options()
        options.endpoints.insert(
            EtcdOptions.Endpoint(isSecure: false, host: LoopbackHosts.fresh(), port: 2379), at: 0)
        let source = try RunningSource(.etcd(options))
        try source.wait(forNames: "a")
        #expect(source.notices.contains { $0.level == .info && $0.text.hasSuffix("trying the next endpoint") })
        #expect(!source.notices.contains { $0.level == .warning || $0.level == .error })
    }

    @Test("Another etcd at the same place, with older revisions, is read anew")
    func anotherStore() throws {
        let etcd = try EtcdServer()
        try etcd.list("a", "b", "c", "d")
        let source = try RunningSource(.etcd(etcd.options()))
        try source.wait(forNames: "a", "b", "c", "d")
        etcd.kill()
        try source.wait(forTrouble: "refused")
        let other = try EtcdServer(host: etcd.host)
        try other.list("a")
        try source.wait(forNames: "a")
    }

    @Test("An etcd that has lost everything unlists nobody and is said, also to a process that has only its kept copy")
    func emptiedStore() throws {
        let directory = try TestDirectory()
        let etcd = try EtcdServer()
        try etcd.list("a", "b")
        let source = try RunningSource(.etcd(etcd.options()), keeping: directory)
        try source.wait(forNames: "a", "b")
        etcd.kill()
        let blank = try EtcdServer(host: etcd.host)
        let update = try source.wait(forTrouble: "there is no key below /roster/; is it another store?")
        #expect(update.names == ["a", "b"] && update.version == 1)
        source.stop()
        let next = try RunningSource(.etcd(blank.options()), keeping: directory)
        #expect(try next.wait(forTrouble: "is it another store?").names == ["a", "b"])
        // One name is somebody's word again
        try blank.list("c")
        try next.wait(forNames: "c")
    }

    @Test("Whoever deletes the last key has unlisted everybody, while etcd is watched and while it is not")
    func lastKeyDeleted() throws {
        let etcd = try EtcdServer()
        try etcd.list("a")
        let directory = try TestDirectory()
        let source = try RunningSource(.etcd(etcd.options()), keeping: directory)
        try source.wait(forNames: "a")
        source.stop()
        try etcd.unlist("a")
        let next = try RunningSource(.etcd(etcd.options()), keeping: directory)
        try next.wait(for: "nobody") { $0.names.isEmpty && !$0.standing.isStale }
        try etcd.list("b")
        try next.wait(forNames: "b")
        try etcd.unlist("b")
        try next.wait(for: "nobody") { $0.names.isEmpty && !$0.standing.isStale }
    }

    @Test("A source ends promptly: while it watches, while it connects in vain, while it waits to try again")
    func stopping() throws {
        let etcd = try EtcdServer()
        try etcd.list("a")
        let watching = try RunningSource(.etcd(etcd.options()))
        try watching.wait(forNames: "a")
        etcd.signal(SIGSTOP)
        let asking = try RunningSource(.etcd(etcd.options()), pace: EtcdPace())
        let refused = try RunningSource(
            .etcd(
                EtcdOptions(
                    endpoints: [.init(isSecure: false, host: LoopbackHosts.fresh(), port: 2379)], prefix: "/")))
        try refused.wait(forTrouble: "refused")
        for source in [watching, asking, refused] {
            let start = Kernel.now()
            source.stop()
            #expect(Kernel.now() - start < .milliseconds(500))
        }
    }
}

@Suite("Users of a real etcd")
struct EtcdAuthenticationTests {
    /// One where only the user `remora` may read below the prefix, and root everything.
    private func guarded() throws -> (EtcdServer, TestDirectory) {
        let (etcd, directory) = (try EtcdServer(), try TestDirectory())
        try etcd.list("a")
        try etcd.ctl("user", "add", "root:secret-of-root")
        try etcd.ctl("user", "grant-role", "root", "root")
        try etcd.ctl("role", "add", "reader")
        try etcd.ctl("role", "grant-permission", "--prefix=true", "reader", "read", "/roster/")
        try etcd.ctl("user", "add", "remora:pass-of-remora")
        try etcd.ctl("user", "grant-role", "remora", "reader")
        try etcd.ctl("auth", "enable")
        etcd.login = ["--user=root:secret-of-root"]
        try directory.write("pass-of-remora\n", as: "password")
        return (etcd, directory)
    }

    @Test("Who names a user and a password reads; nobody's token outlives a restart, and a new one is asked for")
    func password() throws {
        let (etcd, directory) = try guarded()
        var options = etcd.options()
        (options.username, options.passwordFile) = ("remora", directory.path + "/password")
        let source = try RunningSource(.etcd(options))
        try source.wait(forNames: "a")
        try etcd.list("b")
        try source.wait(forNames: "a", "b")
        etcd.kill()
        try source.wait(forTrouble: "refused")
        try etcd.start()
        try etcd.list("c")
        try source.wait(forNames: "a", "b", "c")
    }

    @Test("A change of users makes the token old; a new one is asked for, and the watch goes on")
    func oldToken() throws {
        let (etcd, directory) = try guarded()
        var options = etcd.options()
        (options.username, options.passwordFile) = ("remora", directory.path + "/password")
        let source = try RunningSource(.etcd(options))
        try source.wait(forNames: "a")
        // etcd forgets the tokens of a user whose password is changed
        try directory.write("another-one", as: "password")
        try etcd.setPassword(of: "remora", to: "another-one")
        try etcd.list("b")
        try source.wait(forNames: "a", "b")
        let complaints = source.notices.filter { $0.level == .warning || $0.level == .error }
        #expect(complaints.isEmpty)
    }

    @Test("A wrong password, no user, or no permission is said, and no password with it")
    func refused() throws {
        let (etcd, directory) = try guarded()
        var options = etcd.options()
        let nobody = try RunningSource(.etcd(options))
        try nobody.wait(forTrouble: "user name is empty")
        (options.username, options.passwordFile) = ("remora", try directory.write("wrong-guess", as: "wrong"))
        let wrong = try RunningSource(.etcd(options))
        let update = try wrong.wait(forTrouble: "authentication failed")
        #expect(!update.isKnown && update.names.isEmpty)
        #expect(
            update.standing.sentence(at: Kernel.now()).hasPrefix("no roster is known, so no member is listed; etcd"))
        #expect(!"\(wrong.notices) \(update)".contains("wrong-guess"))
        (options.passwordFile, options.prefix) = (directory.path + "/password", "/elsewhere/")
        try RunningSource(.etcd(options)).wait(forTrouble: "permission denied")
        options.passwordFile = directory.path + "/absent"
        try RunningSource(.etcd(options)).wait(forTrouble: "absent cannot be used: No such file")
    }

    @Test("A user is served before authentication is switched on")
    func notYet() throws {
        let (etcd, directory) = (try EtcdServer(), try TestDirectory())
        try etcd.list("a")
        var options = etcd.options()
        (options.username, options.passwordFile) = ("remora", try directory.write("x", as: "password"))
        try RunningSource(.etcd(options)).wait(forNames: "a")
    }
}

@Suite("A real etcd behind TLS")
struct EtcdTLSTests {
    @Test("With the right authority and a client's certificate it is read and watched")
    func trusted() throws {
        let host = LoopbackHosts.fresh()
        let identity = try Certificates(serverNames: "IP:\(host)")
        let etcd = try EtcdServer(host: host, identity: identity)
        try etcd.list("a")
        var options = etcd.options()
        (options.ca, options.certificate, options.key) = (identity.ca, identity.client, identity.clientKey)
        let source = try RunningSource(.etcd(options))
        try source.wait(forNames: "a")
        try etcd.list("b")
        try source.wait(forNames: "a", "b")
        etcd.kill()
        try source.wait(forTrouble: "refused")
        try etcd.start()
        try etcd.list("c")
        try source.wait(forNames: "a", "b", "c")
    }

    @Test("A strange authority, another host's certificate, and a client without one are refused, each with a reason")
    func refused() throws {
        let host = LoopbackHosts.fresh()
        let identity = try Certificates(serverNames: "DNS:etcd.example,IP:\(LoopbackHosts.fresh())")
        let stranger = try Certificates(serverNames: "IP:\(host)")
        let named = try Certificates(serverNames: "IP:\(host)")
        var options = EtcdOptions(
            endpoints: [.init(isSecure: true, host: host, port: 2379)], prefix: "/roster/", ca: stranger.ca,
            certificate: identity.client, key: identity.clientKey)
        do {
            let etcd = try EtcdServer(host: host, identity: named)
            // No authority of ours
            try RunningSource(.etcd(options)).wait(forTrouble: "its certificate is not accepted: ")
            // Nor is the system's trust store one
            options.ca = nil
            try RunningSource(.etcd(options)).wait(forTrouble: "its certificate is not accepted: ")
            // No certificate to show
            options.ca = named.ca
            (options.certificate, options.key) = (nil, nil)
            try RunningSource(.etcd(options)).wait(forTrouble: "TLS failed: ")
            // A key of another certificate
            (options.certificate, options.key) = (named.client, stranger.clientKey)
            try RunningSource(.etcd(options)).wait(forTrouble: "client.key cannot be used: ")
            // And all is well with the right ones
            options.key = named.clientKey
            try etcd.list("a")
            try RunningSource(.etcd(options)).wait(forNames: "a")
        }
        // A trusted certificate, of another host
        options.ca = identity.ca
        (options.certificate, options.key) = (identity.client, identity.clientKey)
        let other = try EtcdServer(host: host, identity: identity)
        try RunningSource(.etcd(options)).wait(forTrouble: "its certificate is not accepted: IP address mismatch")
        withExtendedLifetime(other) {}
    }

    @Test("A name that resolves is held against the certificate")
    func hostNames() throws {
        let identity = try Certificates(serverNames: "DNS:localhost,IP:127.0.0.1")
        let other = try Certificates(serverNames: "DNS:elsewhere,IP:127.0.0.1")
        for (certificates, part) in [(identity, nil), (other, "hostname mismatch")] as [(Certificates, String?)] {
            let port = try freePort()
            let etcd = try EtcdServer(host: "127.0.0.1", port: port, identity: certificates)
            try etcd.list("a")
            let options = EtcdOptions(
                endpoints: [.init(isSecure: true, host: "localhost", port: port)], prefix: "/roster/",
                ca: certificates.ca, certificate: certificates.client, key: certificates.clientKey)
            let source = try RunningSource(.etcd(options))
            if let part { try source.wait(forTrouble: part) } else { try source.wait(forNames: "a") }
        }
    }
}

/// One of `host` that nobody has.
private func freePort(_ host: SocketAddress = .ipv4(.loopback, port: 0)) throws -> UInt16 {
    let descriptor = try Kernel.bind(host, sharingPort: false)
    defer { Kernel.close(descriptor) }
    return try #require(Kernel.localAddress(of: descriptor)?.port)
}
