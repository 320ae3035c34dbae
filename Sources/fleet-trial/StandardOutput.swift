import Foundation

/// Where results and words on the way go.
enum StandardOutput {
    static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    /// On stderr, with an end of line.
    static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    static func json(_ report: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
    }
}

/// How busy the machine is: figures are worth less where others work as well.
enum LoadAverage {
    /// The three of proc(5), as text.
    static var now: String {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        return text.split(separator: " ").prefix(3).joined(separator: " ")
    }
}
