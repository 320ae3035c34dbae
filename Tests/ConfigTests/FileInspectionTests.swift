// Faults of files that a config names: where they stand, and what they stand among.

import AccessLog
import TLS
import Testing

@testable import Config

@Suite("Faults of named files")
struct FileInspectionTests {
    private static let text = """
        upstreams:
        - name: out
          endpoints: [10.0.0.1:80]
          tls: {ca: /ca.pem, server_name: out.edge, certificate: /out.pem}
        listeners:
        - name: in
          bind: 127.0.0.1:0
          upstream: out
          tls:
            certificates:
            - {certificate: /a.pem, key: /a.key}
            - certificate: /b.pem
              key: /a.key
            client_ca: /ca.pem
        access_log: {format: text, path: /log}

        """

    /// `LINE:COLUMN MESSAGE` of all faults.
    private func faults(
        _ text: String = Self.text, _ inspection: @escaping FileInspection
    ) -> [String] {
        do throws(ConfigFaults) {
            _ = try ConfigFile.parse(text, file: "f", hostName: "host", inspection: inspection)
            return []
        } catch {
            return error.faults.map { "\($0.line):\($0.column) \($0.message)" }
        }
    }

    @Test("An inspection is asked of what the file says, and one that finds nothing keeps no config back")
    func nothing() {
        var seen: [CertificateSource] = []
        var log: String?
        let found = faults { tls, accessLog in
            (seen, log) = (tls.sources, accessLog?.path)
            return []
        }
        #expect(found == [])
        #expect(
            seen == [
                .pair(certificate: "/a.pem", key: "/a.key"), .pair(certificate: "/b.pem", key: "/a.key"),
                .authorities("/ca.pem"), .pair(certificate: "/out.pem", key: nil),
            ])
        #expect(log == "/log")
    }

    @Test(
        "A fault stands at the path of the file, as its owner names it, and where there is none at the owner's section",
        arguments: [
            (FileFault(owner: .listener("in"), path: "/a.key", message: "x"), ["11:34 x", "13:12 x"]),
            (
                FileFault(
                    owner: .listener("in"), source: .pair(certificate: "/b.pem", key: "/a.key"), path: "/a.key",
                    message: "x"), ["13:12 x"]
            ),
            (
                FileFault(
                    owner: .listener("in"), source: .pair(certificate: "/b.pem", key: "/a.key"), path: "/b.pem",
                    message: "x"), ["12:20 x"]
            ),
            (FileFault(owner: .listener("in"), source: .authorities("/ca.pem"), message: "x"), ["14:16 x"]),
            (FileFault(owner: .upstream("out"), path: "/ca.pem", message: "x"), ["4:13 x"]),
            (FileFault(owner: .upstream("out"), path: "/out.pem", message: "x"), ["4:58 x"]),
            (FileFault(owner: .upstream("out"), message: "x"), ["4:8 x"]),
            (FileFault(owner: .listener("in"), path: "/elsewhere", message: "x"), ["10:5 x"]),
            (FileFault(owner: .accessLog, path: "/log", message: "x"), ["15:34 x"]),
        ])
    func places(fault: FileFault, expected: [String]) {
        #expect(faults { _, _ in [fault] } == expected)
    }

    @Test("Its faults stand among the others in the order of the text, and what is unreadable hides none of them")
    func among() {
        let text = Self.text.replacing("name: in", with: "nmae: in\n  name: in").replacing("text,", with: "loud,")
        let found = faults(text) { tls, _ in
            tls.listeners.keys.map { .init(owner: .listener($0), path: "/b.pem", message: "there is none") }
                + [.init(owner: .accessLog, message: "it is full")]
        }
        #expect(found.count == 4, "\(found)")
        #expect(found.map { $0.split(separator: ":")[0] } == ["6", "13", "16", "16"])
        #expect(found[1] == "13:20 there is none" && found.contains { $0.hasSuffix(" it is full") })
    }
}
