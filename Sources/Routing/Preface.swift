// The stage between accept and pick: what a listener reads ahead of the bytes that it forwards.
//
// A preface is asked the same question whenever more bytes have come: given everything read so far, from the
// first byte on, what now? It keeps no state between two questions, so the worker needs one held block and a
// length and nothing else, and bytes that come one by one mean the same as bytes that come at once. A parser
// that remembers where it stopped was not taken: prefaces come whole in their first segment, and what reading
// again could cost is bounded.

package import Vocabulary

/// What a listener reads of a connection before it chooses an endpoint.
package enum Preface: Hashable, Sendable {
    /// Nothing: the first byte already belongs to the endpoint.
    case none
    /// A PROXY header, version 1 or 2. It must be there; whether it is, is never guessed from the bytes, or
    /// anybody could send one.
    case proxyHeader
    /// A ClientHello, of which nothing is taken: all of it belongs to the endpoint, and so does the rest of TLS.
    case clientHello(afterProxyHeader: Bool)

    /// The most bytes that a preface may take, and so the most that are held for a connection without endpoint.
    /// A longer one is malformed.
    package static let bound = ByteCount.kibibytes(16)

    /// Looks at everything read so far.
    /// - Parameter socket: the facts as the socket gives them.
    /// - Returns: as much as `bytes` decide; never `.needMore` once they are ``bound`` bytes.
    package func examine(_ bytes: Span<UInt8>, of socket: ConnectionFacts) -> PrefaceVerdict {
        switch self {
        case .none:
            return .done(length: 0, facts: socket)
        case .proxyHeader:
            switch ProxyHeader.read(bytes) {
            case .needMore(let count): return .needMore(atLeast: count)
            case .header(let header, let length): return .done(length: length, facts: header.facts(over: socket))
            case .malformed(let fault): return .malformed(.proxyHeader(fault))
            }
        case .clientHello(afterProxyHeader: false):
            return Preface.examineHello(bytes, behind: 0, facts: socket)
        case .clientHello(afterProxyHeader: true):
            let verdict = Preface.proxyHeader.examine(bytes, of: socket)
            guard case .done(let length, let facts) = verdict else { return verdict }
            return Preface.examineHello(bytes.extracting(length...), behind: length, facts: facts)
        }
    }

    /// - Parameter taken: bytes of the preface before those of the hello.
    private static func examineHello(_ bytes: Span<UInt8>, behind taken: Int, facts: ConnectionFacts) -> PrefaceVerdict
    {
        switch ClientHello.read(bytes, within: bound.bytes - taken) {
        case .needMore(let count):
            return .needMore(atLeast: taken + count)
        case .hello(let hello, _):
            var facts = facts
            facts.hello = hello
            return .done(length: taken, facts: facts)
        case .malformed(let fault):
            return .malformed(.clientHello(fault))
        }
    }
}

/// What the bytes read so far come to.
package enum PrefaceVerdict: Hashable, Sendable {
    /// A beginning. It cannot be decided before `atLeast` bytes are there, counted from the first one: always
    /// more than there are, and never more than a whole preface may have, so waiting for them is safe even
    /// where the client sends nothing after the preface. Whoever asks with fewer may learn sooner that they are
    /// malformed.
    case needMore(atLeast: Int)
    /// The preface takes the first `length` bytes; all after it belong to the endpoint, those too that were only
    /// looked at.
    case done(length: Int, facts: ConnectionFacts)
    /// No byte that could still come makes a preface of it: close the connection, as an abort.
    case malformed(PrefaceFault)
}

/// What the peer did wrong, by the stage that found it.
package enum PrefaceFault: Error, Hashable, Sendable, CustomStringConvertible {
    case proxyHeader(ProxyHeaderFault)
    case clientHello(ClientHelloFault)

    /// One short sentence for the log; echoes at most one byte of the peer's, escaped.
    package var description: String {
        switch self {
        case .proxyHeader(let fault): fault.description
        case .clientHello(let fault): fault.description
        }
    }
}

extension ListenerOptions {
    /// What this listener reads ahead.
    package var preface: Preface { acceptProxyProtocol ? .proxyHeader : .none }
}
