// Files that are no configs, with every line `check` prints of each: telemetry and where the roster is.

extension BadFile {
    private static func fleet(_ keys: String) -> String {
        """
        upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
        listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
        membership:
          bind: 10.0.0.17:7946
        \(keys)
        """
    }

    private static let origin = "write http://host:port or https://host:port"

    static let rosters: [BadFile] = [
        BadFile(
            "A budget without unit",
            fleet("  telemetry: {bytes_per_second: 2048}"),
            faults: [#"edge.yaml:5:33: error: bytes_per_second "2048" has no unit; write 2048B or 2048KiB"#]),
        BadFile(
            "A budget in a unit of two meanings",
            fleet("  telemetry: {bytes_per_second: 2KB}"),
            faults: [#"edge.yaml:5:33: error: bytes_per_second "2KB" has the unit "KB"; write B, KiB, MiB or GiB"#]),
        BadFile(
            "A budget that is no size",
            fleet("  telemetry: {bytes_per_second: 1.5KiB}"),
            faults: [
                #"edge.yaml:5:33: error: bytes_per_second "1.5KiB" is no size; write a whole number and B, KiB, MiB or GiB"#
            ]),
        BadFile(
            "A budget beyond all reason",
            fleet("  telemetry: {bytes_per_second: 99999999999999999999GiB}"),
            faults: [
                #"edge.yaml:5:33: error: bytes_per_second "99999999999999999999GiB" is out of range; write 0B to 1MiB"#
            ]),
        BadFile(
            "A roster nowhere",
            fleet("  roster: {}"),
            faults: ["edge.yaml:5:11: error: roster needs file or etcd; add one"]),
        BadFile(
            "A roster in two places",
            fleet("  roster: {etcd: {endpoints: [http://10.0.0.1:2379]}, file: /etc/roster.yaml}"),
            faults: ["edge.yaml:5:55: error: roster has file and etcd; keep one"]),
        BadFile(
            "Endpoints of etcd that are no origins",
            fleet(
                """
                  roster:
                    etcd:
                      endpoints:
                      - 10.0.0.1:2379
                      - ftp://10.0.0.1:2379
                      - http://10.0.0.1
                      - http://10.0.0.1:2379/
                      - http://10.0.0.256:2379
                      - http://root:secret@10.0.0.1:2379
                      - http://[::1]
                      - http://[g::1]:2379
                      - http://:2379
                      - https://10.0.0.1:0
                      - https://10.0.0.1:65536
                """),
            faults: [
                #"edge.yaml:8:9: error: endpoint "10.0.0.1:2379" has no http:// or https://; \#(origin)"#,
                #"edge.yaml:9:9: error: endpoint "ftp://10.0.0.1:2379" has no http:// or https://; \#(origin)"#,
                #"edge.yaml:10:9: error: endpoint "http://10.0.0.1" has no port; \#(origin)"#,
                #"edge.yaml:11:9: error: endpoint "http://10.0.0.1:2379/" has the port "2379/"; \#(origin), with a port of 1 to 65535"#,
                #"edge.yaml:12:9: error: endpoint "http://10.0.0.256:2379" has the host "10.0.0.256", which is neither a name nor an IP address; \#(origin)"#,
                #"edge.yaml:13:9: error: endpoint "http://root:secret@10.0.0.1:2379" has the host "root:secret@10.0.0.1", which is neither a name nor an IP address; \#(origin)"#,
                #"edge.yaml:14:9: error: endpoint "http://[::1]" has no port; \#(origin)"#,
                #"edge.yaml:15:9: error: endpoint "http://[g::1]:2379" has the host "[g::1]", which is neither a name nor an IP address; \#(origin)"#,
                #"edge.yaml:16:9: error: endpoint "http://:2379" has the host "", which is neither a name nor an IP address; \#(origin)"#,
                #"edge.yaml:17:9: error: endpoint "https://10.0.0.1:0" has the port "0"; \#(origin), with a port of 1 to 65535"#,
                #"edge.yaml:18:9: error: endpoint "https://10.0.0.1:65536" has the port "65536"; \#(origin), with a port of 1 to 65535"#,
            ]),
        BadFile(
            "Halves of what belongs together",
            fleet("  roster: {etcd: {endpoints: [https://10.0.0.1:2379], username: remora, certificate: /c.pem}}"),
            faults: [
                "edge.yaml:5:55: error: username needs password_file; add it, or remove username",
                "edge.yaml:5:73: error: certificate needs key; add it, or remove certificate",
            ]),
        BadFile(
            "The other halves",
            fleet("  roster: {etcd: {endpoints: [https://10.0.0.1:2379], password_file: /p, key: /k.pem}}"),
            faults: [
                "edge.yaml:5:55: error: password_file needs username; add it, or remove password_file",
                "edge.yaml:5:74: error: key needs certificate; add it, or remove key",
            ]),
        BadFile(
            "Certificates for connections that have none",
            fleet(
                """
                  roster:
                    etcd: {endpoints: [http://10.0.0.1:2379], ca: /ca.pem, certificate: /c.pem, key: /k.pem}
                """),
            faults: [
                "edge.yaml:6:51: error: ca is for https, and no endpoint has it; write https://, or remove ca",
                "edge.yaml:6:73: error: certificate is for https, and no endpoint has it; write https://, or remove certificate",
            ]),
        BadFile(
            "A prefix that other prefixes begin with",
            fleet("  roster: {etcd: {endpoints: [http://10.0.0.1:2379], prefix: /fleet}}"),
            faults: [#"edge.yaml:5:62: error: prefix "/fleet" does not end with '/'; write "/fleet/""#]),
        BadFile(
            "No endpoints of etcd",
            fleet("  roster: {etcd: {endpoints: [], prefix: \"\"}}"),
            faults: [
                "edge.yaml:5:30: error: endpoints is empty; add at least one endpoint",
                #"edge.yaml:5:42: error: prefix "" has 0 characters; write text of 1 to 1024 characters that ends with '/'"#,
            ]),
    ]
}
