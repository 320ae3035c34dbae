// Which endpoint of an upstream gets the next connection.
//
// A worker owns one balancer per upstream, so a pick takes no lock, allocates
// nothing and counts no references: it reads the balancer's own tables and the load
// cells that all workers share. The tables are copied from a snapshot at adoption,
// off the hot path, after which the snapshot is not touched again.
//
// There are two tables: the endpoints that are preferred, and those that are picked
// only where none of these has room or is left to try (their members are suspect).
// Who stands in which is the snapshot's business, panic included. One table with
// both kinds would reject draws for as long as there is a suspect.

package import Upstreams
package import Vocabulary

/// Picks endpoints of one upstream for one worker.
package struct Balancer: ~Copyable {
    var preferred: Tier
    private var reserve: Tier

    /// Has nothing to pick from before it adopts a snapshot.
    package init(cells: LoadCells) {
        preferred = Tier(cells: cells)
        reserve = Tier(cells: cells)
    }

    /// Picks from `snapshot` from now on; O(n), and O(n log n) for round robin.
    ///
    /// The snapshot is not kept. Round robin goes on where it stood for endpoints that stay in their tier.
    /// - Precondition: the candidates' weights add up to less than 2³².
    package mutating func adopt(_ snapshot: UpstreamSnapshot, random: inout SeededRandom) {
        let all = unsafe snapshot.candidates.count
        preferred.adopt(snapshot, 0..<snapshot.preferredCount, random: &random)
        reserve.adopt(snapshot, snapshot.preferredCount..<all, random: &random)
    }

    /// Index of a record of the snapshot adopted last; nil where no endpoint is eligible.
    ///
    /// Another worker may fill the endpoint meanwhile: ``LoadCells/place(_:within:)`` has the last word.
    /// - Parameter key: the hash of what the connection is known by; nil where there is nothing.
    package mutating func pick(
        for key: UInt64? = nil, excluding tried: TriedEndpoints, random: inout SeededRandom
    ) -> UInt32? {
        if let picked = preferred.pick(excluding: tried, random: &random) { return picked }
        return pickReserve(excluding: tried, random: &random)
    }

    /// Apart, so that the usual pick stays as short as one tier's.
    @inline(never)
    mutating func pickReserve(excluding tried: TriedEndpoints, random: inout SeededRandom) -> UInt32? {
        reserve.pick(excluding: tried, random: &random)
    }
}
