// The ring or table that discovery has ordered; for a thread that may take its time.

package import Upstreams

extension TableOrder {
    /// What building a ring of some thousand members takes is a tenth where the one before is there to build upon.
    package func built() -> any KeyTable {
        switch roll.form {
        case .maglev: return MaglevTable(roll.members)
        case .ring(let virtualNodes):
            if let ring = base as? HashRing, ring.virtualNodes == virtualNodes { return ring.updated(to: roll.members) }
            return HashRing(roll.members, virtualNodes: virtualNodes)
        }
    }
}
