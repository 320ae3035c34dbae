// Files that are no configs, with every line `check` prints of each: what is not available, and relations.

extension BadFile {
    /// What CONTRACT.md reserves.
    static let later: [BadFile] = [
        BadFile(
            "Sections of later",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            leases: ~
            """,
            faults: [
                "edge.yaml:3:1: error: leases is not available yet; remove it"
            ]),
        BadFile(
            "Keys of listeners of later",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: 127.0.0.1:80
              upstream: web
              fence: lease
            """,
            faults: [
                "edge.yaml:6:3: error: fence is not available yet; remove it"
            ]),
    ]

    /// The section `access_log`.
    static let accessLogs: [BadFile] = [
        BadFile(
            "An access log without a path, and with values that are none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            access_log: {format: jsn, sample: 1.5, file: /tmp/a}
            """,
            faults: [
                "edge.yaml:3:13: error: access_log needs path; add path: text of 1 to 4095 characters",
                #"edge.yaml:3:22: error: format "jsn" is unknown; did you mean json?"#,
                #"edge.yaml:3:35: error: sample "1.5" is out of range; write a number from 0 to 1 with at most three decimals"#,
                #"edge.yaml:3:40: error: unknown key "file" in access_log; its keys are path, format, sample"#,
            ]),
        BadFile(
            "An access log that is a path",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            access_log: /tmp/a
            """,
            faults: [#"edge.yaml:3:13: error: access_log is "/tmp/a"; write a mapping with path, format or sample"#]),
        BadFile(
            "Samples that are none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            access_log: {path: "", sample: 50%}
            """,
            faults: [
                #"edge.yaml:3:20: error: path "" has 0 characters; write text of 1 to 4095 characters"#,
                #"edge.yaml:3:32: error: sample "50%" is no number in decimal; write a number from 0 to 1 with at most three decimals"#,
            ]),
    ]

    /// Values that are right by themselves and wrong together.
    static let relations: [BadFile] = [
        BadFile(
            "Required keys left out",
            """
            upstreams: [{}]
            listeners: [{}]
            """,
            faults: [
                "edge.yaml:1:13: error: an upstream needs endpoints, service or members; add one",
                "edge.yaml:1:13: error: an upstream needs name; add name: 1 to 64 letters, digits, '.', '_' or '-'",
                "edge.yaml:2:13: error: a listener needs bind; add bind: host:port, [v6]:port or unix:/path",
                "edge.yaml:2:13: error: a listener needs name; add name: 1 to 64 letters, digits, '.', '_' or '-'",
                "edge.yaml:2:13: error: a listener needs upstream or service; add one",
            ]),
        BadFile(
            "No listeners",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            node: {name: a}
            """,
            faults: [
                "edge.yaml:1:1: error: the config needs listeners; add listeners: a list with at least one listener"
            ]),
        BadFile(
            "An empty list of listeners",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: []
            """,
            faults: [
                "edge.yaml:2:12: error: listeners is empty; add at least one listener"
            ]),
        BadFile(
            "Listeners without upstreams",
            "listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]",
            faults: [
                #"edge.yaml:1:54: error: there is no upstream named "web"; define it under upstreams"#
            ]),
        BadFile(
            "An upstream that is misspelt",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: wbe}]
            """,
            faults: [
                #"edge.yaml:2:54: error: there is no upstream named "wbe"; did you mean web?"#
            ]),
        BadFile(
            "An upstream that is far from all",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: database}]
            """,
            faults: [
                #"edge.yaml:2:54: error: there is no upstream named "database"; define it, or name one of those under upstreams"#
            ]),
        BadFile(
            "An upstream whose name is faulty is not missed as well",
            """
            upstreams: [{name: w b, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:20: error: name "w b" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#
            ]),
        BadFile(
            "A faulty upstream is known by its name",
            """
            upstreams: [{name: web, endpoints: [nowhere]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:37: error: endpoint "nowhere" has no port; write host:port, [v6]:port or unix:/path"#
            ]),
        BadFile(
            "Names taken",
            """
            upstreams:
            - {name: web, endpoints: [10.0.0.1:80]}
            - {name: web, endpoints: [10.0.0.2:80]}
            listeners:
            - {name: in, bind: 127.0.0.1:80, upstream: web}
            - {name: in, bind: 127.0.0.1:81, upstream: web}
            """,
            faults: [
                #"edge.yaml:3:10: error: the name "web" is taken by the upstream on line 2; choose another"#,
                #"edge.yaml:6:10: error: the name "in" is taken by the listener on line 5; choose another"#,
            ]),
        BadFile(
            "An endpoint twice, written differently",
            """
            upstreams:
            - name: web
              endpoints:
              - "[::1]:80"
              - {address: "[0:0:0:0:0:0:0:1]:80", weight: 5}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                "edge.yaml:5:15: error: the endpoint [::1]:80 stands in this upstream already, on line 4; remove one (weight raises its share)"
            ]),
        BadFile(
            "No endpoints",
            """
            upstreams: [{name: web, endpoints: []}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                "edge.yaml:1:36: error: endpoints is empty; add at least one endpoint"
            ]),
        BadFile(
            "Two listeners on one address",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - {name: a, bind: 127.0.0.1:80, upstream: web}
            - {name: b, bind: 127.0.0.1:80, upstream: web}
            - {name: c, bind: "unix:/run/x", upstream: web}
            - {name: d, bind: "unix:/run/x", upstream: web}
            """,
            faults: [
                "edge.yaml:4:19: error: the address 127.0.0.1:80 is taken by the listener on line 3; choose another",
                "edge.yaml:6:19: error: the address unix:/run/x is taken by the listener on line 5; choose another",
            ]),
        BadFile(
            "A listener on the admin port's address",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:9901, upstream: web}]
            """,
            faults: [
                "edge.yaml:2:30: error: the address 127.0.0.1:9901 is that of the admin port; choose another, or move admin.bind"
            ]),
        BadFile(
            "An admin port for everyone, without token",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admin: 0.0.0.0:9901
            """,
            faults: [
                "edge.yaml:3:8: error: the admin address 0.0.0.0:9901 is reachable from other machines; add token_file, or bind to 127.0.0.1 or unix:/path"
            ]),
        BadFile(
            "An admin port for everyone, with a faulty token file",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admin: {bind: "[::]:9901", token_file: 5}
            """,
            faults: [
                #"edge.yaml:3:40: error: token_file 5 is a number; write "5", in quotes"#
            ]),
        BadFile(
            "An admin port without a host",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admin: 9901
            """,
            faults: [
                #"edge.yaml:3:8: error: admin "9901" has no host; write one before the port, as in 127.0.0.1:9901"#
            ]),
        BadFile(
            "Everything at once",
            """
            node:
              name: edge 17
              zone: 5
            upstreams:
              - name: web
                endpoints: [10.0.0.1, 10.0.0.2:0, 10.0.0.3:80]
                connect_timeout: 1
              - name: web
                endpoints: []
            listeners:
              - name: in
                bind: 127.0.0.1:80
                upstream: wbe
                idle_timout: 1h
                tls: {}
            admin: 0.0.0.0:9901
            shutdown: {drain: 30, drain: 1m}
            """,
            faults: [
                #"edge.yaml:2:9: error: name "edge 17" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#,
                #"edge.yaml:3:9: error: zone 5 is a number; write "5", in quotes"#,
                #"edge.yaml:6:17: error: endpoint "10.0.0.1" has no port; write host:port, [v6]:port or unix:/path"#,
                #"edge.yaml:6:27: error: endpoint "10.0.0.2:0" has the port 0; write 1 to 65535"#,
                #"edge.yaml:7:22: error: connect_timeout "1" has no unit; write 1s or 1ms"#,
                #"edge.yaml:8:11: error: the name "web" is taken by the upstream on line 5; choose another"#,
                "edge.yaml:9:16: error: endpoints is empty; add at least one endpoint",
                #"edge.yaml:13:15: error: there is no upstream named "wbe"; did you mean web?"#,
                #"edge.yaml:14:5: error: unknown key "idle_timout" in a listener; did you mean idle_timeout?"#,
                "edge.yaml:15:10: error: tls needs certificates or certificate; add one",
                "edge.yaml:16:8: error: the admin address 0.0.0.0:9901 is reachable from other machines; add token_file, or bind to 127.0.0.1 or unix:/path",
                #"edge.yaml:17:19: error: drain "30" has no unit; write 30s or 30ms"#,
                #"edge.yaml:17:23: error: the key "drain" stands in this mapping already, on line 17; keep one"#,
            ]),
    ]
}
