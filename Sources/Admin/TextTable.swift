// Columns of text for a terminal of fixed width letters.

package struct TextTable {
    package enum Alignment { case left, right }

    package struct Column {
        package var title: String
        package var alignment: Alignment
        /// Its cells are states, which are coloured where anything is.
        package var isState = false

        package static func left(_ title: String) -> Column { Column(title: title, alignment: .left) }
        package static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
        package static func state(_ title: String) -> Column {
            Column(title: title, alignment: .left, isState: true)
        }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    package init(_ columns: Column...) { self.columns = columns }

    package init(_ columns: [Column]) { self.columns = columns }

    /// - Precondition: one cell for each column.
    package mutating func add(_ cells: String...) { add(cells) }

    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count)
        rows.append(cells.map(Self.printable))
    }

    /// The title line and a line for each row, each with its end; two blanks between columns, none at a line's end.
    package var text: String { text(colours: false) }

    /// - Parameter colours: whether states are coloured, by codes that every terminal knows.
    package func text(colours: Bool) -> String { lines(colours: colours).map { "\($0)\n" }.joined() }

    /// The same without the lines' ends, cut at a terminal's width.
    package func lines(width: Int = .max, colours: Bool = false) -> [String] {
        let lines = [columns.map(\.title)] + rows
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.enumerated().map { number, line in
            var (text, left) = ("", width)
            for (column, cell) in line.enumerated() {
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                let padded = columns[column].alignment == .left ? cell + blanks : blanks + cell
                let shown = String(((column > 0 ? "  " : "") + padded).prefix(left))
                left -= shown.count
                let isColoured = colours && number > 0 && columns[column].isState
                text += isColoured ? StateColour.paint(shown, as: cell) : shown
            }
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    /// Names come from other machines: none may move the cursor or colour what follows.
    package static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}

/// What a state looks like on a terminal that shows colours: ECMA-48's Select Graphic Rendition.
package enum StateColour {
    /// - Parameters:
    ///   - text: holds the state's word, and perhaps blanks.
    ///   - state: a member's, an endpoint's, a listener's or a service's.
    package static func paint(_ text: String, as state: String) -> String {
        code(of: state).map { "\u{1B}[\($0)m\(text)\u{1B}[0m" } ?? text
    }

    private static func code(of state: String) -> Int? {
        switch state {
        case "fit", "alive", "listening", "passing", "serving": 32
        case "suspect", "paused", "draining", "full", "finishing", "drained": 33
        case "dead", "failing", "ejected", "unlisted": 31
        case "left": 2
        default: nil
        }
    }
}
