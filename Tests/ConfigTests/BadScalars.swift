// Files that are no configs, with every line `check` prints of each: texts with a meaning.

extension BadFile {
    /// Durations without a unit the contract names, or out of range.
    static let durations: [BadFile] = [
        BadFile(
            "A number without unit",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: 127.0.0.1:80
              upstream: web
              idle_timeout: 30
            """,
            faults: [
                #"edge.yaml:6:17: error: idle_timeout "30" has no unit; write 30s or 30ms"#
            ]),
        BadFile(
            "A number in quotes without unit",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: "30"}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "30" has no unit; write 30s or 30ms"#
            ]),
        BadFile(
            "A unit spelt out",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 30sec}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "30sec" has the unit "sec"; write ms, s, m or h"#
            ]),
        BadFile(
            "A unit the contract lacks",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_timeout: 500us}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:68: error: connect_timeout "500us" has the unit "us"; write ms, s, m or h"#
            ]),
        BadFile(
            "Two units",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 1m30s}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "1m30s" is no duration; write a whole number and ms, s, m or h"#
            ]),
        BadFile(
            "A fraction of a second",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 1.5s}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "1.5s" is no duration; write a whole number and ms, s, m or h"#
            ]),
        BadFile(
            "A negative duration",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: -5s}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "-5s" is no duration; write a whole number and ms, s, m or h"#
            ]),
        BadFile(
            "A space before the unit",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 5 s}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "5 s" is no duration; write a whole number and ms, s, m or h"#
            ]),
        BadFile(
            "Durations below their range",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_timeout: 0s}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, idle_timeout: 999ms}]
            """,
            faults: [
                #"edge.yaml:1:68: error: connect_timeout "0s" is out of range; write 1ms to 5m"#,
                #"edge.yaml:2:73: error: idle_timeout "999ms" is out of range; write 1s to 168h"#,
            ]),
        BadFile(
            "Durations above their range",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], connect_timeout: 301s}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, idle_timeout: 169h}]
            shutdown: {drain: 25h}
            """,
            faults: [
                #"edge.yaml:1:68: error: connect_timeout "301s" is out of range; write 1ms to 5m"#,
                #"edge.yaml:2:73: error: idle_timeout "169h" is out of range; write 1s to 168h"#,
                #"edge.yaml:3:19: error: drain "25h" is out of range; write 0s to 24h"#,
            ]),
        BadFile(
            "A duration beyond 64 bits",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 9999999999999999h}
            """,
            faults: [
                #"edge.yaml:3:19: error: drain "9999999999999999h" is out of range; write 0s to 24h"#
            ]),
    ]

    /// Addresses that nothing can bind or connect to.
    static let addresses: [BadFile] = [
        BadFile(
            "A host name",
            """
            upstreams: [{name: web, endpoints: [localhost:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:37: error: endpoint "localhost:80" has the host "localhost", which is no IP address; write one like 10.0.0.1 or [fd00::1] (names are not resolved)"#
            ]),
        BadFile(
            "No port",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:37: error: endpoint "10.0.0.1" has no port; write host:port, [v6]:port or unix:/path"#
            ]),
        BadFile(
            "A port alone",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 8080, upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "8080" has no host; write one before the port, as in 127.0.0.1:8080"#
            ]),
        BadFile(
            "A port that is too large",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:65536, upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "127.0.0.1:65536" has the port "65536"; a port is 0 to 65535"#
            ]),
        BadFile(
            "A port that is no number",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: "127.0.0.1:http", upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "127.0.0.1:http" has the port "http"; a port is 0 to 65535"#
            ]),
        BadFile(
            "An octet that is too large",
            """
            upstreams: [{name: web, endpoints: [10.0.0.256:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:37: error: endpoint "10.0.0.256:80" has the host "10.0.0.256", which is no IP address; write one like 10.0.0.1 or [fd00::1] (names are not resolved)"#
            ]),
        BadFile(
            "IPv6 without brackets",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: "::1:80", upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "::1:80" has an IPv6 address without brackets; write [::1:80]:port"#
            ]),
        BadFile(
            "IPv6 that is none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: "[fd00:::1]:80", upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "[fd00:::1]:80" has the host "fd00:::1", which is no IP address; write one like 10.0.0.1 or [fd00::1] (names are not resolved)"#
            ]),
        BadFile(
            "A relative socket path",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: "unix:run/x.sock", upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "unix:run/x.sock" has no usable path; write unix:/path"#
            ]),
        BadFile(
            "A socket path that is too long",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: "unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:30: error: bind "unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" has a path of 108 bytes; a unix socket's path has at most 107"#
            ]),
        BadFile(
            "Port 0 of an endpoint",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:0, {address: "[::1]:0"}]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:37: error: endpoint "10.0.0.1:0" has the port 0; write 1 to 65535"#,
                #"edge.yaml:1:59: error: address "[::1]:0" has the port 0; write 1 to 65535"#,
            ]),
    ]

    /// Names and texts.
    static let texts: [BadFile] = [
        BadFile(
            "A name with a space",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: way in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:20: error: name "way in" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#
            ]),
        BadFile(
            "A name that is too long",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:20: error: name "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…" has 65 characters; write 1 to 64 letters, digits, '.', '_' or '-'"#
            ]),
        BadFile(
            "An empty name",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: "", bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:2:20: error: name "" has 0 characters; write 1 to 64 letters, digits, '.', '_' or '-'"#
            ]),
        BadFile(
            "A name that is a number",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {name: 17, zone: 1.5}
            """,
            faults: [
                #"edge.yaml:3:14: error: name 17 is a number; write "17", in quotes"#,
                #"edge.yaml:3:24: error: zone 1.5 is a number; write "1.5", in quotes"#,
            ]),
        BadFile(
            "A name that is a boolean",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {zone: true}
            """,
            faults: [
                #"edge.yaml:3:14: error: zone true is a boolean; write "true", in quotes"#
            ]),
        BadFile(
            "A line break in a name",
            #"""
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {name: "a\nb"}
            """#,
            faults: [
                #"edge.yaml:3:14: error: name "a\nb" has the character "\n"; write 1 to 64 letters, digits, '.', '_' or '-'"#
            ]),
        BadFile(
            "Tags that are no texts",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: {rack: 7, "row 1": a, up: true, empty: , deep: {a: b}}}
            """,
            faults: [
                #"edge.yaml:3:21: error: rack 7 is a number; write "7", in quotes"#,
                #"edge.yaml:3:24: error: the name "row 1" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'"#,
                #"edge.yaml:3:40: error: up true is a boolean; write "true", in quotes"#,
                #"edge.yaml:3:46: error: empty has no value; write "" for an empty text"#,
                "edge.yaml:3:61: error: deep is a mapping; write text of 0 to 255 characters",
            ]),
        BadFile(
            "A tag with a control character",
            #"""
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: {a: "x\ty"}}
            """#,
            faults: [
                #"edge.yaml:3:18: error: a "x\ty" has the character "\t"; remove it"#
            ]),
        BadFile(
            "A tag that is too long",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: {a: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}
            """,
            faults: [
                #"edge.yaml:3:18: error: a "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" has 256 characters; write text of 0 to 255 characters"#
            ]),
        BadFile(
            "An empty path",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {state_directory: ""}
            admin: {token_file: ''}
            """,
            faults: [
                #"edge.yaml:3:25: error: state_directory "" has 0 characters; write text of 1 to 4095 characters"#,
                #"edge.yaml:4:21: error: token_file "" has 0 characters; write text of 1 to 4095 characters"#,
            ]),
    ]

    /// Words that are none of a key's.
    static let choices: [BadFile] = [
        BadFile(
            "An unknown policy with a near one",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], balance: round-robin}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:60: error: balance "round-robin" is unknown; did you mean round_robin?"#
            ]),
        BadFile(
            "An unknown policy with none near",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], balance: fastest}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:60: error: balance "fastest" is unknown; write p2c, least_request, round_robin, random, ring_hash or maglev"#
            ]),
        BadFile(
            "A load of nobody",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], load: global}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:57: error: load "global" is unknown; did you mean local?"#
            ]),
        BadFile(
            "HTTP, for later",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, protocol: http}]
            """,
            faults: [
                "edge.yaml:2:69: error: protocol http is not available yet; write tcp"
            ]),
        BadFile(
            "A PROXY version that is none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web, send_proxy_protocol: v3}]
            """,
            faults: [
                #"edge.yaml:2:80: error: send_proxy_protocol "v3" is unknown; did you mean v1?"#
            ]),
    ]
}
