// Whether everybody in two views can speak with everybody else (memberlist-wire §12).
//
// One member with versions that others do not share makes every push-pull fail that carries it, all over the fleet. The
// rule is the reference's, odd as it is, so that we refuse what it refuses and are refused nowhere that it is not.

/// The versions that all live members of two views share.
struct VersionRange {
    private var protocolLow: UInt8 = 0
    private var protocolHigh: UInt8 = .max
    private var delegateLow: UInt8 = 0
    private var delegateHigh: UInt8 = .max

    /// What is wrong, in words, or nil.
    /// - Complexity: O(both views).
    static func conflict(among theirs: [MemberClaim], and ours: MemberTable, names: Directory) -> String? {
        var range = VersionRange()
        for claim in theirs where claim.state == .alive { range.narrow(to: claim.record.versions) }
        for id in ours.order {
            let row = ours.row(of: id)
            if row.state == .alive, let record = row.record { range.narrow(to: record.versions) }
        }
        // Those who are not alive were not asked, but are held to the answer.
        for claim in theirs where !range.contains(claim.record.versions) {
            return "their member \(names.name(of: claim.node)) speaks \(claim.record.versions.spoken), \(range.words)"
        }
        for id in ours.order {
            if let record = ours.row(of: id).record, !range.contains(record.versions) {
                return "our member \(names.name(of: id)) speaks \(record.versions.spoken), \(range.words)"
            }
        }
        return nil
    }

    private mutating func narrow(to versions: MemberVersions) {
        guard versions != .absent else { return }
        protocolLow = max(protocolLow, versions.protocolMinimum)
        protocolHigh = min(protocolHigh, versions.protocolMaximum)
        delegateLow = max(delegateLow, versions.delegateMinimum)
        delegateHigh = min(delegateHigh, versions.delegateMaximum)
    }

    private func contains(_ versions: MemberVersions) -> Bool {
        versions.protocolSpoken >= protocolLow && versions.protocolSpoken <= protocolHigh
            && versions.delegateSpoken >= delegateLow && versions.delegateSpoken <= delegateHigh
    }

    private var words: String {
        "all together speak protocols \(protocolLow) to \(protocolHigh), delegates \(delegateLow) to \(delegateHigh)"
    }
}

extension MemberVersions {
    fileprivate var spoken: String { "protocol \(protocolSpoken), delegate \(delegateSpoken)" }
}
