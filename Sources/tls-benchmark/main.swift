// What TLS costs: handshakes, bytes in bulk, and memory of connections that are idle.
//
//     swift run -c release tls-benchmark CERTIFICATE KEY
//     swift run -c release tls-benchmark CERTIFICATE KEY --only bulk --times 1000
//
// CERTIFICATE is self-signed or an authority's own, since the client trusts it alone; it is for the name a.edge:
//
//     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=a.edge \
//         -addext subjectAltName=DNS:a.edge -keyout key.pem -out certificate.pem
//
// Client and server share one thread, so a handshake's time is that of both ends, as the processor's clock counts it;
// `bulk` tells the two apart. With `--times N` the work is done N times and nothing is printed: for strace and valgrind.

import TLS

var (paths, chosen, times, piece): ([String], [String], Int?, Int) = ([], Usage.works, nil, Wire.largestWrite)
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    guard argument.hasPrefix("--") else {
        paths.append(argument)
        continue
    }
    guard let value = arguments.popFirst() else { fail("\(argument) needs a value") }
    switch argument {
    case "--only":
        guard Usage.works.contains(value) else { fail("there is no work \(value)") }
        chosen = [value]
    case "--times":
        guard let count = Int(value), count > 0 else { fail("--times is a number above zero") }
        times = count
    case "--piece":
        guard let size = Int(value), size > 0 else { fail("--piece is a number above zero") }
        piece = size << 10
    default: fail("unknown argument \(argument)")
    }
}
guard paths.count == 2 else { fail("a certificate and its key are needed") }

let bench = Bench(certificate: paths[0], key: paths[1], piece: piece)

for work in chosen {
    switch (work, times) {
    case ("full", let count?): for _ in 0..<count { bench.handshake(resuming: false) }
    case ("resumed", let count?): for _ in 0..<count { bench.handshake(resuming: true) }
    case ("bulk", let count?): _ = bench.move(count)
    case ("idle", let count?): print("idle connection: \(bench.idleBytes(count)) resident bytes")
    case ("full", nil), ("resumed", nil):
        let cost = bench.handshakeCost(resuming: work == "resumed")
        print("\(work) handshake: \(text(cost)) µs for both ends, \(Int(1_000_000 / cost)) a second")
    case ("bulk", nil):
        _ = bench.move(500)
        let rounds = (2 << 30) / piece
        let (sending, receiving) = bench.move(rounds)
        let total = Double(rounds * piece)
        print(
            "bulk, \(piece >> 10) KiB at once: \(text(total / Double(sending), 2)) GB/s sent,"
                + " \(text(total / Double(receiving), 2)) GB/s received, by one core each")
    case ("idle", nil): print("idle connection: \(bench.idleBytes(5000)) resident bytes")
    default: fail("there is no work \(work)")
    }
}
