// What churn costs while traffic runs: a fleet of members that serve one upstream, of which some change all the time,
// and real connections through real workers to every one of them.
//
//     swift run -c release discovery-benchmark           5,000 endpoints, 100 changes a second, about two minutes
//     swift run -c release discovery-benchmark --json    the same as one object
//
// One process: the data plane's workers, the control loop of a node without its gossip, clients, and a server that
// listens at every endpoint's own address of 127/8. The kernel counts each thread's processor time, so each has its own
// column. Stretches without changes come before and after, with the same load: the machine's own unrest is seen in them.
//
// Not taken: a fleet of 5,000 processes. What gossip costs is another question, and a change is the same to discovery
// whoever tells of it.

import Glibc
import Reactor

let usage = """
    usage: discovery-benchmark [--endpoints N] [--changes PER-SECOND] [--connections PER-SECOND] [--seconds N]
                               [--stretches N] [--workers N] [--json]

    """

func fail(_ message: String, code: Int32 = 64) -> Never {
    let text = Array("discovery-benchmark: \(message)\n\(code == 64 ? usage : "")".utf8)
    _ = unsafe write(STDERR_FILENO, text, text.count)
    exit(code)
}

var plan = ChurnPlan()
var json = false

var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    func number(_ range: ClosedRange<Int>) -> Int {
        guard let text = arguments.popFirst(), let value = Int(text), range.contains(value) else {
            fail("\(argument) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
    switch argument {
    case "--json": json = true
    case "--endpoints": plan.endpoints = number(10...15_000)
    case "--changes": plan.changesPerSecond = number(1...10_000)
    case "--connections": plan.connectionsPerSecond = number(1...20_000)
    case "--seconds": plan.secondsPerStretch = number(1...3_600)
    case "--stretches": plan.churningStretches = number(1...100)
    case "--workers": plan.workers = number(1...16)
    default: fail("unknown argument \(argument)")
    }
}

Kernel.ignoreBrokenPipes()
let descriptors = Kernel.raiseDescriptorLimit()
guard descriptors >= plan.endpoints + 2_000 else {
    fail(
        "\(plan.endpoints) endpoints take \(plan.endpoints + 2_000) descriptors; raise the limit (ulimit -n)", code: 69)
}
do {
    let report = try ChurnRun(plan, descriptors: descriptors).report()
    print(json ? report.json : report.table, terminator: "")
    guard report.isWell else { fail("connections failed or did not come about: the figures mean nothing", code: 1) }
} catch {
    fail("\(error)", code: 70)
}
