import Testing

@testable import Simulation

struct StatisticsTests {
    @Test("A percentile is a value that was measured, the first that enough of them do not exceed")
    func percentiles() throws {
        let sample = try #require(Sample([5, 1, 4, 2, 3, 10, 9, 8, 7, 6]))
        #expect(sample.percentile(0) == 1)
        #expect(sample.percentile(0.1) == 1)
        #expect(sample.percentile(0.11) == 2)
        #expect(sample.percentile(0.5) == 5)
        #expect(sample.percentile(0.99) == 10)
        #expect(sample.percentile(1) == 10)
        #expect((sample.least, sample.most) == (1, 10))
    }

    @Test("The mean has the standard error of its sample, and one value has none")
    func standardError() throws {
        let sample = try #require(Sample([2, 4, 4, 4, 5, 5, 7, 9]))
        #expect(sample.mean == 5)
        // The variance of the sample is 32 / 7.
        #expect(abs(sample.standardError - (32.0 / 7 / 8).squareRoot()) < 1e-12)
        #expect(Sample([3])?.standardError == 0)
        #expect(Sample([]) == nil)
    }

    @Test("A share counts what equals its limit")
    func share() {
        #expect(Sample([1, 2, 2, 3])?.share(atMost: 2) == 0.75)
        #expect(Sample([1])?.share(atMost: 0) == 0)
    }

    @Test("Points on a line are fitted exactly")
    func line() throws {
        let fit = try #require(LineFit([(1, 5), (2, 7), (4, 11)]))
        #expect(abs(fit.slope - 2) < 1e-12)
        #expect(abs(fit.intercept - 3) < 1e-12)
    }

    @Test("Between points that are on no line, the squares of the distances are least")
    func leastSquares() throws {
        // Anscombe's first quartet (The American Statistician 27, 1973).
        let x: [Double] = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
        let y: [Double] = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
        let fit = try #require(LineFit(zip(x, y).map { (x: $0, y: $1) }))
        #expect(abs(fit.slope - 0.5001) < 0.0001)
        #expect(abs(fit.intercept - 3.0001) < 0.0001)
    }

    @Test("One point, or points above each other, have no line")
    func noLine() {
        #expect(LineFit([]) == nil)
        #expect(LineFit([(1, 1)]) == nil)
        #expect(LineFit([(1, 1), (1, 2)]) == nil)
    }

    @Test("A quantity that grows by 0.5 with every e-fold of members is told from one that does not grow")
    func growth() throws {
        let sizes = [250, 1000, 4000, 10_000]
        let growing = sizes.map { (nodes: $0, value: 0.2 + 0.5 * logarithm(Double($0))) }
        let fit = try #require(GrowthFit(.logarithmic, measured: growing))
        #expect(abs(fit.perFold - 0.5) < 1e-9 && abs(fit.base - 0.2) < 1e-9)
        #expect(fit.worstResidual < 1e-9)
        #expect(fit.formula == "0.2 + 0.5 ln N")
        #expect(abs(fit.value(at: 100) - (0.2 + 0.5 * logarithm(100))) < 1e-9)
        let level = try #require(GrowthFit(.constant, measured: growing))
        #expect(level.perFold == 0 && level.worstResidual > 0.2)
        #expect(try #require(GrowthFit(.constant, measured: [(10, 1.98), (100, 2.02)])).worstResidual < 0.011)
        #expect(GrowthFit(.constant, measured: [(250, 1)]) == nil)
    }

    /// A logarithm of another making than the one under test: ∫ 1/t from 1, by Simpson's rule on e-folds.
    private func logarithm(_ value: Double) -> Double {
        var (rest, result) = (value, 0.0)
        while rest > 2 { (rest, result) = (rest / 2, result + 0.693_147_180_559_945_3) }
        let (count, width) = (200, (rest - 1) / 200)
        let sum = (0...count).reduce(0.0) { sum, step in
            let weight: Double = step == 0 || step == count ? 1 : step % 2 == 0 ? 2 : 4
            return sum + weight / (1 + Double(step) * width)
        }
        return result + sum * width / 3
    }
}
