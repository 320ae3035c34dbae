// `remora members` for people.

package import Stats

extension MembershipReport {
    /// What stands above the table: how many, and whether all see the same.
    package var headline: String {
        let states = [("alive", alive), ("suspect", suspect), ("dead", dead), ("left", left)]
        let counts = states.filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
        let doubt = lastKnownGood ? " The view is not believed: an older one is in force." : ""
        return TextTable.printable("\(counts); view \(viewChecksum).\(doubt) \(agreement.sentence)") + "\n"
    }
}

extension MembersReport {
    /// A table, one line for each member; plain text, whatever the terminal.
    package var text: String { text(colours: false) }

    /// - Parameter colours: whether states are coloured.
    package func text(colours: Bool) -> String {
        guard !members.isEmpty else { return "no members: this node's config has no membership\n" }
        var table = TextTable(
            .left("NAME"), .left("ADDRESS"), .state("STATE"), .right("SINCE"), .right("INCARNATION"), .left("ZONE"),
            .left("REMORA"), .left("TAGS"))
        for member in members {
            let tags = member.tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            table.add(
                member.name, member.address, member.state, HumanUnits.duration(member.sinceSeconds),
                "\(member.incarnation)", member.zone ?? "-", member.remora ? "yes" : "no",
                tags.isEmpty ? "-" : tags.joined(separator: ","))
        }
        return table.text(colours: colours)
    }
}
