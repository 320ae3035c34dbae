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
//
// Before the policy picks among all that are preferred, whose key it is or a zone that
// was drawn is asked, where there are such: where they have nobody with room, all the
// others may serve.

package import Upstreams
package import Vocabulary

/// Picks endpoints of one upstream for one worker.
package struct Balancer: ~Copyable {
    private let cells: LoadCells
    var zones = ZoneTiers()
    /// Whether a key's owner or a zone comes before the policy.
    private var hasForerunner = false
    var preferred: Tier
    private var reserve: Tier
    private var holders = KeyHolders()
    private var reserveHolders = KeyHolders()

    /// Has nothing to pick from before it adopts a snapshot.
    package init(cells: LoadCells) {
        self.cells = cells
        preferred = Tier(cells: cells)
        reserve = Tier(cells: cells)
    }

    /// Picks from `snapshot` from now on; O(n), and O(n log n) for round robin.
    ///
    /// The snapshot is not kept, but for its ring or table. Round robin goes on where it stood for endpoints that stay
    /// in their tier.
    /// - Precondition: the candidates' weights add up to less than 2³².
    package mutating func adopt(_ snapshot: UpstreamSnapshot, random: inout SeededRandom) {
        let all = unsafe snapshot.candidates.count
        var waits = preferred.waits
        zones.addWaits(to: &waits)
        preferred.adopt(snapshot, 0..<snapshot.preferredCount, continuing: waits, random: &random)
        reserve.adopt(
            snapshot, snapshot.preferredCount..<all, continuing: reserve.waits, random: &random)
        holders.adopt(snapshot, .preferred, cells: cells)
        reserveHolders.adopt(snapshot, .reserve, cells: cells)
        hasForerunner = !snapshot.zones.isEmpty || snapshot.keys != nil
        zones.adopt(snapshot, continuing: waits, cells: cells, random: &random)
    }

    /// Index of a record of the snapshot adopted last; nil where no endpoint is eligible.
    ///
    /// Another worker may fill the endpoint meanwhile: ``LoadCells/place(_:within:)`` has the last word.
    /// - Parameters:
    ///   - key: the hash of what the connection is known by; nil where there is nothing.
    ///   - since: what endpoints' sidecars measured before is not used for bounds; nil: nothing of theirs is.
    package mutating func pick(
        for key: UInt64? = nil, excluding tried: TriedEndpoints, since: Instant? = nil, random: inout SeededRandom
    ) -> UInt32? {
        if hasForerunner, let picked = pickFirst(for: key, excluding: tried, since: since, random: &random) {
            return picked
        }
        if let picked = preferred.pick(excluding: tried, random: &random) { return picked }
        return pickReserve(for: key, excluding: tried, random: &random)
    }

    // Apart, so that the usual pick stays as short as one tier's.

    @inline(never)
    private mutating func pickFirst(
        for key: UInt64?, excluding tried: TriedEndpoints, since: Instant?, random: inout SeededRandom
    ) -> UInt32? {
        if let key, let owner = holders.pick(for: key, excluding: tried, since: since, in: cells) { return owner }
        return zones.isEmpty ? nil : zones.pick(excluding: tried, random: &random)
    }

    @inline(never)
    mutating func pickReserve(
        for key: UInt64?, excluding tried: TriedEndpoints, random: inout SeededRandom
    ) -> UInt32? {
        if let key, let owner = reserveHolders.pick(for: key, excluding: tried, since: nil, in: cells) { return owner }
        return reserve.pick(excluding: tried, random: &random)
    }
}
