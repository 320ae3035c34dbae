// Columns of text for a terminal of fixed width letters.

package struct TextTable {
    package enum Alignment { case left, right }

    package struct Column {
        package var title: String
        package var alignment: Alignment

        package static func left(_ title: String) -> Column { Column(title: title, alignment: .left) }
        package static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    package init(_ columns: Column...) { self.columns = columns }

    /// - Precondition: one cell for each column.
    package mutating func add(_ cells: String...) {
        precondition(cells.count == columns.count)
        rows.append(cells.map(Self.printable))
    }

    /// The title line and a line for each row, each with its end; two blanks between columns, none at a line's end.
    package var text: String {
        let lines = [columns.map(\.title)] + rows
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for (column, cell) in line.enumerated() {
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                if column > 0 { text += "  " }
                text += columns[column].alignment == .left ? cell + blanks : blanks + cell
            }
            while text.last == " " { text.removeLast() }
            return text + "\n"
        }.joined()
    }

    /// Names come from other machines: none may move the cursor or colour what follows.
    package static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
