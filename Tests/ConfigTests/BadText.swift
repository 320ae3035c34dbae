// Files that are no configs, with every line `check` prints of each: texts and keys.

extension BadFile {
    /// What is no YAML, or YAML that a config cannot use.
    static let yaml: [BadFile] = [
        BadFile(
            "An empty file",
            "",
            faults: [
                "edge.yaml:1:1: error: the file is empty; a config has at least one listener, and an upstream for it"
            ]),
        BadFile(
            "Only a comment",
            "# nothing yet",
            faults: [
                "edge.yaml:1:1: error: the file is empty; a config has at least one listener, and an upstream for it"
            ]),
        BadFile(
            "A null document",
            """
            ---
            ...
            """,
            faults: [
                "edge.yaml:2:1: error: the config has no value; write a mapping with node, membership, services, upstreams, listeners, admin, access_log or shutdown"
            ]),
        BadFile(
            "A list at the top",
            """
            - web
            - in
            """,
            faults: [
                "edge.yaml:1:1: error: the config is a list; write a mapping with node, membership, services, upstreams, listeners, admin, access_log or shutdown"
            ]),
        BadFile(
            "Text at the top",
            "hello",
            faults: [
                #"edge.yaml:1:1: error: the config is "hello"; write a mapping with node, membership, services, upstreams, listeners, admin, access_log or shutdown"#
            ]),
        BadFile(
            "A second document",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            ---
            admin: {}
            """,
            faults: [
                "edge.yaml:4:1: error: a second YAML document starts here; join them into one"
            ]),
        BadFile(
            "A tab as indentation",
            """
            listeners:
            	- name: in
            """,
            faults: [
                "edge.yaml:2:1: error: a tab cannot indent; indent with spaces"
            ]),
        BadFile(
            "A tab within a block",
            """
            node:
              name: a
            	zone: b
            """,
            faults: [
                "edge.yaml:3:1: error: not YAML: found a tab character that violates indentation while scanning a plain scalar from line 2; indent with spaces"
            ]),
        BadFile(
            "A quote left open",
            #"node: {name: "edge}"#,
            faults: [
                "edge.yaml:2:1: error: not YAML: found unexpected end of stream while scanning a quoted scalar from line 1; close the quote or bracket"
            ]),
        BadFile(
            "A bracket left open",
            "node: {tags: [",
            faults: [
                "edge.yaml:2:1: error: not YAML: did not find expected node content while parsing a flow node; check indentation, quotes and brackets up to here"
            ]),
        BadFile(
            "A colon within plain text",
            "node: name: edge",
            faults: [
                #"edge.yaml:1:11: error: not YAML: mapping values are not allowed in this context; put text that contains ": " in quotes, or mend the indentation"#
            ]),
        BadFile(
            "An entry out of line",
            """
            node:
              name: edge
             zone: b
            """,
            faults: [
                "edge.yaml:3:2: error: not YAML: did not find expected key while parsing a block mapping from line 1; align it with the entries above"
            ]),
        BadFile(
            "A reserved character",
            "node: {name: @edge}",
            faults: [
                #"edge.yaml:1:14: error: plain text cannot begin with "@"; put it in quotes"#
            ]),
        BadFile(
            "An unknown escape",
            #"node: {name: "a\qb"}"#,
            faults: [
                #"edge.yaml:1:16: error: not YAML: found unknown escape character while parsing a quoted scalar; write \\ for a backslash, or use single quotes"#
            ]),
        BadFile(
            "A control character",
            "node: {name: \"a\u{1}b\"}",
            faults: [
                "edge.yaml:1:16: error: the character U+0001 is not allowed here; remove it"
            ]),
        BadFile(
            "A character kept for stand-ins",
            "node: {name: \"\u{100000}\"}",
            faults: [
                "edge.yaml:1:15: error: the character U+100000 is not allowed here; remove it"
            ]),
        BadFile(
            "A tag",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {name: !!binary ZWRnZQ==}
            """,
            faults: [
                #"edge.yaml:3:14: error: the tag "tag:yaml.org,2002:binary" is not supported; remove it"#
            ]),
        BadFile(
            "A tag of ours on a mapping and on a list",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: !list [{}]
            node: !node {name: a}
            """,
            faults: [
                #"edge.yaml:2:12: error: the tag "!list" is not supported; remove it"#,
                #"edge.yaml:3:7: error: the tag "!node" is not supported; remove it"#,
            ]),
        BadFile(
            "A merge key",
            """
            defaults: &d {protocol: tcp}
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{<<: *d, name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:1: error: unknown key "defaults" in the config; its keys are node, membership, services, upstreams, listeners, admin, access_log, shutdown"#,
                "edge.yaml:3:14: error: merge keys (<<) are not supported; write the keys out",
            ]),
        BadFile(
            "An alias without an anchor",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {zone: *here}
            """,
            faults: [
                #"edge.yaml:3:14: error: no anchor &here stands before the alias "*here"; define it above, or write the value out"#
            ]),
        BadFile(
            "An alias inside its own anchor",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: &t {a: *t}}
            """,
            faults: [
                #"edge.yaml:3:21: error: no anchor &t stands before the alias "*t"; define it above, or write the value out"#
            ]),
        BadFile(
            "An alias as a key",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {name: &n edge, tags: {*n : x}}
            """,
            faults: [
                "edge.yaml:3:30: error: a key is neither a list, a mapping nor an alias; write its name"
            ]),
        BadFile(
            "A list as a key",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            ? [a, b]
            : c
            """,
            faults: [
                "edge.yaml:3:3: error: a key is neither a list, a mapping nor an alias; write its name"
            ]),
        BadFile(
            "A fault seen through an alias keeps the alias' place",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - {name: a, bind: 127.0.0.1:1, upstream: &u webb}
            - {name: b, bind: 127.0.0.1:2, upstream: *u}
            """,
            faults: [
                #"edge.yaml:3:42: error: there is no upstream named "webb"; did you mean web?"#,
                #"edge.yaml:4:42: error: there is no upstream named "webb"; did you mean web?"#,
            ]),
        BadFile(
            "Nesting without end",
            "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
            faults: [
                "edge.yaml:1:1: error: the config needs listeners; add listeners: a list with at least one listener",
                #"edge.yaml:1:1: error: unknown key "a" in the config; its keys are node, membership, services, upstreams, listeners, admin, access_log, shutdown"#,
                "edge.yaml:1:35: error: nested too deeply; at most 32 levels are allowed",
            ]),
    ]

    /// Keys that are unknown, or twice.
    static let keys: [BadFile] = [
        BadFile(
            "An unknown key with a near one",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admn: 127.0.0.1:9901
            """,
            faults: [
                #"edge.yaml:3:1: error: unknown key "admn" in the config; did you mean admin?"#
            ]),
        BadFile(
            "An unknown key with none near",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            colour: red
            """,
            faults: [
                #"edge.yaml:3:1: error: unknown key "colour" in the config; its keys are node, membership, services, upstreams, listeners, admin, access_log, shutdown"#
            ]),
        BadFile(
            "Swapped letters in a listener's key",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
            - name: in
              bidn: 127.0.0.1:80
              bind: 127.0.0.1:80
              upstream: web
            """,
            faults: [
                #"edge.yaml:4:3: error: unknown key "bidn" in a listener; did you mean bind?"#
            ]),
        BadFile(
            "An unknown key near a later one",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            acces_log: {path: /tmp/a}
            """,
            faults: [
                #"edge.yaml:3:1: error: unknown key "acces_log" in the config; did you mean access_log?"#
            ]),
        BadFile(
            "An unknown key in an endpoint",
            """
            upstreams: [{name: web, endpoints: [{address: 10.0.0.1:80, wieght: 5}]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            """,
            faults: [
                #"edge.yaml:1:60: error: unknown key "wieght" in an endpoint; did you mean weight?"#
            ]),
        BadFile(
            "An empty key",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            "": 1
            """,
            faults: [
                #"edge.yaml:3:1: error: unknown key "" in the config; its keys are node, membership, services, upstreams, listeners, admin, access_log, shutdown"#
            ]),
        BadFile(
            "A key twice, and another fault after it",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node:
              name: a
              zone: b
              name: c
            admin: {bind: 9901}
            """,
            faults: [
                #"edge.yaml:6:3: error: the key "name" stands in this mapping already, on line 4; keep one"#,
                #"edge.yaml:7:15: error: bind "9901" has no host; write one before the port, as in 127.0.0.1:9901"#,
            ]),
        BadFile(
            "A key three times",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            shutdown: {drain: 1s, drain: 2s, drain: 3s}
            """,
            faults: [
                #"edge.yaml:3:23: error: the key "drain" stands in this mapping already, on line 3; keep one"#,
                #"edge.yaml:3:34: error: the key "drain" stands in this mapping already, on line 3; keep one"#,
            ]),
        BadFile(
            "A key twice, once in quotes",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {"zone": a, zone: b}
            """,
            faults: [
                #"edge.yaml:3:19: error: the key "zone" stands in this mapping already, on line 3; keep one"#
            ]),
        BadFile(
            "Keys twice in two mappings",
            """
            upstreams:
            - {name: web, name: web, endpoints: [10.0.0.1:80]}
            listeners:
            - {name: in, bind: 127.0.0.1:80, bind: 127.0.0.1:81, upstream: web}
            """,
            faults: [
                #"edge.yaml:2:15: error: the key "name" stands in this mapping already, on line 2; keep one"#,
                #"edge.yaml:4:34: error: the key "bind" stands in this mapping already, on line 4; keep one"#,
            ]),
        BadFile(
            "A section twice",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            admin: 127.0.0.1:1
            admin: 127.0.0.1:2
            """,
            faults: [
                #"edge.yaml:4:1: error: the key "admin" stands in this mapping already, on line 3; keep one"#
            ]),
        BadFile(
            "A key with a star twice",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: {"*a": x, "*a": y}}
            """,
            faults: [
                #"edge.yaml:3:15: error: the name "*a" has the character "*"; write 1 to 64 letters, digits, '.', '_' or '-'"#,
                #"edge.yaml:3:24: error: the key "*a" stands in this mapping already, on line 3; keep one"#,
            ]),
        BadFile(
            "An anchored key twice",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {&a zone: x, &b zone: y}
            """,
            faults: [
                #"edge.yaml:3:8: error: the key "zone" stands more than once in this mapping; keep one"#
            ]),
        BadFile(
            "Columns count characters, not bytes",
            """
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners: [{name: in, bind: 127.0.0.1:80, upstream: web}]
            node: {tags: {a: "äöü€😀"}, zoen: b}
            """,
            faults: [
                #"edge.yaml:3:28: error: unknown key "zoen" in node; did you mean zone?"#
            ]),
    ]
}
