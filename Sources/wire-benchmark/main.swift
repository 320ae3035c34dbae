// What a datagram of gossip costs from bytes to messages and back, with its layers.
//
//     swift run -c release wire-benchmark
//     swift run -c release wire-benchmark --only sealed
//
// With `--times N` it does the work N times and prints nothing: for valgrind, which counts instructions and allocations
// (`.ci/gates --only wire`).

import Glibc
import Vocabulary

let usage = "usage: wire-benchmark [--only \(Work.names.joined(separator: "|"))] [--times N]"

func fail(_ message: String) -> Never {
    let text = Array("wire-benchmark: \(message)\n\(usage)\n".utf8)
    _ = unsafe write(STDERR_FILENO, text, text.count)
    exit(64)
}

var names = Work.names
var times: Int?
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    guard let value = arguments.popFirst() else { fail("\(argument) needs a value") }
    switch argument {
    case "--only":
        guard Work.names.contains(value) else { fail("there is no work \(value)") }
        names = [value]
    case "--times":
        guard let count = Int(value), count > 0 else { fail("--times is a number above zero") }
        times = count
    default: fail("unknown argument \(argument)")
    }
}

/// This thread's processor time in nanoseconds.
func processorTime() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

if times == nil { print("datagram              bytes   written ns   read ns") }
for name in names {
    var work = Work(name)
    if let times {
        for _ in 0..<times {
            work.write()
            work.read()
        }
        continue
    }
    func nanoseconds(_ body: () -> Void) -> Double {
        let rounds = 100_000
        for _ in 0..<rounds / 10 { body() }
        let start = processorTime()
        for _ in 0..<rounds { body() }
        return Double(processorTime() - start) / Double(rounds)
    }
    let written = nanoseconds { work.write() }
    let read = nanoseconds { work.read() }
    func column(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
    }
    let label = name + String(repeating: " ", count: max(0, 18 - name.utf8.count))
    print(label + column(work.length, 9) + column(Int(written.rounded()), 13) + column(Int(read.rounded()), 10))
}
