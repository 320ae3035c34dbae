// What a pick costs: by policy, number of endpoints and weights; and what a change of endpoints costs.
//
//     swift run -c release pick-benchmark            the whole table, some minutes
//     swift run -c release pick-benchmark --json     the same as one object
//
// With `--picks N` it makes N picks of one kind and prints nothing: for valgrind or perf.

import Glibc
import Upstreams

let usage = """
    usage: pick-benchmark [--policy NAME] [--endpoints N] [--weights equal|mixed] [--json]
           pick-benchmark --policy NAME --endpoints N --weights equal|mixed --picks N
    """

func fail(_ message: String) -> Never {
    let text = Array("pick-benchmark: \(message)\n\(usage)\n".utf8)
    _ = unsafe write(STDERR_FILENO, text, text.count)
    exit(64)
}

var algorithms = Algorithm.all
var sizes = [10, 1000, 10_000]
var weights = Scenario.Weights.allCases
var picks: Int?
var json = false
var control = false

var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--json": json = true
    // Not in the usage: the program's own positive control, see Counting.swift.
    case "--control": control = true
    case "--policy", "--endpoints", "--weights", "--picks":
        guard let value = arguments.popFirst() else { fail("\(argument) needs a value") }
        switch argument {
        case "--policy":
            guard let algorithm = Algorithm.all.first(where: { $0.name == value }) else {
                fail("no policy \(value); there are \(Algorithm.all.map(\.name).joined(separator: ", "))")
            }
            algorithms = [algorithm]
        case "--endpoints":
            guard let count = Int(value), (1...200_000).contains(count) else { fail("--endpoints is 1 to 200000") }
            sizes = [count]
        case "--weights":
            guard let kind = Scenario.Weights(rawValue: value) else { fail("--weights is equal or mixed") }
            weights = [kind]
        default:
            guard let count = Int(value), count > 0 else { fail("--picks is a number above zero") }
            picks = count
        }
    default: fail("unknown argument \(argument)")
    }
}

if control {
    allocateObjects(picks ?? 1)
} else if let picks {
    guard algorithms.count == 1, sizes.count == 1, weights.count == 1 else {
        fail("--picks needs --policy, --endpoints and --weights")
    }
    let cells = LoadCells()
    let scenario = Scenario(algorithm: algorithms[0], endpoints: sizes[0], weights: weights[0])
    var worker = Worker(cells: cells, snapshot: scenario.snapshot(cells: cells), seed: 1)
    worker.work(picks)
} else {
    let report = PickReport(algorithms: algorithms, sizes: sizes, weights: weights)
    print(json ? report.json : report.table)
}

/// One object for each of `count`, freed at once.
@inline(never)
func allocateObjects(_ count: Int) {
    for value in 0..<count { escape([value]) }
}

/// Keeps the optimiser from placing `value` on the stack.
@inline(never)
@_optimize(none)
func escape(_ value: [Int]) { _ = value }
