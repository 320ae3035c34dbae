// Handshakes that break off, at any byte and of either side: by an end, by a reset, or by silence.
//
// The peer is a program of Python's, whose handshakes go through memory: so it knows each flight before it sends it, and
// gives the socket as many bytes of them as it likes. It speaks TLS 1.2 and 1.3, with a certificate on either side.

import Foundation
@testable import Proxy
import Reactor
import Stats
import TLS
import Testing
import Vocabulary

/// How a peer leaves its handshake.
private enum Leaving: String, CaseIterable, Sendable {
    case end, reset, silence
}

private enum Peers {
    static let versions = ["TLSv1_2", "TLSv1_3"]

    /// What the programs have in common: contexts, the number of bytes that each side has to say, and how to go.
    private static let prelude = """
        import socket, ssl, struct, sys
        home, version, how, step = sys.argv[1:5]

        def make(protocol, name):
            context = ssl.SSLContext(protocol)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
            context.load_cert_chain(home + name + ".pem", home + name + ".key")
            context.load_verify_locations(home + "ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            return context

        client, server = make(ssl.PROTOCOL_TLS_CLIENT, "client"), make(ssl.PROTOCOL_TLS_SERVER, "server")

        class Side:
            def __init__(self, context, **options):
                self.incoming, self.outgoing, self.done = ssl.MemoryBIO(), ssl.MemoryBIO(), False
                self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)
            # Takes what the other side has said, and answers what is said to it.
            def step(self, heard=b""):
                self.incoming.write(heard)
                try:
                    self.tls.do_handshake()
                    self.done = True
                except ssl.SSLWantReadError: pass
                return self.outgoing.read()

        # Bytes that `who` says before the other is through.
        def length(who):
            sides = [Side(client, server_hostname="a.edge"), Side(server, server_side=True)]
            said, heard, turn = [0, 0], b"", 0
            while not sides[1 - who].done:
                heard = sides[turn].step(heard)
                said[turn] += len(heard)
                turn = 1 - turn
            return said[who]

        # Where to break off. Signatures differ in length by a few bytes, so not in the last of them; nor, of a client of 1.3, in
        # 16 more: its Finished is as long as the suite's hash (RFC 8446 §4.4.4), which is SHA-256 with remora and may be
        # SHA-384 in memory. A reset before the first byte may be found before there is a handshake.
        def places(who):
            spared = 24 if who == 0 and version == "TLSv1_3" else 8
            return list(range(int(step) if how == "reset" else 0, length(who) - spared, int(step)))

        kept = []
        def leave(plain):
            if how == "silence": return kept.append(plain)
            if how == "reset": plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                plain.shutdown(socket.SHUT_WR)
                try:
                    while plain.recv(65536): pass
                except OSError: pass
            plain.close()

        def talk(plain, side, limit, heard=b""):
            plain.settimeout(20)
            while True:
                piece = side.step(heard)[:limit]
                plain.sendall(piece)
                limit -= len(piece)
                if limit == 0: break
                heard = plain.recv(65536)
                if not heard: raise OSError("the other side has gone")
            leave(plain)

        """

    /// Breaks off once at each place.
    static let clients =
        prelude + """
            places = places(0)
            print("places", len(places), flush=True)
            for place in places:
                talk(socket.create_connection(("127.0.0.1", int(sys.argv[5]))), Side(client, server_hostname="a.edge"), place)
            for plain in kept:
                try: assert plain.recv(65536)[:1] in (b"", b"\\x16")
                except ConnectionResetError: pass
            print("over", flush=True)
            """

    /// Breaks off at the next place for each connection.
    static let endpoints =
        prelude + """
            listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
            places = places(1)
            print("port", listening.getsockname()[1], len(places), flush=True)
            for place in places:
                plain, _ = listening.accept()
                plain.settimeout(20)
                talk(plain, Side(server, server_side=True), place, plain.recv(65536) if place else b"")
            sys.stdin.readline()
            """

    static func start(_ script: String, _ version: String, _ leaving: Leaving, step: Int, port: UInt16? = nil) throws
        -> Program
    {
        try Program(
            ["python3", "-c", script, "\(Certificates.path(""))/", version, leaving.rawValue, "\(step)"]
                + (port.map { ["\($0)"] } ?? []))
    }
}

extension DataPlaneBehaviour {
    @Suite("Handshakes that break off")
    struct HandshakeCutTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates.shared.get() }

        @Test(
            "A client that breaks off at any byte leaves nothing behind, and is counted and told of",
            arguments: Peers.versions, Leaving.allCases)
        fileprivate func clients(version: String, leaving: Leaving) throws {
            let (endpoint, mostUnderWay) = (try ManualEndpoint(), 50)
            let context = try certificates.server(clients: .required(try certificates.authorities()))
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.tls = .sidecar(front: context)
                $0.limits.handshakeTimeout = leaving == .silence ? .seconds(1) : .seconds(20)
                $0.limits.handshakesUnderWay = mostUnderWay
            }
            let port = try #require(remora.address.port)
            let before = descriptors(touching: port)
            let program = try Peers.start(
                Peers.clients, version, leaving, step: leaving == .silence ? 41 : 13, port: port)
            let line = try program.line(with: "places")
            let count = try #require(line.split(separator: " ").last.flatMap { Int($0) })
            #expect(count > 20)
            // Then each was one that failed; who said nothing and ended has only looked.
            let failed = leaving == .end ? count - 1 : count
            let told = remora.notices(failed, .handshakeRefused)
            #expect(told.count == failed)
            for notice in told {
                switch leaving {
                case .end: #expect(notice.fault == .cutOff)
                case .reset: #expect(notice.fault == .system(code: ECONNRESET))
                case .silence: #expect(notice.fault == nil)
                }
            }
            _ = try program.line(with: "over")
            #expect(remora.settles())
            let counts = remora.plane.handshakes(ofListener: 0)
            #expect(counts == HandshakesReport(completedTotal: 0, resumedTotal: 0, failedTotal: UInt64(failed)))
            #expect(eventually { descriptors(touching: port) == before })
            #expect(!endpoint.hasCaller)
            // And none of them takes a place: as many as may be under way are, if there is time for it, and all go on
            let client = try certificates.client(certificate: "client")
            let talkers = try (0..<(leaving == .silence ? 5 : mostUnderWay)).map { _ in
                Talker(try remora.connect(), as: client)
            }
            for talker in talkers { _ = talker.pipe?.begin() }
            for talker in talkers {
                try talker.shakeHands().send("x")
                #expect(try endpoint.accept().receiveText(exactly: 1) == "x")
            }
        }

        @Test(
            "An endpoint that breaks off at any byte aborts its client, leaves nothing behind, and counts as failing",
            arguments: Peers.versions, Leaving.allCases)
        fileprivate func endpoints(version: String, leaving: Leaving) throws {
            let program = try Peers.start(Peers.endpoints, version, leaving, step: leaving == .silence ? 41 : 13)
            let words = try program.line(with: "port").split(separator: " ")
            let (port, count) = (try #require(UInt16(words[1])), try #require(Int(words[2])))
            #expect(count > 20)
            let context = try certificates.client(certificate: "client")
            let remora = try Sidecar(to: [.ipv4(.loopback, port: port)]) {
                $0.tls = .sidecar(back: context)
                $0.upstream.connectTimeout = leaving == .silence ? .seconds(1) : .seconds(20)
            }
            let clients = try (0..<count).map { _ in try remora.connect() }
            for client in clients { #expect(client.awaitEnd() == .reset) }
            let told = remora.notices(count, .handshakeFailed)
            #expect(told.count == count)
            for notice in told {
                #expect(notice.observation?.kind == (leaving == .silence ? .timedOut : .reset))
                switch leaving {
                case .end: #expect(notice.fault == .cutOff)
                case .reset: #expect(notice.fault == .system(code: ECONNRESET))
                case .silence: #expect(notice.fault == nil)
                }
            }
            #expect(remora.settles())
            #expect(remora.endpoints[0].failuresTotal == UInt64(count))
            #expect(
                remora.plane.handshakes(ofUpstream: 0)
                    == HandshakesReport(completedTotal: 0, resumedTotal: 0, failedTotal: UInt64(count)))
            // Python's own sockets are in its process: these would all be ours.
            #expect(eventually { descriptors(touching: port).isEmpty })
        }

        @Test("A handshake comes to its end in segments of one byte, and of any other size", arguments: [1, 2, 5, 100])
        func segments(size: Int) throws {
            let service = try Service.echo()
            let context = try certificates.server()
            let remora = try Sidecar(to: [service.address]) { $0.tls = .sidecar(front: context) }
            let through = try Crumbling(to: remora.address, by: size)
            let client = try Talker(through.wire, as: certificates.client()).shakeHands()
            try client.send("question")
            #expect(client.receiveText(exactly: 8) == "question")
            try client.endStream()
            #expect(client.receiveToEnd() == [])
            #expect(client.ending == .end)
            #expect(remora.settles())
        }
    }
}

/// A connection whose bytes come to the other side in pieces, each in a segment of its own.
private final class Crumbling {
    let wire: Wire
    private let carriers: [Background<Void>]

    init(to address: SocketAddress, by size: Int) throws {
        var ends: [Int32] = [-1, -1]
        try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let (near, far, outer) = (Wire(descriptor: ends[0]), Wire(descriptor: ends[1]), try Wire.connect(to: address))
        Kernel.disableNagle(outer.descriptor)
        wire = near
        carriers = [
            Background {
                while case let bytes = try far.receive(atMost: size), !bytes.isEmpty { try outer.send(bytes) }
                try outer.endStream()
            },
            Background {
                while case let bytes = try outer.receive(), !bytes.isEmpty { try far.send(bytes) }
                try far.endStream()
            },
        ]
    }

    deinit {
        wire.close()
        for carrier in carriers { try? carrier.value() }
    }
}
