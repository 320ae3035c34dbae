import Foundation
import TLS
import Testing
import Vocabulary

@Suite("Certificates in files")
struct CertificateStoreTests {
    let certificates: Certificates
    let directory: URL

    init() throws {
        certificates = try Certificates.shared.get()
        directory = certificates.directory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { directory.appending(path: name).path }

    /// Puts a file of the shared ones into this test's directory, by a rename as a careful operator does.
    private func put(_ file: String, as name: String) throws {
        let fresh = path(name + ".new")
        try? FileManager.default.removeItem(atPath: fresh)
        try FileManager.default.copyItem(atPath: certificates.path(file), toPath: fresh)
        #expect(unsafe rename(fresh, path(name)) == 0)
    }

    // MARK: Reading

    @Test("A pair tells its names and when it ends, and nothing of its key")
    func reading() throws {
        let pair = try certificates.pair("server")
        #expect(pair.hostNames == ["a.edge", "*.ingest.edge"])
        #expect(pair.names == [.dns("a.edge"), .dns("*.ingest.edge"), .address("127.0.0.1")])
        let left = pair.expiry - Int64(Date().timeIntervalSince1970)
        #expect((29 * 86400...31 * 86400).contains(left))
        #expect(try certificates.pair("nameless").hostNames == ["nameless.test"])
        #expect("\(pair)" == "certificate \(certificates.path("server.pem")) (key not shown)")
        var dumped = ""
        dump(pair, to: &dumped)
        #expect(!dumped.contains("Opaque"))
    }

    @Test("A key may stand in the certificate's file")
    func together() throws {
        let both =
            try String(contentsOfFile: certificates.path("server.pem"), encoding: .utf8)
            + String(contentsOfFile: certificates.path("server.key"), encoding: .utf8)
        try both.write(toFile: path("both.pem"), atomically: true, encoding: .utf8)
        #expect(try CertificatePair(certificate: path("both.pem")).hostNames == ["a.edge", "*.ingest.edge"])
    }

    @Test("What is wrong with files is said with the file and the remedy")
    func faults() throws {
        func fault(_ certificate: String, _ key: String?) -> String {
            do {
                _ = try CertificatePair(certificate: certificate, key: key)
                return "none"
            } catch {
                return "\(error)"
            }
        }
        let (server, key) = (certificates.path("server.pem"), certificates.path("server.key"))
        #expect(fault(path("none.pem"), nil) == "cannot read \(path("none.pem")): No such file or directory")
        #expect(fault(directory.path, nil) == "cannot read \(directory.path): Is a directory")
        #expect(fault(server, certificates.path("second.key")).hasSuffix("is not that of the certificate in \(server)"))
        #expect(fault(key, key).hasPrefix("\(key) holds no certificate"))
        #expect(fault(server, server).hasPrefix("\(server) holds no private key"))
        #expect(fault(server, nil).hasPrefix("\(server) holds no private key"))
        let encrypted = certificates.path("encrypted.key")
        #expect(fault(server, encrypted).contains("openssl pkey -in \(encrypted)"))
        try Data("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8).write(
            to: directory.appending(path: "bad.pem"))
        #expect(fault(path("bad.pem"), key).hasPrefix("\(path("bad.pem")) is damaged: "))
        try Data("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".utf8).write(
            to: directory.appending(path: "bad.key"))
        #expect(fault(server, path("bad.key")) != "none")
        #expect(fault("/dev/zero", nil).hasPrefix("/dev/zero is longer than 1 MiB"))
        #expect(throws: CertificateFault.noCertificate(path: key)) { try TrustAnchors(file: key) }
    }

    // MARK: Watching

    @Test("Files are read once all of a group have come to rest, and again only when they change")
    func settling() {
        func mark(_ number: Int64) -> FileMark {
            FileMark(device: 1, inode: 2, size: 3, modified: number, changed: number)
        }
        func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
        var watch = FileWatch(read: [mark(1), mark(1)])
        #expect(watch.look([mark(1), mark(1)], at: at(0)) == .unchanged)
        // The certificate changes, then the key.
        #expect(watch.look([mark(2), mark(1)], at: at(1000)) == .wait(until: at(1500)))
        #expect(watch.look([mark(2), mark(2)], at: at(1400)) == .wait(until: at(1900)))
        #expect(watch.look([mark(2), mark(2)], at: at(1600)) == .wait(until: at(1900)))
        #expect(watch.look([mark(2), mark(2)], at: at(1900)) == .read)
        watch.didRead([mark(2), mark(2)])
        #expect(watch.look([mark(2), mark(2)], at: at(2900)) == .unchanged)
        // A file that goes away is a change, and one that comes back as it was is none.
        #expect(watch.look([nil, mark(2)], at: at(3000)) == .wait(until: at(3500)))
        #expect(watch.look([mark(2), mark(2)], at: at(3400)) == .unchanged)
        #expect(watch.look([nil, mark(2)], at: at(3600)) == .wait(until: at(4100)))
    }

    /// Looks until the files have come to rest.
    private func events(_ store: inout CertificateStore, _ now: inout Instant) -> [CertificateStore.Event] {
        var events: [CertificateStore.Event] = []
        for _ in 0..<4 {
            let (new, next) = store.look(at: now, wallClock: Int64(Date().timeIntervalSince1970))
            events += new
            now = next
        }
        return events
    }

    @Test("A good pair replaces the old one, a bad one does not")
    func replacing() throws {
        try put("server.pem", as: "c.pem")
        try put("server.key", as: "k.pem")
        let source = CertificateSource.pair(certificate: path("c.pem"), key: path("k.pem"))
        var store = CertificateStore()
        guard case .pair(let first) = try store.add(source) else { preconditionFailure() }
        #expect(first.hostNames == ["a.edge", "*.ingest.edge"])
        var now = Instant(nanoseconds: 0)
        #expect(events(&store, &now).isEmpty)
        // Given a certificate whose key has not come
        try put("second.pem", as: "c.pem")
        let refused = events(&store, &now)
        guard case .refused(source, .mismatch(path("c.pem"), path("k.pem"))) = refused.first, refused.count == 1 else {
            Issue.record("\(refused)")
            return
        }
        guard case .pair(let kept) = store.materials[0].material else { preconditionFailure() }
        #expect(kept === first)
        // When it comes
        try put("second.key", as: "k.pem")
        guard case .replaced(source, .pair(let second)) = events(&store, &now).first else {
            Issue.record("not replaced")
            return
        }
        #expect(second.hostNames == ["b.edge"])
        // Then files that vanish change nothing either.
        try FileManager.default.removeItem(atPath: path("c.pem"))
        guard case .refused(source, .unreadable) = events(&store, &now).first else {
            Issue.record("not refused")
            return
        }
        #expect(events(&store, &now).isEmpty)
    }

    @Test("A directory behind a link that is swapped, as Kubernetes does it, is seen")
    func swappedLink() throws {
        for (version, name) in [("v1", "server"), ("v2", "second")] {
            try FileManager.default.createDirectory(atPath: path(version), withIntermediateDirectories: true)
            try put("\(name).pem", as: "\(version)/tls.crt")
            try put("\(name).key", as: "\(version)/tls.key")
        }
        #expect(unsafe symlink("v1", path("..data")) == 0)
        #expect(unsafe symlink("..data/tls.crt", path("tls.crt")) == 0)
        #expect(unsafe symlink("..data/tls.key", path("tls.key")) == 0)
        let source = CertificateSource.pair(certificate: path("tls.crt"), key: path("tls.key"))
        var store = CertificateStore()
        _ = try store.add(source)
        var now = Instant(nanoseconds: 0)
        #expect(events(&store, &now).isEmpty)
        #expect(unsafe symlink("v2", path("..data_tmp")) == 0)
        #expect(unsafe rename(path("..data_tmp"), path("..data")) == 0)
        guard case .replaced(source, .pair(let pair)) = events(&store, &now).first else {
            Issue.record("not replaced")
            return
        }
        #expect(pair.hostNames == ["b.edge"])
    }

    @Test("An end that is near is told once a day, and one that is past as well")
    func expiring() throws {
        let source = CertificateSource.pair(
            certificate: certificates.path("server.pem"), key: certificates.path("server.key"))
        var store = CertificateStore()
        let expiry = try store.add(source).expiry
        func warnings(_ clock: Int64) -> [Int64] {
            store.look(at: Instant(nanoseconds: 0), wallClock: clock).events.compactMap {
                if case .expiring(source, let seconds) = $0 { seconds } else { nil }
            }
        }
        let day: Int64 = 86400
        #expect(warnings(expiry - 15 * day).isEmpty)
        #expect(warnings(expiry - 13 * day) == [13 * day])
        #expect(warnings(expiry - 13 * day + 3600).isEmpty)
        #expect(warnings(expiry - 12 * day) == [12 * day])
        #expect(warnings(expiry + day) == [-day])
    }

    @Test("A session of a client whose authority is no longer believed does not resume")
    func revokedByRemoval() throws {
        let tickets = try TicketKeys(at: Instant(nanoseconds: 0))
        let (client, sessions) = (try certificates.client(certificate: "client"), SessionStore())
        let before = try certificates.server(clients: .required(certificates.authorities()), tickets: tickets)
        let after = try certificates.server(clients: .required(certificates.authorities("other-ca")), tickets: tickets)
        let first = try Conversation(client, before, sessions: sessions, wires: (Wire(), Wire()))
        try first.finish()
        #expect(sessions.count == 1)
        let second = try Conversation(client, after, sessions: sessions, wires: (Wire(), Wire()))
        try run(second.parties) { second.server.end != .open }
        #expect(second.server.handle.alertSent == .unknownCA)
    }
}
