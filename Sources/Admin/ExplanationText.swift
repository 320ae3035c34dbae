// `remora explain` for people.

package import Stats

extension ExplanationReport {
    /// A sentence a line. Names in it come from other machines.
    package var text: String { sentences.map { TextTable.printable($0) + "\n" }.joined() }
}
