// Whether one placed connection waits for an answer: what "outstanding" means for it.
//
//     placed ─► connecting ──established──► waiting ◄──client bytes── resting
//                   │                          │                         ▲
//                   └────endpoint bytes────────┴──endpoint bytes, 1 s────┘
//                                                 of silence both ways
//
// Bytes and silence are all it looks at, so it works for any protocol. Counting
// requests would need a parser for each; counting open connections would take an
// idle keep-alive pool for load.

/// One connection's part in its endpoint's outstanding count. Two bytes; a new value stands for a connection
/// just placed, which ``LoadCells/place(_:within:)`` has counted as waiting.
///
/// In TLS pass-through it counts for as long as it is open: what goes either way may be the protocol's own. Whether it
/// rests is told by the bytes there too, for who looks for a moment to close it in.
@frozen
@usableFromInline
package struct AnswerWait: Hashable, Sendable {
    /// Silence in both directions after which an established connection is taken not to wait.
    package static let silenceLimit: Duration = .seconds(1)

    @frozen
    @usableFromInline
    package enum Event: CaseIterable, Sendable {
        /// The endpoint took the connection.
        case established
        /// Bytes came from the client.
        case clientBytes
        /// Bytes came from the endpoint.
        case endpointBytes
        /// Nothing came from either for ``AnswerWait/silenceLimit``.
        case silence
    }

    /// What an event does to the endpoint's outstanding count.
    @frozen
    @usableFromInline
    package enum Change: Int8, Sendable {
        case stops = -1
        case none = 0
        case starts = 1
    }

    @usableFromInline
    enum Phase: UInt8, Sendable {
        /// Waits, and silence does not end that: the endpoint has not answered the connect.
        case connecting
        case waiting
        /// Answered, or silent: the next client byte is a question.
        case resting
    }

    @usableFromInline var phase: Phase
    @usableFromInline let isPassThrough: Bool

    /// - Parameter isPassThrough: TLS goes through as it is, or what else comes where it would.
    @inlinable
    package init(isPassThrough: Bool = false) {
        phase = .connecting
        self.isPassThrough = isPassThrough
    }

    /// Whether the connection counts as outstanding now.
    @inlinable
    package var isWaiting: Bool { isPassThrough || phase != .resting }

    /// Whether no question that can be seen is without an answer.
    @inlinable
    package var isResting: Bool { phase == .resting }

    @inlinable
    package mutating func observe(_ event: Event) -> Change {
        let change = advance(event)
        return isPassThrough ? .none : change
    }

    @inlinable
    mutating func advance(_ event: Event) -> Change {
        switch (phase, event) {
        case (.connecting, .established):
            phase = .waiting
            return .none
        // An endpoint that speaks has taken the connection, told so or not.
        case (.connecting, .endpointBytes), (.waiting, .endpointBytes), (.waiting, .silence):
            phase = .resting
            return .stops
        case (.resting, .clientBytes):
            phase = .waiting
            return .starts
        case (.connecting, .clientBytes), (.connecting, .silence), (.waiting, .established), (.waiting, .clientBytes),
            (.resting, .established), (.resting, .endpointBytes), (.resting, .silence):
            return .none
        }
    }
}
