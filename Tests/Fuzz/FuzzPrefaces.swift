// The libFuzzer target for everything that reads a stranger's first bytes. `Tests/Fuzz/run` builds and runs it;
// no SwiftPM target does, since a normal build has no libFuzzer to link.
//
// The first byte of an input chooses the preface (modulo their number), the rest is what the client sent. A new preface joins by a
// line in `prefaces`; what must hold of its verdicts is already below.

import Routing
import Vocabulary

private let prefaces: [Preface] = [
    .proxyHeader, .clientHello(afterProxyHeader: false), .clientHello(afterProxyHeader: true),
]

private let socket = ConnectionFacts(peer: .ipv4(.loopback, port: 1), local: .ipv4(.loopback, port: 2))

/// Called by libFuzzer with every input it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer hands over a block of exactly `count` bytes, so AddressSanitizer sees every step beyond it.
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    guard let choice = unsafe input.first else { return 0 }
    let preface = prefaces[Int(choice) % prefaces.count]
    let bytes = unsafe Span(_unsafeElements: input).extracting(1...)

    let verdict = preface.examine(bytes, of: socket)
    switch verdict {
    case .needMore(let wanted):
        precondition(wanted > bytes.count && wanted <= Preface.bound.bytes, "asks for too little or too much")
    case .done(let length, let facts):
        precondition(length <= bytes.count && length <= Preface.bound.bytes, "takes more than there is")
        let whole = length + lengthOfHello(in: bytes, behind: length, preface)
        precondition(preface.examine(bytes.extracting(first: whole), of: socket) == verdict, "looks at what follows")
        if whole > 0 {
            precondition(isNeedMore(preface.examine(bytes.extracting(first: whole - 1), of: socket)), "decided early")
        }
        checkRoundTrip(of: ProxyHeader(relaying: facts))
    case .malformed(let fault):
        precondition(fault.description.utf8.count < 120, "says too much")
    }
    // Waiting for what is asked, or for the end of what comes, must lead to the same verdict.
    var held = 0
    while held < bytes.count, case .needMore(let wanted) = preface.examine(bytes.extracting(first: held), of: socket) {
        precondition(wanted > held, "asks for what is there")
        held = min(wanted, bytes.count)
    }
    precondition(preface.examine(bytes.extracting(first: held), of: socket) == verdict, "depends on how bytes come")
    return 0
}

/// What the preface has looked at beyond the bytes that it takes.
private func lengthOfHello(in bytes: Span<UInt8>, behind taken: Int, _ preface: Preface) -> Int {
    guard case .clientHello = preface else { return 0 }
    guard case .hello(let hello, let length) = ClientHello.read(bytes.extracting(taken...)) else {
        preconditionFailure("found a hello that is none")
    }
    precondition(hello.applicationProtocols.count <= ClientHello.protocolsRead, "keeps too many protocols")
    precondition(taken + length <= Preface.bound.bytes, "reads beyond its bound")
    return length
}

private func isNeedMore(_ verdict: PrefaceVerdict) -> Bool {
    if case .needMore = verdict { true } else { false }
}

private func checkRoundTrip(of header: ProxyHeader) {
    guard case .relayed(let source, let destination) = header, source.family == destination.family,
        source.port != nil
    else { return }
    for version in ProxyProtocolVersion.allCases {
        var room = [UInt8](repeating: 0, count: ProxyHeader.longestEncoding)
        var output = room.mutableSpan
        let length = header.encode(as: version, into: &output)
        precondition(ProxyHeader.read(room.span) == .header(header, length: length), "does not read what it wrote")
    }
}
