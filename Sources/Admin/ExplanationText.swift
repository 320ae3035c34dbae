// `remora explain` for people.

package import Stats

extension ExplanationReport {
    /// The last so many are told; of those before the number is.
    private static let mostChanges = 40

    /// A sentence a line, then what happened of late. Names in it come from other machines.
    package var text: String {
        let lines = sentences.map { TextTable.printable($0) + "\n" }.joined()
        return lines + changesText
    }

    private var changesText: String {
        let missesNone = coversSeconds >= 599
        guard !changes.isEmpty else {
            guard missesNone else {
                return
                    "\nNothing has changed in the last \(HumanUnits.duration(coversSeconds)); of before some is missing: too much happened.\n"
            }
            return subject == .node ? "\nNothing has changed in the last ten minutes.\n" : ""
        }
        var text = "\nIn the last ten minutes:\n"
        if changes.count > Self.mostChanges { text += "  \(changes.count - Self.mostChanges) changes before these\n" }
        var table = TextTable(.right(""), .left(""))
        for change in changes.suffix(Self.mostChanges) {
            table.add("\(HumanUnits.duration(change.agoSeconds)) ago", change.text)
        }
        // Two columns need no titles.
        text += table.lines().dropFirst().map { "  \($0)\n" }.joined()
        if !missesNone {
            text += "Of more than \(HumanUnits.duration(coversSeconds)) ago some are missing: too much happened.\n"
        }
        return text
    }
}
