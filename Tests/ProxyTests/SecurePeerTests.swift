// Programs of others at either end of a sidecar that speaks TLS.

import Foundation
@testable import Proxy
import Stats
import TLS
import Testing
import Vocabulary

extension DataPlaneBehaviour {
    @Suite("Others' TLS through a sidecar")
    struct SecurePeerTests {
        private let certificates: Certificates

        init() throws { certificates = try Certificates.shared.get() }

        /// A sidecar that terminates, before a service that answers once and ends.
        private func terminating() throws -> (Sidecar, Service, port: UInt16) {
            let service = try Service { wire in
                guard try wire.receiveText(exactly: 5) == "ping\n" else { return }
                try wire.send("pong\n")
                try wire.endStream()
                _ = wire.awaitEnd()
            }
            let context = try certificates.server()
            let remora = try Sidecar(to: [service.address]) { $0.tls = .sidecar(front: context) }
            return (remora, service, try #require(remora.address.port))
        }

        @Test("s_client gets its answer and a clean end", arguments: ["-tls1_2", "-tls1_3"])
        func opensslClient(version: String) throws {
            let (remora, service, port) = try terminating()
            let program = try Program(
                [
                    "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "a.edge", "-CAfile",
                    Certificates.path("ca.pem"), "-verify_return_error", "-verify_hostname", "a.edge", "-quiet",
                    version,
                ], says: "ping\n")
            #expect(try program.outcome().hasSuffix("pong\n"))
            #expect(remora.settles())
            #expect(remora.listener.abortedTotal == 0)
            #expect(service.connections == 1)
        }

        @Test("Python's ssl agrees with us about the end of the stream", arguments: ["TLSv1_2", "TLSv1_3"])
        func python(version: String) throws {
            let (remora, service, port) = try terminating()
            let script = """
                import socket, ssl, sys
                context = ssl.create_default_context(cafile=sys.argv[2])
                context.minimum_version = context.maximum_version = ssl.TLSVersion.\(version)
                with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
                    with context.wrap_socket(plain, server_hostname="a.edge", suppress_ragged_eofs=False) as tls:
                        tls.sendall(b"ping\\n")
                        assert tls.recv(5) == b"pong\\n"
                        assert tls.recv(5) == b""
                        tls.unwrap()
                """
            try Program(["python3", "-c", script, "\(port)", Certificates.path("ca.pem")]).outcome()
            #expect(remora.settles())
            #expect(remora.listener.abortedTotal == 0)
            #expect(service.connections == 1)
        }

        @Test("s_server's page comes to a plain client, and its end", arguments: ["-tls1_2", "-tls1_3"])
        func opensslServer(version: String) throws {
            let program = try Program([
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", Certificates.path("server.pem"), "-key",
                Certificates.path("server.key"), "-www", version,
            ])
            let line = try program.line(with: "ACCEPT")
            let port = try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
            let context = try certificates.client()
            let remora = try Sidecar(to: [.ipv4(.loopback, port: port)]) { $0.tls = .sidecar(back: context) }
            for _ in 0..<3 {
                let client = try remora.connect()
                try client.send("GET / HTTP/1.0\r\n\r\n")
                #expect(try client.receiveTextToEnd().contains("</HTML>"))
                try client.endStream()
            }
            #expect(remora.settles())
            #expect(
                remora.plane.handshakes(ofUpstream: 0)
                    == HandshakesReport(completedTotal: 3, resumedTotal: 2, failedTotal: 0))
        }
    }
}
