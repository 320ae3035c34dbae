// The libFuzzer target for everything that reads a stranger's first bytes. `Tests/Fuzz/run` builds and runs it;
// no SwiftPM target does, since a normal build has no libFuzzer to link.
//
// The first byte of an input chooses the preface (modulo their number), the rest is what the client sent. A new preface joins by a
// line in `prefaces`; what must hold of its verdicts is already below.

import Routing
import Vocabulary

private let prefaces: [Preface] = [
    .proxyHeader, Preface(peek: .clientHello), Preface(takesProxyHeader: true, peek: .clientHello),
    Preface(peek: .request(.path)), Preface(takesProxyHeader: true, peek: .request(.header("host"))),
    Preface(peek: .request(.cookie("id"))),
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
        if let whole = lengthOfPeek(in: bytes, behind: length, preface, facts).map({ length + $0 }) {
            precondition(
                preface.examine(bytes.extracting(first: whole), of: socket) == verdict, "looks at what follows")
            if whole > 0 {
                let shorter = preface.examine(bytes.extracting(first: whole - 1), of: socket)
                precondition(isNeedMore(shorter), "decided early")
            }
        }
        precondition(
            preface.withoutPeek.examine(bytes, of: socket) == .done(length: length, facts: facts.withoutPeek),
            "what is looked at changes what is taken")
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

/// What the preface has read to its end, beyond the bytes that it takes; nil where it has found nothing of the kind.
private func lengthOfPeek(
    in bytes: Span<UInt8>, behind taken: Int, _ preface: Preface, _ facts: ConnectionFacts
) -> Int? {
    let rest = bytes.extracting(taken...)
    let limit = Preface.bound.bytes - taken
    switch preface.peek {
    case .nothing:
        return 0
    case .clientHello:
        guard case .hello(let hello, let length) = ClientHello.read(rest, within: limit) else {
            precondition(facts.hello == nil, "found a hello that is none")
            return nil
        }
        precondition(facts.hello == hello, "tells of another hello")
        precondition(hello.applicationProtocols.count <= ClientHello.protocolsRead, "keeps too many protocols")
        precondition(length <= limit, "reads beyond its bound")
        return length
    case .request(let part):
        switch RequestHead.read(part, in: rest, within: limit) {
        case .found(let value, let length):
            precondition(facts.requestPart == value && !value.isEmpty, "tells of another part")
            precondition(length <= limit && value.count <= length, "reads beyond its bound")
            return length
        case .absent(let length):
            precondition(facts.requestPart == nil && length <= limit, "found a part that is none")
            return length
        case .noHead:
            precondition(facts.requestPart == nil, "found a part of what is no head")
            return nil
        case .needMore:
            preconditionFailure("decided early")
        }
    }
}

extension ConnectionFacts {
    fileprivate var withoutPeek: ConnectionFacts {
        ConnectionFacts(peer: peer, local: local, authority: authority)
    }
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
