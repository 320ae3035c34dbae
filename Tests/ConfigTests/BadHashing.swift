// Files that are no configs, with every line `check` prints of each: what connections are told apart by.

extension BadFile {
    static let hashing: [BadFile] = [
        BadFile(
            "Keys of no kind",
            """
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], hash: {key: source_pi}}
            - {name: b, endpoints: [10.0.0.1:80], hash: {key: client}}
            - {name: c, endpoints: [10.0.0.1:80], hash: {key: "header:"}}
            - {name: d, endpoints: [10.0.0.1:80], hash: {key: "cookie:a b"}}
            - {name: e, endpoints: [10.0.0.1:80], hash: {key: [path]}}
            - {name: f, endpoints: [10.0.0.1:80], hash: path}
            - {name: g, endpoints: [10.0.0.1:80], hash: {kye: path}}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                #"edge.yaml:2:51: error: key "source_pi" is unknown; did you mean source_ip?"#,
                #"edge.yaml:3:51: error: key "client" is unknown; write source_ip, sni, proxy_authority, path, header:NAME or cookie:NAME"#,
                #"edge.yaml:4:51: error: key "header:" has no name; write header:NAME"#,
                #"edge.yaml:5:51: error: key "cookie:a b" has the name "a b", which is none of HTTP; write 1 to 128 letters, digits or any of !#$%&'*+-.^_`|~"#,
                "edge.yaml:6:51: error: key is a list; write source_ip, sni, proxy_authority, path, header:NAME or cookie:NAME",
                #"edge.yaml:7:45: error: hash is "path"; write a mapping with key, virtual_nodes or bounded_load"#,
                #"edge.yaml:8:46: error: unknown key "kye" in hash; did you mean key?"#,
            ]),
        BadFile(
            "Virtual nodes and bounds out of range",
            """
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], hash: {virtual_nodes: 0, bounded_load: 0.5}}
            - {name: b, endpoints: [10.0.0.1:80], hash: {virtual_nodes: 10001, bounded_load: 100.1}}
            - {name: c, endpoints: [10.0.0.1:80], hash: {virtual_nodes: 1.5, bounded_load: 1.2345}}
            - {name: d, endpoints: [10.0.0.1:80], hash: {bounded_load: "1.25"}}
            - {name: e, endpoints: [10.0.0.1:80], hash: {bounded_load: 125%}}
            - {name: f, endpoints: [10.0.0.1:80], hash: {bounded_load: 1e1}}
            - {name: g, endpoints: [10.0.0.1:80], hash: {bounded_load: -1}}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                #"edge.yaml:2:61: error: virtual_nodes "0" is out of range; write a whole number, 1 to 10000"#,
                #"edge.yaml:2:78: error: bounded_load "0.5" is out of range; write 0, or a number from 1 to 100 with at most three decimals"#,
                #"edge.yaml:3:61: error: virtual_nodes "10001" is out of range; write a whole number, 1 to 10000"#,
                #"edge.yaml:3:82: error: bounded_load "100.1" is out of range; write 0, or a number from 1 to 100 with at most three decimals"#,
                #"edge.yaml:4:61: error: virtual_nodes "1.5" is no whole number in decimal; write a whole number, 1 to 10000"#,
                #"edge.yaml:4:80: error: bounded_load "1.2345" has 4 decimals; write 0, or a number from 1 to 100 with at most three decimals"#,
                #"edge.yaml:5:60: error: bounded_load is the text "1.25"; write 1.25 without quotes"#,
                #"edge.yaml:6:60: error: bounded_load "125%" is no number in decimal; write 0, or a number from 1 to 100 with at most three decimals"#,
                #"edge.yaml:7:60: error: bounded_load "1e1" is no number in decimal; write 0, or a number from 1 to 100 with at most three decimals"#,
                #"edge.yaml:8:60: error: bounded_load "-1" is no number in decimal; write 0, or a number from 1 to 100 with at most three decimals"#,
            ]),
        BadFile(
            "Keys that connections of some listener never have",
            """
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], balance: maglev, hash: {key: proxy_authority}}
            - {name: b, endpoints: [10.0.0.1:80], balance: ring_hash, hash: {key: "header:x"}}
            - {name: c, endpoints: [10.0.0.1:80], balance: ring_hash, hash: {key: path}}
            - {name: d, endpoints: [10.0.0.1:80], hash: {key: proxy_authority}}
            listeners:
            - {name: one, bind: 127.0.0.1:80, upstream: a, accept_proxy_protocol: true}
            - {name: two, bind: 127.0.0.1:81, upstream: b}
            - {name: three, bind: 127.0.0.1:82, upstream: a}
            - {name: four, bind: 127.0.0.1:83, upstream: b, sni: [{match: a.edge, upstream: c}, {match: b.edge, upstream: d}]}
            """,
            faults: [
                "edge.yaml:2:68: error: proxy_authority comes with a PROXY header, and the listener on line 9 takes none; set accept_proxy_protocol: true there, or choose another key",
                "edge.yaml:3:71: error: header, cookie and path are not to be read in TLS, which the listener on line 10 passes through; remove sni there, or choose another key",
                "edge.yaml:4:71: error: header, cookie and path are not to be read in TLS, which the listener on line 10 passes through; remove sni there, or choose another key",
            ]),
        BadFile(
            "Ages",
            """
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], max_connection_age: 30}
            - {name: b, endpoints: [10.0.0.1:80], max_connection_age: 721h}
            - {name: c, endpoints: [10.0.0.1:80], zone_aware: 1}
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: a}]
            """,
            faults: [
                #"edge.yaml:2:59: error: max_connection_age "30" has no unit; write 30s or 30ms"#,
                #"edge.yaml:3:59: error: max_connection_age "721h" is out of range; write 0s to 720h"#,
                #"edge.yaml:4:51: error: zone_aware "1" is no boolean; write true or false"#,
            ]),
    ]

    static let routes: [BadFile] = [
        BadFile(
            "Routes by names that are none",
            """
            upstreams: [{name: a, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: 127.0.0.1:80
              upstream: a
              sni:
              - {match: "*", upstream: a}
              - {match: "a.*.edge", upstream: a}
              - {match: "a*.edge", upstream: a}
              - {match: a..edge, upstream: a}
              - {match: 10.5, upstream: a}
              - {upstream: a}
              - {match: a.edge}
            """,
            faults: [
                #"edge.yaml:7:13: error: match "*" is every name; leave it out, upstream gets what no route does"#,
                #"edge.yaml:8:13: error: match "a.*.edge" has a star that is not its whole first label; write *.NAME"#,
                #"edge.yaml:9:13: error: match "a*.edge" has a star that is not its whole first label; write *.NAME"#,
                #"edge.yaml:10:13: error: match "a..edge" is no host name; write a host name, or *.NAME for all with one label before it"#,
                #"edge.yaml:11:13: error: match 10.5 is a number; write "10.5", in quotes"#,
                "edge.yaml:12:5: error: a route needs match; add match: a host name, or *.NAME for all with one label before it",
                "edge.yaml:13:5: error: a route needs upstream; add upstream: 1 to 64 letters, digits, '.', '_' or '-'",
            ]),
        BadFile(
            "Routes that nobody takes, or that lead nowhere",
            """
            upstreams: [{name: ingest, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: 127.0.0.1:80
              upstream: ingest
              sni:
              - {match: "*.Edge", upstream: ingest}
              - {match: a.edge, upstream: ingets}
              - {match: "*.edge", upstream: ingest}
            - name: out
              bind: 127.0.0.1:81
              upstream: ingest
              sni: []
            """,
            faults: [
                #"edge.yaml:8:31: error: there is no upstream named "ingets"; did you mean ingest?"#,
                "edge.yaml:9:13: error: the name *.edge has a route already, on line 7; keep one",
                "edge.yaml:13:8: error: sni is empty; add at least one route",
            ]),
        BadFile(
            "Routes beside what they exclude, or without what they need",
            """
            services: [{name: s, address: 127.0.0.1:9}]
            upstreams: [{name: a, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bind: 127.0.0.1:80
              service: s
              sni: [{match: a.edge, upstream: a}]
            - name: out
              bind: 127.0.0.1:81
              sni: [{match: a.edge, upstream: a}]
            """,
            faults: [
                "edge.yaml:7:3: error: sni needs upstream; add it, or remove sni",
                "edge.yaml:8:3: error: a listener needs upstream or service; add one",
                "edge.yaml:10:3: error: sni needs upstream; add it, or remove sni",
            ]),
        BadFile(
            "Names and requests where TLS ends",
            """
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], balance: ring_hash, hash: {key: sni}}
            - {name: b, endpoints: [10.0.0.1:80], balance: ring_hash, hash: {key: path}}
            listeners:
            - {name: one, bind: 127.0.0.1:80, upstream: a, tls: {certificate: c}}
            - {name: two, bind: 127.0.0.1:81, upstream: b, tls: {certificate: c}}
            - {name: three, bind: 127.0.0.1:82, upstream: a, tls: {certificate: c}, sni: [{match: a.edge, upstream: a}]}
            """,
            faults: [
                "edge.yaml:2:71: error: sni is read from TLS that passes through, and the listener on line 5 terminates it; remove tls there, or choose another key",
                "edge.yaml:3:71: error: header, cookie and path are read before TLS is, and the listener on line 6 terminates it; remove tls there, or choose another key",
                "edge.yaml:7:73: error: sni routes TLS that passes through, and tls terminates it; remove one of them",
            ]),
    ]
}
