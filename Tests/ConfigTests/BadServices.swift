// Files that are no configs, with every line `check` prints of each: services, and where endpoints come from.

extension BadFile {
    private static let fleet = "membership: {bind: 10.0.0.17:7946}"
    private static let upstream = "upstreams: [{name: web, endpoints: [10.0.0.1:80]}]"
    private static let outbound = "listeners: [{name: out, bind: 127.0.0.1:80, upstream: web}]"

    static let services: [BadFile] = [
        BadFile(
            "A service without its keys, and with values that are none",
            """
            \(upstream)
            \(outbound)
            services:
            - {}
            - name: a b
              address: 127.0.0.1:0
              advertise: unix:/run/a
              weight: 0
              port: 9000
            - web
            """,
            faults: [
                "edge.yaml:4:3: error: a service needs address; add address: host:port, [v6]:port or unix:/path",
                "edge.yaml:4:3: error: a service needs name; add name: 1 to 64 letters, digits, '.', '_' or '-'",
                #"edge.yaml:5:9: error: name "a b" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#,
                #"edge.yaml:6:12: error: address "127.0.0.1:0" has the port 0; write 1 to 65535"#,
                #"edge.yaml:7:14: error: advertise "unix:/run/a" is a path; write host:port or [v6]:port"#,
                #"edge.yaml:8:11: error: weight "0" is out of range; write a whole number, 1 to 10000"#,
                #"edge.yaml:9:3: error: unknown key "port" in a service; its keys are name, address, advertise, weight, health"#,
                #"edge.yaml:10:3: error: service is "web"; write a mapping with name, address, advertise, weight or health"#,
            ]),
        BadFile(
            "Health checks that are none, or both",
            """
            \(upstream)
            \(outbound)
            services:
            - {name: a, address: 127.0.0.1:1, health: {}}
            - {name: b, address: 127.0.0.1:2, health: {http: /healthz, tcp: true}}
            - {name: c, address: 127.0.0.1:3, health: {tcp: false}}
            - {name: d, address: 127.0.0.1:4, health: {http: healthz}}
            - {name: e, address: 127.0.0.1:5, health: {http: "/a b"}}
            - {name: f, address: 127.0.0.1:6, health: {http: "/a#b"}}
            - {name: g, address: 127.0.0.1:7, health: {http: ~}}
            - {name: h, address: 127.0.0.1:8, health: /healthz}
            - {name: i, address: 127.0.0.1:9, health: {http: "/a\\nHost: b"}}
            - {name: j, address: 127.0.0.1:10, health: {tcp: "true"}}
            - {name: k, address: 127.0.0.1:11, health: {http: /\(String(repeating: "x", count: 1_024))}}
            """,
            faults: [
                "edge.yaml:4:43: error: health needs http or tcp; add one",
                "edge.yaml:5:60: error: health has http and tcp; keep one",
                "edge.yaml:6:49: error: tcp false says nothing; write true, or remove the key",
                #"edge.yaml:7:50: error: http "healthz" does not begin with '/'; write a path that begins with '/', as in /healthz"#,
                #"edge.yaml:8:50: error: http "/a b" has the character " "; write it as %XX, or leave it out"#,
                ##"edge.yaml:9:50: error: http "/a#b" has the character "#"; write it as %XX, or leave it out"##,
                "edge.yaml:10:44: error: http has no value; write a path that begins with '/', as in /healthz",
                #"edge.yaml:11:43: error: health is "/healthz"; write a mapping with http, tcp, interval, timeout, fall or rise"#,
                #"edge.yaml:12:50: error: http "/a\nHost: b" has the character "\n"; write it as %XX, or leave it out"#,
                #"edge.yaml:13:50: error: tcp is the text "true"; write true without quotes"#,
                #"edge.yaml:14:51: error: http "/\#(String(repeating: "x", count: 59))…" has 1025 characters; at most 1024 fit"#,
            ]),
        BadFile(
            "Paces of health checks out of range, or out of proportion",
            """
            \(upstream)
            \(outbound)
            services:
            - {name: a, address: 127.0.0.1:1, health: {tcp: true, interval: 99ms, timeout: 61s, fall: 0, rise: 101}}
            - {name: b, address: 127.0.0.1:2, health: {tcp: true, timeout: 3s}}
            - {name: c, address: 127.0.0.1:3, health: {tcp: true, interval: 200ms}}
            """,
            faults: [
                #"edge.yaml:4:65: error: interval "99ms" is out of range; write 100ms to 1h"#,
                #"edge.yaml:4:80: error: timeout "61s" is out of range; write 10ms to 1m"#,
                #"edge.yaml:4:91: error: fall "0" is out of range; write a whole number, 1 to 100"#,
                #"edge.yaml:4:100: error: rise "101" is out of range; write a whole number, 1 to 100"#,
                "edge.yaml:5:64: error: timeout 3s is longer than interval 2s; write a shorter one",
                "edge.yaml:6:65: error: timeout 500ms is longer than interval 200ms; write a shorter one",
            ]),
        BadFile(
            "Two services of one name, and listeners that name none, both or one twice",
            """
            \(upstream)
            services:
            - {name: ingest, address: 127.0.0.1:1}
            - {name: ingest, address: 127.0.0.1:2}
            listeners:
            - {name: a, bind: 127.0.0.1:81, service: ingets}
            - {name: b, bind: 127.0.0.1:82, service: ingest, upstream: web}
            - {name: c, bind: 127.0.0.1:83, service: ingest}
            - {name: d, bind: 127.0.0.1:84}
            - {name: e, bind: 127.0.0.1:85, service: other}
            """,
            faults: [
                #"edge.yaml:4:10: error: the name "ingest" is taken by the service on line 3; choose another"#,
                #"edge.yaml:6:42: error: there is no service named "ingets"; did you mean ingest?"#,
                "edge.yaml:7:50: error: a listener has upstream and service; keep one",
                #"edge.yaml:8:42: error: the service "ingest" has an inbound listener already, on line 7; keep one"#,
                "edge.yaml:9:3: error: a listener needs upstream or service; add one",
                #"edge.yaml:10:42: error: there is no service named "other"; define it, or name one of those under services"#,
            ]),
        BadFile(
            "An inbound listener where no services are",
            """
            \(upstream)
            listeners: [{name: a, bind: 127.0.0.1:81, service: ingest}]
            """,
            faults: [
                #"edge.yaml:2:52: error: there is no service named "ingest"; define it under services"#
            ]),
        BadFile(
            "An instance at a path that nothing stands before, and one that is its own listener",
            """
            \(upstream)
            services:
            - {name: a, address: "unix:/run/a"}
            - {name: b, address: "unix:/run/b"}
            - {name: c, address: 127.0.0.1:83}
            listeners:
            - {name: b, bind: 127.0.0.1:82, service: b}
            - {name: c, bind: 127.0.0.1:83, service: c}
            """,
            faults: [
                "edge.yaml:3:22: error: only this machine reaches unix:/run/a; write host:port, or add an inbound listener with service: a",
                "edge.yaml:5:22: error: 127.0.0.1:83 is where the inbound listener on line 8 stands, which would connect to itself; write the instance's own address",
            ]),
        BadFile(
            "Instances at which a listener of this node answers, though it was bound to another address or is another's",
            """
            \(fleet)
            \(upstream)
            services:
            - {name: a, address: 127.0.0.1:81}
            - {name: b, address: "[::1]:82"}
            - {name: c, address: 10.0.0.17:83}
            - {name: d, address: 127.0.0.1:85}
            - {name: e, address: 10.0.0.18:81}
            - {name: f, address: "[::1]:81"}
            - {name: g, address: 0.0.0.0:88}
            listeners:
            - {name: a, bind: 0.0.0.0:81, service: a}
            - {name: b, bind: "[::]:82", service: b}
            - {name: c, bind: 0.0.0.0:83, service: c}
            - {name: d, bind: 10.0.0.17:84, service: d}
            - {name: out, bind: 127.0.0.1:85, upstream: web}
            - {name: e, bind: 10.0.0.17:86, service: e}
            - {name: f, bind: 10.0.0.17:87, service: f}
            - {name: g, bind: 0.0.0.0:88, service: g}
            """,
            faults: [
                "edge.yaml:4:22: error: 127.0.0.1:81 is where the inbound listener on line 12 stands, which would connect to itself; write the instance's own address",
                "edge.yaml:5:22: error: [::1]:82 is where the inbound listener on line 13 stands, which would connect to itself; write the instance's own address",
                "edge.yaml:6:22: error: 10.0.0.17:83 is where the inbound listener on line 14 stands, which would connect to itself; write the instance's own address",
                "edge.yaml:7:22: error: 127.0.0.1:85 is where the listener on line 16 stands, to which the inbound one would connect; write the instance's own address",
                "edge.yaml:10:22: error: 0.0.0.0:88 is where the inbound listener on line 19 stands, which would connect to itself; write the instance's own address",
            ]),
        BadFile(
            "Services that would be advertised where nobody reaches them",
            """
            \(upstream)
            \(fleet)
            services:
            - {name: a, address: 127.0.0.1:1}
            - {name: b, address: 127.0.0.1:2}
            - {name: d, address: 127.0.0.1:4, advertise: 10.0.0.17:4}
            listeners:
            - {name: a, bind: 127.0.0.1:81, service: a}
            - {name: b, bind: "unix:/run/b", service: b}
            - {name: d, bind: 127.0.0.1:84, service: d}
            """,
            faults: [
                "edge.yaml:4:10: error: only this machine reaches its inbound listener 127.0.0.1:81; bind that to an address others reach, or add advertise",
                "edge.yaml:5:10: error: only this machine reaches its inbound listener unix:/run/b; add advertise, the address at which others reach the service",
            ]),
        BadFile(
            "An advertised address that leads nowhere",
            """
            \(upstream)
            \(outbound)
            services: [{name: c, address: 127.0.0.1:3, advertise: "0.0.0.0:3"}]
            """,
            faults: [
                "edge.yaml:3:55: error: advertise 0.0.0.0:3 leads nowhere; write the address at which others reach this service"
            ]),
        BadFile(
            "A tag of the node that is a service's",
            """
            \(upstream)
            \(outbound)
            \(fleet)
            node: {name: a, tags: {svc.a: ":80", svc.b: ":81"}}
            services: [{name: a, address: 127.0.0.1:1}]
            """,
            faults: [
                "edge.yaml:5:19: error: node has the tag svc.a, which is this service's; remove it there"
            ]),
        BadFile(
            "More services than gossip carries",
            """
            \(upstream)
            \(outbound)
            \(fleet)
            services:
            \((1...15).map { "- {name: service-\($0), address: 127.0.0.1:\($0)}" }.joined(separator: "\n"))
            """,
            faults: [
                "edge.yaml:5:1: error: the tags of this node and its services take up to 526 bytes; gossip carries 512, so shorten them or have fewer"
            ]),
    ]

    static let sources: [BadFile] = [
        BadFile(
            "Endpoints from a fleet that there is not",
            """
            upstreams:
            - {name: a, service: ingest}
            - {name: b, members: {port: 80}}
            listeners: [{name: out, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                "edge.yaml:2:22: error: service needs a fleet; add the section membership, or use endpoints",
                "edge.yaml:3:22: error: members needs a fleet; add the section membership, or use endpoints",
            ]),
        BadFile(
            "Two sources, three, none, and one without value",
            """
            \(fleet)
            upstreams:
            - {name: a, service: ingest, endpoints: [10.0.0.1:80]}
            - {name: b, members: {port: 80}, service: ingest, endpoints: [10.0.0.1:80]}
            - {name: c}
            - {name: d, service: ~}
            listeners: [{name: out, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                "edge.yaml:3:30: error: an upstream has endpoints and service; keep one",
                "edge.yaml:4:51: error: an upstream has endpoints and service and members; keep one",
                "edge.yaml:5:3: error: an upstream needs endpoints, service or members; add one",
                "edge.yaml:6:13: error: service has no value; write 1 to 64 letters, digits, '.', '_' or '-'",
            ]),
        BadFile(
            "Members without a port, with one out of range, and with tags that are none",
            """
            \(fleet)
            upstreams:
            - {name: a, members: {tags: {role: web}}}
            - {name: b, members: {port: 65536, tags: [web]}}
            - {name: c, members: {port: 80, tags: {"a b": x, c: 1}}}
            listeners: [{name: out, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                "edge.yaml:3:22: error: members needs port; add port: a whole number, 1 to 65535",
                #"edge.yaml:4:29: error: port "65536" is out of range; write a whole number, 1 to 65535"#,
                "edge.yaml:4:42: error: tags is a list; write a mapping of names to texts",
                #"edge.yaml:5:40: error: the name "a b" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#,
                #"edge.yaml:5:53: error: c 1 is a number; write "1", in quotes"#,
            ]),
        BadFile(
            "Fates, outliers and thresholds out of range",
            """
            upstreams:
            - name: web
              endpoints: [10.0.0.1:80]
              on_suspect: kepp
              on_dead: close
              on_left: ~
              outlier: {consecutive_failures: 0, failure_percent: 101, interval: 500ms, ejection: 0s, max_ejected_percent: -1, base: 1}
              slow_start: 2h
              panic_threshold_percent: 101
            \(outbound)
            """,
            faults: [
                #"edge.yaml:4:15: error: on_suspect "kepp" is unknown; did you mean keep?"#,
                #"edge.yaml:5:12: error: on_dead "close" is unknown; write keep, drain or reset"#,
                "edge.yaml:6:3: error: on_left has no value; write keep, drain or reset, or remove the key",
                #"edge.yaml:7:35: error: consecutive_failures "0" is out of range; write a whole number, 1 to 1000000"#,
                #"edge.yaml:7:55: error: failure_percent "101" is out of range; write a whole number, 1 to 100"#,
                #"edge.yaml:7:70: error: interval "500ms" is out of range; write 1s to 1h"#,
                #"edge.yaml:7:87: error: ejection "0s" is out of range; write 1s to 24h"#,
                #"edge.yaml:7:112: error: max_ejected_percent "-1" is out of range; write a whole number, 0 to 100"#,
                #"edge.yaml:7:116: error: unknown key "base" in outlier; its keys are consecutive_failures, failure_percent, interval, ejection, max_ejected_percent"#,
                #"edge.yaml:8:15: error: slow_start "2h" is out of range; write 0s to 1h"#,
                #"edge.yaml:9:28: error: panic_threshold_percent "101" is out of range; write a whole number, 0 to 100"#,
            ]),
    ]
}
