// Files that are no configs, with every line `check` prints of each: kinds of values, numbers.

extension BadFile {
    /// Values of another kind than the key's.
    static let kinds: [BadFile] = [
        BadFile(
            "A section without value",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node:
            """,
            faults: [
                "edge.yaml:3:1: error: node has no value; write a mapping with name, zone, tags or state_directory, or remove the key"
            ]),
        BadFile(
            "A key without value",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node:
              zone:
              name: ~
            """,
            faults: [
                "edge.yaml:4:3: error: zone has no value; write 1 to 64 letters, digits, '.', '_' or '-', or remove the key",
                "edge.yaml:5:3: error: name has no value; write 1 to 64 letters, digits, '.', '_' or '-', or remove the key",
            ]),
        BadFile(
            "A required key without value",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: null
              upstream: web
            """,
            faults: [
                "edge.yaml:4:3: error: bind has no value; write host:port, [v6]:port or unix:/path"
            ]),
        BadFile(
            "A list element without value",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80, ~]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                "edge.yaml:1:50: error: endpoint has no value; write host:port, [v6]:port or unix:/path, or a mapping with address"
            ]),
        BadFile(
            "A mapping where a list is expected",
            """
            upstreams: {name: web}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                "edge.yaml:1:12: error: upstreams is a mapping; write a list, one upstream each"
            ]),
        BadFile(
            "A list where a mapping is expected",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: [edge]
            """,
            faults: [
                "edge.yaml:3:7: error: node is a list; write a mapping with name, zone, tags or state_directory"
            ]),
        BadFile(
            "Text where a mapping is expected",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: 30s
            """,
            faults: [
                #"edge.yaml:3:11: error: shutdown is "30s"; write a mapping with drain"#
            ]),
        BadFile(
            "Text where a list is expected",
            """
            upstreams: [{name: web, endpoints: 10.0.0.1:80}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:36: error: endpoints is "10.0.0.1:80"; write a list with at least one endpoint"#
            ]),
        BadFile(
            "A list where a value is expected",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: [in], bind: {port: 80}, upstream: web}]
            """,
            faults: [
                "edge.yaml:2:20: error: name is a list; write 1 to 64 letters, digits, '.', '_' or '-'",
                "edge.yaml:2:32: error: bind is a mapping; write host:port, [v6]:port or unix:/path",
            ]),
        BadFile(
            "A list of names where listeners are expected",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [in, out]
            """,
            faults: [
                #"edge.yaml:2:13: error: listener is "in"; write a mapping with name, bind, protocol, upstream, service, sni, accept_proxy_protocol, send_proxy_protocol, idle_timeout, max_connections or tls"#,
                #"edge.yaml:2:17: error: listener is "out"; write a mapping with name, bind, protocol, upstream, service, sni, accept_proxy_protocol, send_proxy_protocol, idle_timeout, max_connections or tls"#,
            ]),
        BadFile(
            "A list where an address or a mapping is expected",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admin: [127.0.0.1:9901]
            """,
            faults: [
                "edge.yaml:3:8: error: admin is a list; write host:port, [v6]:port or unix:/path, or a mapping with bind"
            ]),
        BadFile(
            "Yes for true",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, accept_proxy_protocol: yes}]
            """,
            faults: [
                #"edge.yaml:2:82: error: accept_proxy_protocol "yes" is no boolean; write true or false"#
            ]),
        BadFile(
            "True for true",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, accept_proxy_protocol: True}]
            """,
            faults: [
                #"edge.yaml:2:82: error: accept_proxy_protocol "True" is no boolean; write true or false"#
            ]),
        BadFile(
            "A boolean in quotes",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, accept_proxy_protocol: "true"}]
            """,
            faults: [
                #"edge.yaml:2:82: error: accept_proxy_protocol is the text "true"; write true without quotes"#
            ]),
        BadFile(
            "A number for a boolean",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, accept_proxy_protocol: 1}]
            """,
            faults: [
                #"edge.yaml:2:82: error: accept_proxy_protocol "1" is no boolean; write true or false"#
            ]),
    ]

    /// Numbers, and what looks like one.
    static let numbers: [BadFile] = [
        BadFile(
            "A fraction",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_attempts: 2.5}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:69: error: connect_attempts "2.5" is no whole number in decimal; write a whole number, 1 to 8"#
            ]),
        BadFile(
            "A number in quotes",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_attempts: "3"}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:69: error: connect_attempts is the text "3"; write 3 without quotes"#
            ]),
        BadFile(
            "A number in hexadecimal",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], max_connections: 0x10}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: max_connections "0x10" is no whole number in decimal; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A number with a leading zero",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], max_connections: 010}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: max_connections "010" is no whole number in decimal; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A number with underscores",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], max_connections: 10_000}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: max_connections "10_000" is no number; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A number with an exponent",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], max_connections: 1e3}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: max_connections "1e3" is no whole number in decimal; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A negative number",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], max_outstanding: -1}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: max_outstanding "-1" is out of range; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "Zero for no limit",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, max_connections: 0}]
            """,
            faults: [
                #"edge.yaml:2:76: error: max_connections "0" is out of range; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A number beyond 64 bits",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, max_connections: 99999999999999999999}]
            """,
            faults: [
                #"edge.yaml:2:76: error: max_connections "99999999999999999999" is out of range; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "A word for a number",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, max_connections: many}]
            """,
            faults: [
                #"edge.yaml:2:76: error: max_connections "many" is no number; write a whole number, 1 to 1000000000"#
            ]),
        BadFile(
            "Too many attempts to connect",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_attempts: 9}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:69: error: connect_attempts "9" is out of range; write a whole number, 1 to 8"#
            ]),
        BadFile(
            "Weights out of range",
            """
            upstreams:
            - name: web
              endpoints:
              - {address: 10.0.0.1:80, weight: 0}
              - {address: 10.0.0.2:80, weight: 10001}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:4:36: error: weight "0" is out of range; write a whole number, 1 to 10000"#,
                #"edge.yaml:5:36: error: weight "10001" is out of range; write a whole number, 1 to 10000"#,
            ]),
    ]
}
