// What a connection costs that speaks TLS and says nothing.

import Foundation
import TLS
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Memory of TLS")
    struct SecureMemoryTests {
        /// Clients of another process, so that their own memory is not counted.
        private static let clients = """
            import socket, ssl, sys
            context = ssl.create_default_context(cafile=sys.argv[2])
            kept = []
            for line in sys.stdin:
                for _ in range(int(line)):
                    plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                    tls = context.wrap_socket(plain, server_hostname="a.edge")
                    tls.sendall(b"x")
                    assert tls.recv(1) == b"x"
                    kept.append(tls)
                print("kept", len(kept), flush=True)
            """

        /// Sanitizers, which are built without the outer modules, keep memory of their own for each allocation.
        private static let isMeasurable = ProcessInfo.processInfo.environment["REMORA_SANITIZED"] == nil

        @Test(
            "An idle connection that is terminated here keeps less than 15,000 bytes resident",
            .enabled(if: isMeasurable))
        func idle() throws {
            let certificates = try Certificates.shared.get()
            let context = try certificates.server()
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.tls = .sidecar(front: context) }
            let served = Background {
                try (0..<700).map { _ in
                    let wire = try endpoint.accept()
                    try wire.send(try wire.receive(exactly: 1))
                    return wire
                }
            }
            let port = try #require(remora.address.port)
            let program = try Program(["python3", "-c", Self.clients, "\(port)", Certificates.path("ca.pem")])
            // The first find buffers and tables to be made; 500 more are then what they are
            try program.say("200\n")
            _ = try program.line(with: "kept 200")
            let before = residentBytes()
            try program.say("500\n")
            _ = try program.line(with: "kept 700")
            let each = (residentBytes() - before) / 500
            #expect(each < 15_000, "\(each) bytes each")
            #expect(remora.plane.connections == 700)
            withExtendedLifetime(try served.value()) {}
        }

        private func residentBytes() -> Int {
            let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
            return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
        }
    }
}
