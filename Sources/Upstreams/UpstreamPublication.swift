// How a new set of upstreams reaches the workers, and when the old one is freed.
//
//     control thread             one atomic pointer          worker, top of its loop
//     publish(set 8) ──────────► current = 8
//                                            ◄────────────── adopt: 7 → 8, acknowledge 8
//     reclaim: everyone is at 8, free 7
//
// A worker holds its set unretained, because a retain is an atomic write to a line
// that every worker shares, and because the last release frees: a worker must never
// be the one that frees a hundred thousand endpoints. So the publisher keeps every
// set until each reader has said that it reads a newer one. A lock around a strong
// reference would be simpler, and would be taken once per turn by every loop.
//
// Why no reader can see freed memory: a set k goes only when every reader has
// acknowledged a version above k. A reader that has just loaded `current` = k has
// acknowledged k at most, and acknowledges more only at its next adoption, after
// its last use of k. Its acknowledgement releases those uses, and the publisher
// acquires it before it frees.

internal import Synchronization

/// Publishes sets of upstreams to a fixed crowd of readers.
@safe
package final class UpstreamPublication: Sendable {
    /// What workers adopt: the newest of the sets held, unretained.
    fileprivate let current: Atomic<Unmanaged<UpstreamSet>>
    private let state: Mutex<State>

    private struct State {
        /// Every set that a reader may still read, the oldest first; never empty.
        var held: [UpstreamSet]
        var readers: [Acknowledgement] = []

        var newest: UInt64 { held[held.count - 1].version }
    }

    package init(_ first: UpstreamSet) {
        unsafe current = Atomic(Unmanaged.passUnretained(first))
        state = Mutex(State(held: [first]))
    }

    /// A reader for one worker. Until it adopts for the first time, nothing is freed.
    package func makeReader() -> UpstreamReader {
        let acknowledgement = Acknowledgement()
        state.withLock { $0.readers.append(acknowledgement) }
        return UpstreamReader(publication: self, acknowledgement: acknowledgement)
    }

    /// Makes `set` what every reader adopts next. Waking readers that sleep is the caller's.
    /// - Precondition: its version is above that of every set before it.
    package func publish(_ set: UpstreamSet) {
        state.withLock { state in
            precondition(set.version > state.newest, "versions of published sets go up")
            state.held.append(set)
            unsafe current.store(Unmanaged.passUnretained(set), ordering: .releasing)
        }
        reclaim()
    }

    /// Frees the sets that every reader has moved past, on this thread.
    ///
    /// To be called now and then after ``publish(_:)``, which itself calls it for what was there before.
    /// - Returns: the version that every reader has acknowledged, or one above it.
    @discardableResult
    package func reclaim() -> UInt64 {
        // Taken out under the lock, but destroyed after it.
        let (acknowledged, freed) = state.withLock { state -> (UInt64, ArraySlice<UpstreamSet>) in
            state.readers.removeAll { $0.version.load(ordering: .acquiring) == Acknowledgement.departed }
            let acknowledged = state.readers.reduce(state.newest) { min($0, $1.version.load(ordering: .acquiring)) }
            let keep = state.held.firstIndex { $0.version >= acknowledged } ?? state.held.count - 1
            let freed = state.held[..<keep]
            state.held.removeFirst(keep)
            return (acknowledged, freed)
        }
        withExtendedLifetime(freed) {}
        return acknowledged
    }

    /// How many sets are alive for the sake of some reader, the newest included.
    package var heldCount: Int { state.withLock { $0.held.count } }
}

/// The version that one reader reads, written by it and read by the publisher.
private final class Acknowledgement: Sendable {
    static let departed = UInt64.max
    /// 0 until the first adoption.
    let version = Atomic<UInt64>(0)
}

/// One worker's end of an ``UpstreamPublication``. Letting it go frees what was held for it.
package struct UpstreamReader: ~Copyable, Sendable {
    private let publication: UpstreamPublication
    private let acknowledgement: Acknowledgement
    /// The version last adopted; 0 before.
    private var version: UInt64 = 0
    /// The address of the set last adopted, only ever compared.
    private var adopted: UInt = 0

    fileprivate init(publication: UpstreamPublication, acknowledgement: Acknowledgement) {
        self.publication = publication
        self.acknowledgement = acknowledgement
    }

    deinit { acknowledgement.version.store(Acknowledgement.departed, ordering: .releasing) }

    /// Hands the newest set to `install` if it is not the one adopted last. One atomic load where it is.
    ///
    /// The set lives until this reader's next adoption that returns true, and so do its snapshots: `install` may
    /// keep plain pointers into them, but no strong reference. While `install` runs, the set before is alive too.
    /// - Returns: whether there was a new one.
    package mutating func adopt(_ install: (UpstreamSet) -> Void) -> Bool {
        let newest = unsafe publication.current.load(ordering: .acquiring)
        // The address cannot be that of a set freed meanwhile: the one adopted last is still held for this reader.
        guard unsafe UInt(bitPattern: newest.toOpaque()) != adopted else { return false }
        unsafe adopted = UInt(bitPattern: newest.toOpaque())
        unsafe newest._withUnsafeGuaranteedRef { set in
            install(set)
            version = set.version
        }
        acknowledgement.version.store(version, ordering: .releasing)
        return true
    }
}
