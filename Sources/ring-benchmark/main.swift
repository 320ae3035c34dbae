// What rings and tables cost: to build, to update when one member comes, and to look up a key.
//
//     swift run -c release ring-benchmark
//
// With `--lookups N` it builds one of each, looks up N keys and prints nothing: for valgrind, which counts allocations.

import Balancing
import Glibc
import Upstreams
import Vocabulary

let usage = "usage: ring-benchmark [--lookups N]"

func fail(_ message: String) -> Never {
    let text = Array("ring-benchmark: \(message)\n\(usage)\n".utf8)
    _ = unsafe write(STDERR_FILENO, text, text.count)
    exit(64)
}

/// Nanoseconds of processor time that `body` takes on this thread.
func nanoseconds(_ body: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        let answer = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        precondition(answer == 0, "Linux has this clock")
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let start = now()
    body()
    return now() - start
}

/// The fastest of some rounds: others on the machine only ever add time.
func fastest(_ rounds: Int, _ body: () -> Void) -> Double {
    (0..<rounds).reduce(.infinity) { fastest, _ in min(fastest, nanoseconds(body)) }
}

func members(_ count: Int) -> [HashedMember] {
    (0..<count).map { HashedMember(name: "edge-\($0).example", weight: Weight(50 + $0 % 100)) }
}

/// Looks up `count` keys; a sum of the owners, so that nothing is left out.
@inline(never)
func lookUp(_ count: Int, on ring: HashRing) -> UInt32 {
    var sum: UInt32 = 0
    for number in 0..<count {
        sum &+= ring.member(for: UInt64(number) &* 0x9E37_79B9_7F4A_7C15) { $0 & 15 != 3 } ?? 0
    }
    return sum
}

@inline(never)
func lookUp(_ count: Int, in table: MaglevTable) -> UInt32 {
    var sum: UInt32 = 0
    for number in 0..<count {
        sum &+= table.member(for: UInt64(number) &* 0x9E37_79B9_7F4A_7C15) { $0 & 15 != 3 } ?? 0
    }
    return sum
}

func pad(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(width - text.count, 0)) + text }

/// One line: what it costs with so many members.
func line(_ count: Int) -> String {
    let (before, after) = (members(count), members(count + 1))
    let ring = HashRing(before, virtualNodes: 160)
    let table = MaglevTable(before)
    let lookups = 100_000
    var sum: UInt32 = 0
    let figures = [
        fastest(5) { sum &+= UInt32(truncatingIfNeeded: HashRing(before, virtualNodes: 160).checksum) } / 1e6,
        fastest(5) { sum &+= UInt32(truncatingIfNeeded: ring.updated(to: after).checksum) } / 1e6,
        fastest(20) { sum &+= lookUp(lookups, on: ring) } / Double(lookups),
        fastest(5) { sum &+= UInt32(truncatingIfNeeded: MaglevTable(before).checksum) } / 1e6,
        fastest(20) { sum &+= lookUp(lookups, in: table) } / Double(lookups),
    ]
    // Nobody else reads the sum.
    withExtendedLifetime(sum) {}
    let texts = figures.map { pad("\(($0 * 100).rounded() / 100)", 12) }
    return pad("\(count)", 8) + pad("\(ring.pointCount)", 10) + pad("\(table.size)", 10) + texts.joined()
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case nil:
    print(
        pad("members", 8) + pad("points", 10) + pad("slots", 10) + pad("ring ms", 12) + pad("update ms", 12)
            + pad("lookup ns", 12) + pad("table ms", 12) + pad("lookup ns", 12))
    for count in [10, 1000, 10_000] { print(line(count)) }
case "--lookups":
    guard arguments.count == 2, let count = Int(arguments[1]), count > 0 else {
        fail("--lookups is a number above zero")
    }
    let sum =
        lookUp(count, on: HashRing(members(1000), virtualNodes: 160)) &+ lookUp(count, in: MaglevTable(members(1000)))
    withExtendedLifetime(sum) {}
case .some(let other): fail("unknown argument \(other)")
}
