// Every fault is a promise to an operator: its place, what is wrong, what would be right. So the table below,
// in `Bad….swift`, compares whole outputs.

import Testing

@testable import Config

/// A file that is no config, and all that is printed about it.
struct BadFile: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let faults: [String]

    init(_ description: String, _ text: String, faults: [String]) {
        testDescription = description
        self.text = text + "\n"
        self.faults = faults
    }

    static let all =
        yaml + keys + kinds + numbers + durations + addresses + texts + choices + later + relations + membership
        + services + sources + rosters + hashing + routes + tls + accessLogs
}

@Suite("Faults")
struct FaultTests {
    @Test("A bad file ends in exactly these faults", arguments: BadFile.all)
    func faults(file: BadFile) {
        let faults = #expect(throws: ConfigFaults.self) {
            try ConfigFile.parse(file.text, file: "edge.yaml", hostName: "host")
        }
        #expect(faults?.description.split(separator: "\n").map(String.init) == file.faults)
    }

    @Test("The same faults are found when lines end in CR LF", arguments: BadFile.all)
    func carriageReturns(file: BadFile) {
        let text = file.text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        let faults = #expect(throws: ConfigFaults.self) {
            try ConfigFile.parse(text, file: "edge.yaml", hostName: "host")
        }
        #expect(faults?.description.split(separator: "\n").map(String.init) == file.faults)
    }

    @Test("A fault says file, line, column and message in the form that editors read")
    func form() {
        let fault = ConfigFault(file: "a b.yaml", line: 14, column: 19, message: "x; y")
        #expect("\(fault)" == "a b.yaml:14:19: error: x; y")
    }

    @Test("The first hundred faults are kept, in the order of the text, and the rest is counted")
    func bounded() {
        let tags = (0..<250).map { "x\($0): 1" }.joined(separator: "\n")
        let faults = #expect(throws: ConfigFaults.self) {
            try ConfigFile.parse("\(tags)\n", file: "f", hostName: "host")
        }
        #expect(faults?.faults.count == ConfigFaults.limit)
        // 250 unknown keys, and no listeners.
        #expect(faults?.omitted == 151)
        #expect(faults?.faults.dropFirst().map(\.line) == Array(1...99))
        #expect(faults?.description.hasSuffix("\nf: and 151 more") == true)
    }

    @Test("More faults than the log holds are counted as well")
    func overfull() {
        let tags = (0..<FaultLog.capacity + 5).map { "x\($0): 1\n" }.joined()
        let faults = #expect(throws: ConfigFaults.self) {
            try ConfigFile.parse(tags, file: "f", hostName: "host")
        }
        #expect(faults?.faults.count == ConfigFaults.limit)
        #expect(faults?.omitted == FaultLog.capacity + 6 - ConfigFaults.limit)
    }

    @Test("A value is quoted on one line, shortened, without control or invisible characters")
    func quoting() {
        #expect("a\"b\nc\td\u{1B}[31m\u{202E}".quoted == #""a\"b\nc\td\u{1b}[31m\u{202e}""#)
        #expect(String(repeating: "x", count: 60).quoted == "\"\(String(repeating: "x", count: 60))\"")
        #expect(String(repeating: "x", count: 61).quoted == "\"\(String(repeating: "x", count: 60))…\"")
    }

    @Test("A host name that cannot be a node's name is a fault, unless the config names the node")
    func hostName() throws {
        let text =
            "upstreams: [{name: web, endpoints: [10.0.0.1:80]}]\nlisteners: [{name: in, bind: 127.0.0.1:80, upstream: web}]\n"
        let faults = #expect(throws: ConfigFaults.self) {
            try ConfigFile.parse(text, file: "f", hostName: "my host")
        }
        #expect(
            faults?.description
                == #"f:1:1: error: the host name, default of node.name, "my host" has the character " "; write 1 to 64 letters, digits, '.', '_' or '-'; or set node.name"#
        )
        let configuration = try ConfigFile.parse(text + "node: {name: edge}\n", file: "f", hostName: "my host")
        #expect(configuration.node.name == "edge")
    }
}
