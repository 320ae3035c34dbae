// Files that are no configs, with every line `check` prints of each: the section `membership`.

extension BadFile {
    private static let rest = """
        upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
        listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
        """

    private static let keyRemedy = "write 16, 24 or 32 bytes in base64, as openssl rand -base64 32 prints them"

    static let membership: [BadFile] = [
        BadFile(
            "A membership without bind",
            """
            \(rest)
            membership: {join: [10.0.0.1:7946]}
            """,
            faults: ["edge.yaml:3:13: error: membership needs bind; add bind: host:port or [v6]:port"]),
        BadFile(
            "Addresses of gossip that lead nowhere",
            """
            \(rest)
            membership:
              bind: unix:/run/gossip
              advertise: 10.0.0.1:0
              join: [10.0.0.1, "10.0.0.2:0", seed.example.com:7946]
            """,
            faults: [
                #"edge.yaml:4:9: error: bind "unix:/run/gossip" is a path; write host:port or [v6]:port"#,
                #"edge.yaml:5:14: error: advertise "10.0.0.1:0" has the port 0; write 1 to 65535"#,
                #"edge.yaml:6:10: error: address "10.0.0.1" has no port; write host:port or [v6]:port"#,
                #"edge.yaml:6:20: error: address "10.0.0.2:0" has the port 0; write 1 to 65535"#,
                #"edge.yaml:6:34: error: address "seed.example.com:7946" has the host "seed.example.com", which is no IP address; write one like 10.0.0.1 or [fd00::1] (names are not resolved)"#,
            ]),
        BadFile(
            "Bound to every address and advertising none",
            """
            \(rest)
            membership: {bind: "0.0.0.0:7946"}
            """,
            faults: [
                "edge.yaml:3:20: error: bind 0.0.0.0:7946 is every address of this machine; add advertise, the one at which others reach it"
            ]),
        BadFile(
            "Advertising every address",
            """
            \(rest)
            membership: {bind: "[::]:7946", advertise: "[::]:7946"}
            """,
            faults: [
                "edge.yaml:3:44: error: advertise [::]:7946 leads nowhere; write the address at which others reach this node"
            ]),
        BadFile(
            "Two families",
            """
            \(rest)
            membership:
              bind: 10.0.0.17:7946
              advertise: "[fd00::1]:7946"
              join: [10.0.0.1:7946, "[fd00::2]:7946"]
            """,
            faults: [
                "edge.yaml:5:14: error: advertise [fd00::1]:7946 is IPv6 and bind is IPv4; write an address of IPv4, or bind to one of the other",
                "edge.yaml:6:9: error: join has [fd00::2]:7946, which is IPv6, and bind is IPv4; write an address of IPv4, or bind to one of the other",
            ]),
        BadFile(
            "A port that a listener has",
            """
            \(rest)
            membership: {bind: 127.0.0.1:80}
            """,
            faults: [
                "edge.yaml:3:20: error: the address 127.0.0.1:80 is taken by the listener on line 2; choose another"
            ]),
        BadFile(
            "Keys that are none, of which nothing is shown",
            """
            \(rest)
            membership:
              bind: 10.0.0.17:7946
              keys:
              - c2VjcmV0
              - not base64 at all
              - "AAECAwQFBgcICQoLDA0ODw="
              - ""
              - AAECAwQFBgcICQoLDA0ODxA=
              - [AAECAwQFBgcICQoLDA0ODw==]
              - ~
            """,
            faults: [
                "edge.yaml:6:5: error: key has 6 bytes; \(keyRemedy)",
                "edge.yaml:7:5: error: key is not base64; \(keyRemedy)",
                "edge.yaml:8:5: error: key is not base64; \(keyRemedy)",
                "edge.yaml:9:5: error: key has 0 bytes; \(keyRemedy)",
                "edge.yaml:10:5: error: key has 17 bytes; \(keyRemedy)",
                "edge.yaml:11:5: error: key is a list; \(keyRemedy)",
                "edge.yaml:12:5: error: key has no value; \(keyRemedy)",
            ]),
        BadFile(
            "A key where a list of keys is expected is not shown either",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, keys: AAECAwQFBgcICQoLDA0ODw==}
            """,
            faults: ["edge.yaml:3:42: error: keys is a text; write a list with at least one key"]),
        BadFile(
            "No keys, and more than there may be",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, keys: []}
            """,
            faults: ["edge.yaml:3:42: error: keys is empty; add at least one key"]),
        BadFile(
            "A label of more bytes than it has characters",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, label: \(String(repeating: "ü", count: 128))}
            """,
            faults: [
                "edge.yaml:3:43: error: label has 256 bytes in UTF-8; at most 255 fit, so choose a shorter one"
            ]),
        BadFile(
            "Tuning out of range, and a profile that there is not",
            """
            \(rest)
            membership:
              bind: 10.0.0.17:7946
              profile: lann
              reclaim_after: 31d
              tuning:
                probe_interval: 1ms
                probe_timeout: 2m
                indirect_checks: 17
                suspicion_multiplier: 0
                gossip_interval: 200
                gossip_nodes: 0
                push_pull_interval: 999ms
                awareness: 3
            """,
            faults: [
                #"edge.yaml:5:12: error: profile "lann" is unknown; did you mean lan?"#,
                #"edge.yaml:6:18: error: reclaim_after "31d" has the unit "d"; write ms, s, m or h"#,
                #"edge.yaml:8:21: error: probe_interval "1ms" is out of range; write 50ms to 1m"#,
                #"edge.yaml:9:20: error: probe_timeout "2m" is out of range; write 10ms to 1m"#,
                #"edge.yaml:10:22: error: indirect_checks "17" is out of range; write a whole number, 0 to 16"#,
                #"edge.yaml:11:27: error: suspicion_multiplier "0" is out of range; write a whole number, 1 to 32"#,
                #"edge.yaml:12:22: error: gossip_interval "200" has no unit; write 200s or 200ms"#,
                #"edge.yaml:13:19: error: gossip_nodes "0" is out of range; write a whole number, 1 to 16"#,
                #"edge.yaml:14:25: error: push_pull_interval "999ms" is out of range; write 1s to 1h"#,
                #"edge.yaml:15:5: error: unknown key "awareness" in tuning; its keys are probe_interval, probe_timeout, indirect_checks, suspicion_multiplier, gossip_interval, gossip_nodes, push_pull_interval"#,
            ]),
        BadFile(
            "A time-out beyond its interval, written here or the profile's",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, tuning: {probe_timeout: 2s}}
            """,
            faults: [
                "edge.yaml:3:60: error: probe_timeout 2s is longer than probe_interval 1s; write a shorter one"
            ]),
        BadFile(
            "An interval below the profile's time-out",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, profile: wan, tuning: {probe_interval: 2s}}
            """,
            faults: [
                "edge.yaml:3:75: error: probe_timeout 3s is longer than probe_interval 2s; write a shorter one"
            ]),
        BadFile(
            "A budget in which no report fits",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946, telemetry: {bytes_per_second: 1023B}}
            """,
            faults: [
                "edge.yaml:3:66: error: bytes_per_second 1023B leaves no room for a report; write 1KiB or more, or 0B to send none"
            ]),
        BadFile(
            "Tags that gossip cannot carry",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946}
            node: {name: a, tags: {a: "\(String(repeating: "x", count: 250))", b: "\(String(repeating: "x", count: 246))"}}
            """,
            faults: [
                "edge.yaml:4:23: error: the tags of this node take 523 bytes, zone and remora's own included; gossip carries 512, so shorten them"
            ]),
        BadFile(
            "Tags that are remora's, or say otherwise",
            """
            \(rest)
            membership: {bind: 10.0.0.17:7946}
            node: {zone: pacific, tags: {zone: atlantic, remora: "1"}}
            """,
            faults: [
                "edge.yaml:4:29: error: the tag remora is for remora itself; choose another name",
                #"edge.yaml:4:29: error: the tag zone says "atlantic" and zone says "pacific"; remove one"#,
            ]),
    ]
}
