import Foundation
import FoundationXML
import Testing

@testable import Simulation

struct PlotTests {
    private let rounds = Plot(
        "Aware <members> & rounds", x: Plot.Axis("gossip rounds"), y: Plot.Axis("members"),
        series: [
            Plot.Series("measured", form: .marks, points: [(0, 1), (1, 4), (2, 17), (3, 20)]),
            Plot.Series("predicted", form: .line, points: [(0, 1), (1, .nan), (3, 20)]),
        ])
    private let sizes = Plot(
        "Convergence", x: Plot.Axis("members", scale: .logarithmic), y: Plot.Axis("s"),
        series: [Plot.Series("measured", form: .marks, points: [(250, 0.7), (1000, 0.9), (10_000, 1.2)])])

    @Test("A sheet is well-formed XML with every point, title and unit")
    func wellFormed() throws {
        let document = try XMLDocument(xmlString: Plot.sheet([rounds, sizes]))
        #expect(try document.nodes(forXPath: "//*[local-name()='circle']").count == 4 + 1 + 3 + 1)
        let texts = try document.nodes(forXPath: "//*[local-name()='text']").compactMap(\.stringValue)
        for text in ["Aware <members> & rounds", "gossip rounds", "predicted", "250", "10000", "s"] {
            #expect(texts.contains(text))
        }
    }

    @Test("A larger value is further right and higher up, within the axes")
    func directions() throws {
        let document = try XMLDocument(xmlString: Plot.sheet([sizes]))
        let coordinates = try ["cx", "cy"].map { name in
            try document.nodes(forXPath: "//*[local-name()='circle']/@\(name)").prefix(3).compactMap {
                Double($0.stringValue ?? "")
            }
        }
        let (x, y) = (coordinates[0], coordinates[1])
        try #require(x.count == 3 && y.count == 3)
        #expect(x == x.sorted() && x.allSatisfy { (70...700).contains($0) })
        #expect(y == y.sorted(by: >) && y.allSatisfy { (40...300).contains($0) })
        // On a logarithmic axis from 250 to 1,000 is as far as from 2,500 to 10,000: 602 of 1,602 thousandths.
        let share = (x[1] - x[0]) / (x[2] - x[0])
        #expect(abs(share - 0.602 / 1.602) < 0.01)
    }

    @Test("A point that is not finite is left out of its line")
    func gap() throws {
        let document = try XMLDocument(xmlString: Plot.sheet([rounds]))
        let points = try #require(document.nodes(forXPath: "//*[local-name()='polyline']/@points").first?.stringValue)
        #expect(points.split(separator: " ").count == 2)
    }

    @Test("A chart without points, and one whose points are all equal, are drawn too", arguments: [[], [5.0, 5.0]])
    func degenerate(values: [Double]) throws {
        for scale in [Plot.Axis.Scale.linear, .logarithmic] {
            let points = values.map { (x: $0, y: $0) }
            let plot = Plot(
                "t", x: Plot.Axis("x", scale: scale), y: Plot.Axis("y"),
                series: [Plot.Series("s", form: .line, points: points)])
            let sheet = Plot.sheet([plot])
            _ = try XMLDocument(xmlString: sheet)
            #expect(!sheet.contains("\"-\"") && !sheet.contains("nan"))
        }
    }
}
