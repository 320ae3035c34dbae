// Charts as SVG text: marks for what was measured, lines for what a formula says, axes with units, a legend.
//
// The background is left transparent and every ink has a middle lightness, so that a chart reads on a light page and
// on a dark one. A plotting library was not taken: a page of arithmetic is less than a dependency.

import Glibc

package struct Plot: Sendable {
    package struct Axis: Sendable {
        package enum Scale: Sendable {
            case linear
            /// Sizes that double are equally far apart; values must be above zero.
            case logarithmic
        }

        package var title: String
        package var scale: Scale

        package init(_ title: String, scale: Scale = .linear) {
            (self.title, self.scale) = (title, scale)
        }
    }

    package struct Series: Sendable {
        package enum Form: Sendable {
            case marks
            case line
        }

        package var title: String
        package var form: Form
        package private(set) var points: [(x: Double, y: Double)]

        /// Points that are not finite are left out.
        package init(_ title: String, form: Form, points: [(x: Double, y: Double)]) {
            (self.title, self.form) = (title, form)
            self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
        }
    }

    package var title: String
    package var x: Axis
    package var y: Axis
    package var series: [Series]

    package init(_ title: String, x: Axis, y: Axis, series: [Series]) {
        (self.title, self.x, self.y, self.series) = (title, x, y, series)
    }

    /// All charts below each other in one image; an empty image without any.
    package static func sheet(_ plots: [Plot]) -> String {
        let height = plots.count * Layout.height
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Layout.width) \(height)" \
            width="\(Layout.width)" height="\(height)" font-family="sans-serif" font-size="12" fill="\(Ink.text)">

            """
        for (index, plot) in plots.enumerated() {
            text += "<g transform=\"translate(0 \(index * Layout.height))\">\n\(plot.body)</g>\n"
        }
        return text + "</svg>\n"
    }
}

// MARK: - Drawing

/// Where things are, in pixels.
private enum Layout {
    static let (width, height) = (720, 380)
    static let (left, right, top, bottom) = (70.0, 700.0, 40.0, 300.0)
}

private enum Ink {
    static let text = "#808080"
    static let axis = "#909090"
    static let grid = "#90909040"
    static let series = ["#2f81c7", "#d9772b", "#3c9a5f", "#b0578d", "#8a7a2e"]
}

extension Plot {
    private var body: String {
        let points = series.flatMap(\.points)
        let across = Ruler(values: points.map(\.x), scale: x.scale, from: Layout.left, to: Layout.right)
        let up = Ruler(values: points.map(\.y) + [0], scale: y.scale, from: Layout.bottom, to: Layout.top)
        var text = label(title, x: Layout.left, y: 22, anchor: "start", size: 14)
        for tick in up.ticks {
            let place = up.place(tick)
            text += line((Layout.left, place), (Layout.right, place), ink: Ink.grid)
            text += label(tick.written(), x: Layout.left - 8, y: place + 4, anchor: "end")
        }
        for tick in across.ticks {
            let place = across.place(tick)
            text += line((place, Layout.bottom), (place, Layout.bottom + 5), ink: Ink.axis)
            text += label(tick.written(significant: 6), x: place, y: Layout.bottom + 19, anchor: "middle")
        }
        text += line((Layout.left, Layout.bottom), (Layout.right, Layout.bottom), ink: Ink.axis)
        text += line((Layout.left, Layout.top), (Layout.left, Layout.bottom), ink: Ink.axis)
        text += label(x.title, x: (Layout.left + Layout.right) / 2, y: Layout.bottom + 38, anchor: "middle")
        let middle = (Layout.top + Layout.bottom) / 2
        text += "<g transform=\"translate(18 \(number(middle))) rotate(-90)\">"
        text += label(y.title, x: 0, y: 0, anchor: "middle") + "</g>\n"
        for (index, series) in series.enumerated() {
            let ink = Ink.series[index % Ink.series.count]
            text += drawing(of: series, ink: ink, across, up)
            text += legend(of: series, ink: ink, at: index)
        }
        return text
    }

    private func drawing(of series: Series, ink: String, _ across: Ruler, _ up: Ruler) -> String {
        let places = series.points.map { (x: number(across.place($0.x)), y: number(up.place($0.y))) }
        switch series.form {
        case .marks:
            return places.map { "<circle cx=\"\($0.x)\" cy=\"\($0.y)\" r=\"3.5\" fill=\"\(ink)\"/>\n" }.joined()
        case .line:
            let path = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
            return "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(ink)\" stroke-width=\"1.5\"/>\n"
        }
    }

    private func legend(of series: Series, ink: String, at index: Int) -> String {
        let x = Layout.left + Double(index % 3) * 210
        let y = Layout.bottom + 58 + Double(index / 3) * 16
        let sign =
            switch series.form {
            case .marks: "<circle cx=\"\(number(x + 8))\" cy=\"\(number(y - 4))\" r=\"3.5\" fill=\"\(ink)\"/>\n"
            case .line: line((x, y - 4), (x + 16, y - 4), ink: ink)
            }
        return sign + label(series.title, x: x + 22, y: y, anchor: "start")
    }

    private func line(_ a: (x: Double, y: Double), _ b: (x: Double, y: Double), ink: String) -> String {
        "<line x1=\"\(number(a.x))\" y1=\"\(number(a.y))\" x2=\"\(number(b.x))\" y2=\"\(number(b.y))\" "
            + "stroke=\"\(ink)\"/>\n"
    }

    private func label(_ text: String, x: Double, y: Double, anchor: String, size: Int = 12) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" font-size=\"\(size)\">"
            + "\(Plot.escaped(text))</text>\n"
    }

    private func number(_ value: Double) -> String { value.written(places: 1) }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }
}

/// From values to pixels, and the round numbers between.
private struct Ruler {
    let ticks: [Double]
    private let scale: Plot.Axis.Scale
    private let (low, high): (Double, Double)
    private let (from, to): (Double, Double)

    init(values: [Double], scale: Plot.Axis.Scale, from: Double, to: Double) {
        (self.scale, self.from, self.to) = (scale, from, to)
        switch scale {
        case .linear:
            let (least, most) = (values.min() ?? 0, values.max() ?? 1)
            let step = Ruler.roundStep(for: (most - least) / 5)
            let first = (least / step).rounded(.down)
            let last = max((most / step).rounded(.up), first + 1)
            ticks = stride(from: first, through: last, by: 1).map { $0 * step }
            (low, high) = (first * step, last * step)
        case .logarithmic:
            // Sizes are few and chosen by hand: each is a tick of its own.
            let positive = values.filter { $0 > 0 }.sorted()
            ticks = positive.reduce(into: []) { ticks, value in if ticks.last != value { ticks.append(value) } }
            let (least, most) = (log(positive.first ?? 1), log(positive.last ?? 10))
            let margin = max((most - least) * 0.05, 0.1)
            (low, high) = (least - margin, most + margin)
        }
    }

    /// 1, 2 or 5 times a power of ten, at least `size`.
    private static func roundStep(for size: Double) -> Double {
        guard size > 0 else { return 1 }
        let power = pow(10, log10(size).rounded(.down))
        let factors: [Double] = [1, 2, 5]
        return (factors.first { $0 * power >= size } ?? 10) * power
    }

    func place(_ value: Double) -> Double {
        let mark = scale == .linear ? value : log(max(value, .leastNormalMagnitude))
        return from + (mark - low) / (high - low) * (to - from)
    }
}
