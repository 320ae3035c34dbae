// The stage between accept and pick: what a listener reads ahead of the bytes that it forwards.
//
//     [PROXY header, taken] [first TLS message or HTTP/1 head, looked at] all that follows
//
// A preface is asked the same question whenever more bytes have come: given everything read so far, from the
// first byte on, what now? It keeps no state between two questions, so the worker needs one held block and a
// length and nothing else, and bytes that come one by one mean the same as bytes that come at once. A parser
// that remembers where it stopped was not taken: prefaces come whole in their first segment, and what reading
// again could cost is bounded.
//
// The two parts differ in what becomes of a connection without them. A header has to be there, or anybody could
// pretend to be anybody: without it the connection is refused. What is only looked at is a hint: a connection that
// has none goes on as if nobody had looked. So whoever waits for it may stop at any time, by asking ``withoutPeek``.

package import Vocabulary

/// What a listener reads of a connection before it chooses an endpoint.
package struct Preface: Hashable, Sendable {
    /// A PROXY header, version 1 or 2, must come first. Whether one does is never guessed from the bytes, or
    /// anybody could send one.
    package var takesProxyHeader: Bool
    package var peek: Peek

    /// What is looked at and left where it is: all of it belongs to the endpoint.
    package enum Peek: Hashable, Sendable {
        case nothing
        /// The first message of TLS.
        case clientHello
        /// A part of the first HTTP/1 request head.
        case request(RequestPart)
    }

    package init(takesProxyHeader: Bool = false, peek: Peek = .nothing) {
        self.takesProxyHeader = takesProxyHeader
        self.peek = peek
    }

    /// Nothing: the first byte already belongs to the endpoint.
    package static let none = Preface()
    package static let proxyHeader = Preface(takesProxyHeader: true)

    /// What there is left to wait for where nobody wants to look any longer.
    package var withoutPeek: Preface { Preface(takesProxyHeader: takesProxyHeader) }

    /// The most bytes that a preface may take and look at, and so the most that are held for a connection without
    /// endpoint. A longer header is malformed; what is longer otherwise is not looked at any further.
    package static let bound = ByteCount.kibibytes(16)

    /// Looks at everything read so far.
    /// - Parameter socket: the facts as the socket gives them, asked for when all is decided.
    /// - Returns: as much as `bytes` decide; never `.needMore` once they are ``bound`` bytes.
    package func examine(_ bytes: Span<UInt8>, of socket: @autoclosure () -> ConnectionFacts) -> PrefaceVerdict {
        guard takesProxyHeader else { return look(at: bytes, behind: 0) { socket() } }
        switch ProxyHeader.read(bytes) {
        case .needMore(let count): return .needMore(atLeast: count)
        case .malformed(let fault): return .malformed(.proxyHeader(fault))
        case .header(let header, let length):
            return look(at: bytes.extracting(length...), behind: length) {
                var facts = header.facts(over: socket())
                facts.authority = ProxyHeader.authority(in: bytes.extracting(first: length))
                return facts
            }
        }
    }

    /// - Parameters:
    ///   - bytes: those behind the header.
    ///   - taken: bytes of the header.
    ///   - known: what is known without looking.
    private func look(
        at bytes: Span<UInt8>, behind taken: Int, _ known: () -> ConnectionFacts
    ) -> PrefaceVerdict {
        let limit = Preface.bound.bytes - taken
        switch peek {
        case .nothing:
            return .done(length: taken, facts: known())
        case .clientHello:
            switch ClientHello.read(bytes, within: limit) {
            case .needMore(let count):
                return .needMore(atLeast: taken + count)
            case .hello(let hello, _):
                var facts = known()
                facts.hello = hello
                return .done(length: taken, facts: facts)
            case .malformed:
                return .done(length: taken, facts: known())
            }
        case .request(let part):
            switch RequestHead.read(part, in: bytes, within: limit) {
            case .needMore:
                return .needMore(atLeast: taken + bytes.count + 1)
            case .found(let value, _):
                var facts = known()
                facts.requestPart = value
                return .done(length: taken, facts: facts)
            case .absent, .noHead:
                return .done(length: taken, facts: known())
            }
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
    /// looked at. What was looked for and is not there is missing in the facts.
    case done(length: Int, facts: ConnectionFacts)
    /// No byte that could still come makes a preface of it: close the connection, as an abort.
    case malformed(PrefaceFault)
}

/// What the peer did wrong, by the stage that found it.
package enum PrefaceFault: Error, Hashable, Sendable, CustomStringConvertible {
    case proxyHeader(ProxyHeaderFault)

    /// One short sentence for the log; echoes at most one byte of the peer's, escaped.
    package var description: String {
        switch self {
        case .proxyHeader(let fault): fault.description
        }
    }
}

extension ListenerOptions {
    /// What this listener reads ahead, whatever the upstreams want to know.
    package var preface: Preface {
        Preface(takesProxyHeader: acceptProxyProtocol, peek: serverNames.isEmpty ? .nothing : .clientHello)
    }
}
