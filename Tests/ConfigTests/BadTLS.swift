// Files that are no configs, with every line `check` prints of each: TLS.

extension BadFile {
    static let tls: [BadFile] = [
        BadFile(
            "Certificates of listeners, left out, twice or not in their place",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - {name: a, bind: 127.0.0.1:1, upstream: web, tls: {}}
            - {name: b, bind: 127.0.0.1:2, upstream: web, tls: {certificate: /c.pem, certificates: [{certificate: /d.pem}]}}
            - {name: c, bind: 127.0.0.1:3, upstream: web, tls: {key: /k.pem, certificates: [{certificate: /d.pem}]}}
            - {name: d, bind: 127.0.0.1:4, upstream: web, tls: {certificates: []}}
            - {name: e, bind: 127.0.0.1:5, upstream: web, tls: {certificates: [{key: /k.pem}, /c.pem]}}
            - {name: f, bind: 127.0.0.1:6, upstream: web, tls: {certificates: [{certificate: /c.pem}, {certificate: /d.pem}, {certificate: /c.pem}]}}
            - {name: g, bind: 127.0.0.1:7, upstream: web, tls: /c.pem}
            - {name: h, bind: 127.0.0.1:8, upstream: web, tls: {certificate: ~, ciphers: ALL}}
            - {name: i, bind: 127.0.0.1:9, upstream: web, tls: ~}
            """,
            faults: [
                "edge.yaml:3:52: error: tls needs certificates or certificate; add one",
                "edge.yaml:4:74: error: tls has certificates and certificate; keep one",
                "edge.yaml:5:53: error: key needs certificate; add it, or remove key",
                "edge.yaml:6:67: error: certificates is empty; add at least one certificate",
                "edge.yaml:7:68: error: a certificate needs certificate; add certificate: text of 1 to 4095 characters",
                #"edge.yaml:7:83: error: certificate is "/c.pem"; write a mapping with certificate or key"#,
                "edge.yaml:8:114: error: this certificate stands here already, on line 8; remove one",
                #"edge.yaml:9:52: error: tls is "/c.pem"; write a mapping with certificates, certificate, key, client_ca, client_auth, allow_san, alpn or min_version"#,
                "edge.yaml:10:53: error: certificate has no value; write text of 1 to 4095 characters",
                #"edge.yaml:10:69: error: unknown key "ciphers" in tls; its keys are certificates, certificate, key, client_ca, client_auth, allow_san, alpn, min_version"#,
                "edge.yaml:11:47: error: tls has no value; write a mapping with certificates, certificate, key, client_ca, client_auth, allow_san, alpn or min_version, or remove the key",
            ]),
        BadFile(
            "Rules for clients that nobody vouches for, and patterns that are none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - {name: a, bind: 127.0.0.1:1, upstream: web, tls: {certificate: /c.pem, client_auth: required}}
            - {name: b, bind: 127.0.0.1:2, upstream: web, tls: {certificate: /c.pem, allow_san: ["*.edge"]}}
            - {name: c, bind: 127.0.0.1:3, upstream: web, tls: {certificate: /c.pem, client_ca: /ca.pem, client_auth: sometimes}}
            - {name: d, bind: 127.0.0.1:4, upstream: web, tls: {certificate: /c.pem, client_ca: /ca.pem, allow_san: []}}
            - {name: e, bind: 127.0.0.1:5, upstream: web, tls: {certificate: /c.pem, client_ca: /ca.pem, allow_san: ["", "a b", ö.edge, "fd00::*", 5]}}
            - {name: f, bind: 127.0.0.1:6, upstream: web, tls: {certificate: /c.pem, client_ca: ""}}
            """,
            faults: [
                "edge.yaml:3:74: error: client_auth needs client_ca; add it, or remove client_auth",
                "edge.yaml:4:74: error: allow_san needs client_ca; add it, or remove allow_san",
                #"edge.yaml:5:107: error: client_auth "sometimes" is unknown; write required or optional"#,
                "edge.yaml:6:105: error: allow_san is empty; add at least one pattern",
                #"edge.yaml:7:106: error: pattern "" has 0 characters; write text of 1 to 1024 characters"#,
                "edge.yaml:7:110: error: this pattern of allow_san holds a blank or a character that is not ASCII; names in certificates hold none",
                "edge.yaml:7:117: error: this pattern of allow_san holds a blank or a character that is not ASCII; names in certificates hold none",
                #"edge.yaml:7:125: error: this pattern of allow_san "fd00::*" is an IPv6 address with a *; write addresses out"#,
                #"edge.yaml:7:136: error: pattern 5 is a number; write "5", in quotes"#,
                #"edge.yaml:8:85: error: client_ca "" has 0 characters; write text of 1 to 4095 characters"#,
            ]),
        BadFile(
            "Protocols and versions that are none",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - {name: a, bind: 127.0.0.1:1, upstream: web, tls: {certificate: /c.pem, alpn: [h2, http/1.1, h2]}}
            - {name: b, bind: 127.0.0.1:2, upstream: web, tls: {certificate: /c.pem, alpn: []}}
            - {name: c, bind: 127.0.0.1:3, upstream: web, tls: {certificate: /c.pem, alpn: ["", h2]}}
            - {name: e, bind: 127.0.0.1:5, upstream: web, tls: {certificate: /c.pem, min_version: 1.1}}
            - {name: f, bind: 127.0.0.1:6, upstream: web, tls: {certificate: /c.pem, min_version: TLSv1.3}}
            - {name: g, bind: 127.0.0.1:7, upstream: web, tls: {certificate: /c.pem, min_version: 1.3}}
            - {name: h, bind: 127.0.0.1:8, upstream: web, tls: {certificate: /c.pem, alpn: [\(String(repeating: "ü", count: 128))]}}
            """,
            faults: [
                #"edge.yaml:3:95: error: the protocol "h2" stands here already, on line 3; remove one"#,
                "edge.yaml:4:80: error: alpn is empty; add at least one protocol",
                #"edge.yaml:5:81: error: protocol "" has 0 characters; write text of 1 to 255 characters"#,
                #"edge.yaml:6:87: error: min_version "1.1" is unknown; did you mean 1.2?"#,
                #"edge.yaml:7:87: error: min_version "TLSv1.3" is unknown; write 1.2 or 1.3"#,
                "edge.yaml:9:81: error: this protocol's name has more than 255 bytes; write a shorter one",
            ]),
        BadFile(
            "TLS to endpoints that no certificate can name, and keys that are none",
            """
            membership: {bind: 127.0.0.1:7946}
            upstreams:
            - {name: a, endpoints: [10.0.0.1:80], tls: {server_name: "web edge"}}
            - {name: b, endpoints: [10.0.0.1:80], tls: {server_name: .edge}}
            - {name: c, endpoints: [10.0.0.1:80], tls: {server_name: ""}}
            - {name: d, endpoints: [10.0.0.1:80, "unix:/run/d", {address: "unix:/run/e"}], tls: {}}
            - {name: e, endpoints: ["unix:/run/e"], tls: {server_name: web..edge}}
            - {name: f, endpoints: [10.0.0.1:80], tls: {key: /k.pem}}
            - {name: g, endpoints: [10.0.0.1:80], tls: {verify: false}}
            - {name: h, endpoints: [10.0.0.1:80], tls: true}
            - {name: i, endpoints: [10.0.0.1:80], tls: {ca: ~}}
            listeners: [{name: in, bind: 127.0.0.1:1, upstream: a}]
            """,
            faults: [
                #"edge.yaml:3:58: error: server_name "web edge" is no host name; write one like ingest.edge.example"#,
                #"edge.yaml:4:58: error: server_name ".edge" is no host name; write one like ingest.edge.example"#,
                #"edge.yaml:5:58: error: server_name "" has 0 characters; write text of 1 to 253 characters"#,
                "edge.yaml:6:38: error: no certificate can name the endpoint unix:/run/d; write the name it bears as tls.server_name",
                "edge.yaml:6:63: error: no certificate can name the endpoint unix:/run/e; write the name it bears as tls.server_name",
                #"edge.yaml:7:60: error: server_name "web..edge" is no host name; write one like ingest.edge.example"#,
                "edge.yaml:8:45: error: key needs certificate; add it, or remove key",
                #"edge.yaml:9:45: error: unknown key "verify" in tls; its keys are ca, server_name, certificate, key"#,
                #"edge.yaml:10:44: error: tls is "true"; write a mapping with ca, server_name, certificate or key"#,
                "edge.yaml:11:45: error: ca has no value; write text of 1 to 4095 characters, or remove the key",
            ]),
    ]
}
