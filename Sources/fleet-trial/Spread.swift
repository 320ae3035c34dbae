// A few figures for many: what a table has room for.

import Vocabulary

struct Spread: Encodable, Equatable {
    let min: Double
    let p50: Double
    let max: Double

    /// - Returns: nil of no values.
    init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        (min, p50, max) = (first, sorted[(sorted.count - 1) / 2], last)
    }

    static func text(_ value: Double?) -> String { value.map { $0.written(2) } ?? "-" }
}

extension Double {
    /// With so many decimals.
    func written(_ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let whole = Int((abs(self) * scale).rounded())
        let sign = self < 0 && whole != 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(whole)" }
        let digits = String(whole % Int(scale))
        return "\(sign)\(whole / Int(scale))." + String(repeating: "0", count: places - digits.count) + digits
    }
}

extension Duration {
    func seconds(_ places: Int) -> String { inSeconds.written(places) }
}
