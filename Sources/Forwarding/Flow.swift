// One direction of a connection: bytes go from a source to a sink, until the
// source ends and the sink has been told.
//
// A flow remembers edges (epoll reports each once) and decides what to do next;
// its owner does it and says how it went. So every rule about half-close,
// backpressure and when to splice is here, without a socket, and the owner is a
// loop around `next()`.
//
// Two traps of edge triggering are the reason for its flags. An end that arrives
// while the sink is blocked is reported once, so it is remembered until the bytes
// before it are through. And a read that was not short may have left something, so
// the source counts as readable until a read proves otherwise.

/// The state of one direction: 8 bytes, no references.
@frozen
@usableFromInline
package struct Flow: Sendable {
    /// What the owner does next.
    @usableFromInline
    package enum Step: UInt8, Sendable {
        /// Nothing until an edge.
        case rest
        /// Read from the source, and write to the sink at once.
        case receive
        /// Write the bytes that are held.
        case sendHeld
        /// Splice from the source into a pipe.
        case fillPipe
        /// Splice from the pipe to the sink.
        case drainPipe
        /// Decrypt what the source has, encrypt it for the sink, or both.
        case relay
        /// Write what is held to a sink, which may be encrypted.
        case deliver
        /// Tell the sink that the stream ends here.
        case finish
    }

    @frozen
    @usableFromInline
    struct Flags: OptionSet, Sendable {
        @usableFromInline let rawValue: UInt16
        @inlinable init(rawValue: UInt16) { self.rawValue = rawValue }

        /// The source may have something.
        @inlinable static var readable: Flags { Flags(rawValue: 1 << 0) }
        /// All that the source will ever send has arrived at this machine.
        @inlinable static var ending: Flags { Flags(rawValue: 1 << 1) }
        /// The sink may take something.
        @inlinable static var writable: Flags { Flags(rawValue: 1 << 2) }
        /// Both: there is something to move and somewhere to put it.
        @inlinable static var movable: Flags { Flags(rawValue: readable.rawValue | writable.rawValue) }
        /// The source's last byte has been read.
        @inlinable static var ended: Flags { Flags(rawValue: 1 << 3) }
        /// The sink knows.
        @inlinable static var finished: Flags { Flags(rawValue: 1 << 4) }
        /// What is held lies in a pipe.
        @inlinable static var piped: Flags { Flags(rawValue: 1 << 5) }
        /// The stream moves in bulk.
        @inlinable static var bulky: Flags { Flags(rawValue: 1 << 6) }
        /// Both ends can be spliced, and a pipe was to be had when last asked for.
        @inlinable static var spliceable: Flags { Flags(rawValue: 1 << 7) }
        /// A short read proves nothing: the source is no TCP socket, or has an urgent byte.
        @inlinable static var readsUntilEmpty: Flags { Flags(rawValue: 1 << 8) }
        /// The source or the sink speaks TLS.
        @inlinable static var sealed: Flags { Flags(rawValue: 1 << 9) }
        /// Either kind of held bytes that is not for a plain write; one test for both.
        @inlinable static var heldOtherwise: Flags { Flags(rawValue: piped.rawValue | sealed.rawValue) }
        /// Either way of moving bytes that is no plain read.
        @inlinable static var movedOtherwise: Flags { Flags(rawValue: bulky.rawValue | sealed.rawValue) }
    }

    /// A read of at least this much, ``readsUntilBulky`` times in a row, makes a stream bulky.
    @inlinable package static var bulkRead: Int { 16 << 10 }
    @inlinable static var readsUntilBulky: UInt8 { 3 }
    /// As many smaller ones in a row make it an exchange of messages again.
    @inlinable static var fillsUntilCalm: UInt8 { 4 }

    @usableFromInline var flags: Flags
    /// Reads in a row that speak for changing between copy and splice.
    @usableFromInline var streak: UInt8
    /// Bytes that the source has given and the sink has not taken.
    @usableFromInline var heldBytes: UInt32

    /// - Parameters:
    ///   - shortReadMeansEmpty: the source is a TCP socket; there a read that got less than it asked for has emptied it.
    ///   - canSplice: both ends are plain sockets.
    @inlinable
    package init(shortReadMeansEmpty: Bool, canSplice: Bool) {
        flags = []
        if !shortReadMeansEmpty { flags.insert(.readsUntilEmpty) }
        if canSplice { flags.insert(.spliceable) }
        streak = 0
        heldBytes = 0
    }

    // MARK: Edges

    /// - Parameters:
    ///   - ending: the source's peer has ended its stream.
    ///   - urgent: the stream has an urgent byte, at which a read stops short and which no splice gets past.
    @inlinable
    package mutating func sourceIsReadable(ending: Bool = false, urgent: Bool = false) {
        flags.insert(.readable)
        if ending { flags.insert(.ending) }
        guard urgent else { return }
        flags.insert(.readsUntilEmpty)
        cannotSplice()
    }

    @inlinable
    package mutating func sinkIsWritable() { flags.insert(.writable) }

    // MARK: What was done

    /// The source gave `count` bytes of the `asked`; they are held until ``sent(_:)``.
    @inlinable
    @inline(__always)
    package mutating func received(_ count: Int, of asked: Int) {
        heldBytes &+= UInt32(truncatingIfNeeded: count)
        if count < asked, !flags.contains(.readsUntilEmpty) {
            flags.remove(.readable)
            if flags.contains(.ending) { flags.insert(.ended) }
        }
        guard count >= Flow.bulkRead else {
            streak = 0
            return
        }
        if streak < Flow.readsUntilBulky { streak &+= 1 }
        if streak == Flow.readsUntilBulky, flags.contains(.spliceable) {
            flags.insert(.bulky)
            streak = 0
        }
    }

    /// Bytes that are to precede all others were put in front (a PROXY header, or what was read ahead).
    @inlinable
    package mutating func holds(_ count: Int) { heldBytes &+= UInt32(truncatingIfNeeded: count) }

    /// The source had nothing.
    @inlinable
    package mutating func sourceIsEmpty() { flags.remove(.readable) }

    /// The source's end was read.
    @inlinable
    package mutating func sourceEnded() {
        flags.remove(.readable)
        flags.insert(.ended)
    }

    /// The sink took `count` bytes of all that is held; a sink that left something is full.
    @inlinable
    package mutating func sent(_ count: Int) {
        heldBytes &-= UInt32(truncatingIfNeeded: count)
        if heldBytes > 0 { flags.remove(.writable) }
    }

    /// The sink took `count` bytes of the `offered`, a part of what is held.
    @inlinable
    package mutating func sentHeld(_ count: Int, of offered: Int) {
        heldBytes &-= UInt32(truncatingIfNeeded: count)
        if count < offered { flags.remove(.writable) }
    }

    /// `count` bytes went from the source into the pipe.
    @inlinable
    package mutating func filledPipe(_ count: Int) {
        heldBytes &+= UInt32(truncatingIfNeeded: count)
        flags.insert(.piped)
        streak = count < Flow.bulkRead ? streak &+ 1 : 0
        if streak >= Flow.fillsUntilCalm {
            flags.remove(.bulky)
            streak = 0
        }
    }

    /// `count` bytes went from the pipe to the sink; unlike a send, fewer than were there say nothing of the sink.
    @inlinable
    package mutating func drainedPipe(_ count: Int) {
        heldBytes &-= UInt32(truncatingIfNeeded: count)
        if heldBytes == 0 { flags.remove(.piped) }
    }

    /// A splice answered that nothing follows: the end, or an urgent byte with the end behind it. A read tells which.
    @inlinable
    package mutating func spliceStopped() {
        flags.remove(.bulky)
        streak = 0
    }

    @inlinable
    package mutating func sinkIsFull() { flags.remove(.writable) }

    /// No pipe was to be had: this flow is copied from now on.
    @inlinable
    package mutating func cannotSplice() {
        flags.remove(.bulky)
        flags.remove(.spliceable)
    }

    @inlinable
    package mutating func finish() { flags.insert(.finished) }

    // MARK: Through TLS

    /// The source or the sink speaks TLS: bytes pass through the owner's hands from here on.
    @inlinable
    package mutating func passesThroughTLS() {
        flags.insert(.sealed)
        cannotSplice()
    }

    /// A source that speaks TLS gave `count` plain bytes, of `received` encrypted ones.
    ///
    /// Its end is known by what it says and not by its socket's: a socket that is about to end is read to the end.
    /// - Parameter isDrained: the socket gave less than was asked for, or nothing.
    @inlinable
    package mutating func decrypted(_ count: Int, received: Int, isDrained: Bool) {
        heldBytes &+= UInt32(truncatingIfNeeded: count)
        guard isDrained else { return }
        let isProof = flags.rawValue & (Flags.readsUntilEmpty.rawValue | Flags.ending.rawValue) == 0
        if received == 0 || isProof { flags.remove(.readable) }
    }

    /// A sink that speaks TLS took `count` of the bytes that are held; whether its socket has them is told by
    /// ``keeps(more:)``.
    @inlinable
    package mutating func encrypted(_ count: Int) { heldBytes &-= UInt32(truncatingIfNeeded: count) }

    /// Of encrypted bytes, as many more (fewer, if negative) wait for room in the sink's socket. They are held like
    /// any others: nothing is read while they are, nor is the end told.
    @inlinable
    package mutating func keeps(more count: Int) { heldBytes &+= UInt32(truncatingIfNeeded: count) }

    // MARK: Questions

    @inlinable
    package var next: Step {
        if heldBytes > 0 {
            guard flags.contains(.writable) else { return .rest }
            if flags.isDisjoint(with: .heldOtherwise) { return .sendHeld }
            return flags.contains(.piped) ? .drainPipe : .deliver
        }
        if flags.contains(.ended) { return flags.contains(.finished) ? .rest : .finish }
        guard flags.contains(.movable) else { return .rest }
        if flags.isDisjoint(with: .movedOtherwise) { return .receive }
        return flags.contains(.bulky) ? .fillPipe : .relay
    }

    /// Nothing is held, nothing is to be read and the end is not known: it rests until an edge of its source.
    @inlinable package var awaitsSource: Bool {
        heldBytes == 0 && flags.rawValue & (Flags.readable.rawValue | Flags.ended.rawValue) == 0
    }
    /// No read has proved yet that the source has nothing more.
    @inlinable package var mayHaveMore: Bool { flags.contains(.readable) }
    /// Bytes are held that the sink has no room for.
    @inlinable package var isBlocked: Bool { heldBytes > 0 && !flags.contains(.writable) }
    /// The sink may take nothing until its next edge.
    @inlinable package var awaitsSink: Bool { !flags.contains(.writable) }
    /// Bytes that the source has given and the sink has not taken.
    @inlinable package var held: Int { Int(heldBytes) }
    /// The source's last byte has been read; what is held is the last there is.
    @inlinable package var hasEnded: Bool { flags.contains(.ended) }
    /// The source's last byte has been read and the sink has all.
    @inlinable package var isThrough: Bool { flags.contains(.ended) && heldBytes == 0 }
    @inlinable package var isFinished: Bool { flags.contains(.finished) }
    /// The source or the sink speaks TLS.
    @inlinable package var isSealed: Bool { flags.contains(.sealed) }
    /// Held bytes lie in a pipe.
    @inlinable package var isPiped: Bool { flags.contains(.piped) }
    /// Bytes lie in a pipe, or the next ones are to be spliced into one.
    @inlinable package var isSplicing: Bool { flags.contains(.piped) || flags.contains(.bulky) }
    /// The stream moves in bulk, spliced or, where it cannot be, by large copies.
    @inlinable package var isBulky: Bool { flags.contains(.bulky) || streak >= Flow.readsUntilBulky }
}
