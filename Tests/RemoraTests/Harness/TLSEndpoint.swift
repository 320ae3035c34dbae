// Endpoints that speak TLS, each as it is told, in a program of Python's.

import Foundation
import Testing
import Vocabulary

/// Endpoints of one program: each answers a request with "NUMBER VERSION new|resumed WHO" as its page, and says what
/// became of a handshake.
final class TLSEndpoint {
    /// How one of them speaks.
    struct Door {
        /// What it shows, by its name among ``TLSFiles``.
        var certificate: String
        /// The newest version that it speaks, as Python names it.
        var newest = "TLSv1_3"
        /// Who vouches for its clients, by its name; nil asks them for nothing.
        var authority: String?
    }

    let addresses: [SocketAddress]
    private let program: Companion

    private static let script = """
        import socket, ssl, sys, threading

        out = threading.Lock()
        def say(*words):
            with out: print(*words, flush=True)

        def serve(number, context, plain):
            plain.settimeout(20)
            try: stream = context.wrap_socket(plain, server_side=True)
            except OSError as error: return say(number, "refused", getattr(error, "reason", None) or error)
            with stream:
                try:
                    text = b""
                    while b"\\r\\n\\r\\n" not in text:
                        more = stream.recv(4096)
                        if not more: return
                        text += more
                    names = (stream.getpeercert() or {}).get("subjectAltName", (("", "nobody"),))
                    page = f"{number} {stream.version()} {'resumed' if stream.session_reused else 'new'} {names[0][1]}"
                    stream.sendall(f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(page)}\\r\\n\\r\\n{page}".encode())
                    stream.unwrap()
                except OSError as error: say(number, "lost", error)

        def accept(number, context, door):
            while True:
                plain, _ = door.accept()
                threading.Thread(target=serve, args=(number, context, plain), daemon=True).start()

        doors = []
        for number, door in enumerate(sys.argv[1:]):
            certificate, newest, authority = door.split(",")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if newest in ("TLSv1", "TLSv1_1"): context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion[newest]
            context.load_cert_chain(certificate + ".pem", certificate + ".key")
            if authority:
                context.load_verify_locations(authority + ".pem")
                context.verify_mode = ssl.CERT_REQUIRED
            listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
            doors.append(listening.getsockname()[1])
            threading.Thread(target=accept, args=(number, context, listening), daemon=True).start()
        say("ports", *doors)
        threading.Event().wait()
        """

    init(_ files: TLSFiles, _ doors: [Door]) throws {
        program = try Companion(
            ["python3", "-W", "ignore", "-c", Self.script]
                + doors.map { "\($0.certificate),\($0.newest),\($0.authority ?? "")" },
            in: files.directory.path)
        let line = try program.output.line(containing: "ports ")
        addresses = try line.split(separator: " ").dropFirst().map { .ipv4(.loopback, port: try #require(UInt16($0))) }
        try #require(addresses.count == doors.count, "\(line)")
    }

    /// Waits for a line that it prints.
    func says(_ line: String) throws { try program.output.line(containing: line) }
}
