// Instructions and heap allocations per pick, counted by valgrind.
//
// The program runs itself under valgrind, once with some picks and once with more;
// the difference over the difference is a pick's own share, start-up and adoption
// cancelled out. Hardware counters were not taken: virtual machines seldom have
// them. Nor was malloc's own book-keeping, which shows what is held, not what was
// allocated and freed at once.

import Glibc

/// What a child is to do `--picks` times.
enum CountedWork: Hashable {
    case pick(policy: String)
    /// Allocates one object: shows that allocations are seen.
    case control
}

struct Counts {
    var instructions: Double
    var allocations: Double

    private static let few = 1000
    private static let more = 3000

    /// nil where there is no valgrind to ask.
    init?(_ work: CountedWork, endpoints: Int, weights: String) {
        let job =
            switch work {
            case .pick(let policy): "--policy \(policy) --endpoints \(endpoints) --weights \(weights)"
            case .control: "--control"
            }
        func perPick(tool: String, marker: String) -> Double? {
            guard let few = Self.total(tool: tool, marker: marker, arguments: "\(job) --picks \(Self.few)"),
                let more = Self.total(tool: tool, marker: marker, arguments: "\(job) --picks \(Self.more)")
            else { return nil }
            return Double(more - few) / Double(Self.more - Self.few)
        }
        guard let instructions = perPick(tool: "callgrind --callgrind-out-file=/dev/null", marker: "Collected :"),
            let allocations = perPick(tool: "memcheck", marker: "total heap usage:")
        else { return nil }
        self.instructions = instructions
        self.allocations = allocations
    }

    /// The number after `marker` in what valgrind says of a run of this program.
    private static func total(tool: String, marker: String, arguments: String) -> Int? {
        guard let program = ownPath,
            let pipe = unsafe popen("valgrind --tool=\(tool) '\(program)' \(arguments) 2>&1", "r")
        else { return nil }
        defer { unsafe pclose(pipe) }
        var total: Int?
        var line = [CChar](repeating: 0, count: 4096)
        while unsafe fgets(&line, Int32(line.count), pipe) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard let found = text.firstRange(of: marker) else { continue }
            let digits = text[found.upperBound...].drop { $0 == " " }.prefix { $0.isNumber || $0 == "," }
            total = Int(digits.filter(\.isNumber))
        }
        return total
    }

    private static var ownPath: String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = unsafe readlink("/proc/self/exe", &path, path.count)
        guard length > 0 else { return nil }
        let text = String(decoding: path.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.contains("'") ? nil : text
    }
}
