// One worker's balancers, one for each upstream, and what it reads of each upstream's snapshot.
//
// They lie in one block of memory that is reached by index: an array would count
// references, and a class per balancer would check exclusive access at each pick.

package import Upstreams
package import Vocabulary

/// All balancers of one worker.
@safe
package struct UpstreamBalancers: ~Copyable {
    @safe
    private struct Entry: ~Copyable {
        var balancer: Balancer
        var view: SnapshotView
        /// Of the snapshot adopted last; only ever compared.
        var snapshot: UnsafeRawPointer
    }

    private let cells: LoadCells
    private var entries = unsafe UnsafeMutableBufferPointer<Entry>(start: nil, count: 0)

    package init(cells: LoadCells) { self.cells = cells }

    deinit {
        unsafe entries.deinitialize()
        unsafe entries.deallocate()
    }

    /// How many upstreams there are.
    package var count: Int { unsafe entries.count }

    /// Takes every snapshot of `set` that was replaced, and leaves the others' balancers as they are.
    ///
    /// To be called from ``UpstreamReader/adopt(_:)``, which keeps what is read from here on alive, and the set
    /// before for as long as this runs: so two snapshots at one address are one.
    /// - Precondition: `set` has no fewer upstreams than the one before; places are never given up.
    package mutating func adopt(_ set: UpstreamSet, random: inout SeededRandom) {
        precondition(set.upstreams.count >= count, "an upstream keeps its place for as long as the process lives")
        let known = count
        grow(to: set.upstreams.count)
        for (place, snapshot) in set.upstreams.enumerated() {
            let address = unsafe UnsafeRawPointer(Unmanaged.passUnretained(snapshot).toOpaque())
            if place >= known {
                unsafe entries.initializeElement(
                    at: place,
                    to: Entry(balancer: Balancer(cells: cells), view: SnapshotView(snapshot), snapshot: address))
            } else if unsafe entries[place].snapshot == address {
                continue
            }
            unsafe entries[place].balancer.adopt(snapshot, random: &random)
            unsafe entries[place].view = SnapshotView(snapshot)
            unsafe entries[place].snapshot = address
        }
    }

    /// Index into the `records` of ``view(of:)``; nil where the upstream has no eligible endpoint.
    /// - Parameters:
    ///   - upstream: its place in the set adopted last.
    ///   - key: the hash of what the connection is known by; nil where there is nothing.
    ///   - since: see ``Balancer/pick(for:excluding:since:random:)``.
    package mutating func pick(
        from upstream: Int, for key: UInt64? = nil, excluding tried: TriedEndpoints, since: Instant? = nil,
        random: inout SeededRandom
    ) -> UInt32? {
        precondition(upstream < count)
        return unsafe entries[upstream].balancer.pick(for: key, excluding: tried, since: since, random: &random)
    }

    /// What to connect to an upstream's endpoints with, until the next adoption.
    package func view(of upstream: Int) -> SnapshotView {
        precondition(upstream < count)
        return unsafe entries[upstream].view
    }

    func balancer<Result>(of upstream: Int, _ body: (borrowing Balancer) -> Result) -> Result {
        precondition(upstream < count)
        return unsafe body(entries[upstream].balancer)
    }

    mutating func changeBalancer<Result>(of upstream: Int, _ body: (inout Balancer) -> Result) -> Result {
        precondition(upstream < count)
        return unsafe body(&entries[upstream].balancer)
    }

    private mutating func grow(to count: Int) {
        guard count > self.count else { return }
        let grown = UnsafeMutableBufferPointer<Entry>.allocate(capacity: count)
        _ = unsafe grown.moveInitialize(fromContentsOf: entries)
        unsafe entries.deallocate()
        unsafe entries = grown
    }
}
