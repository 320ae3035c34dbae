// Numbers as text, the same on every machine and without Foundation.

extension Double {
    /// This number with about `digits` significant digits and no exponent; whole numbers keep all theirs.
    ///
    /// `0`, `0.0042`, `1.58`, `12.4`, `1024`; what is no finite number is written `-`.
    package func written(significant digits: Int = 3) -> String {
        guard isFinite else { return "-" }
        guard self != 0 else { return "0" }
        // How many digits stand before the point: 0 for 0.5, -2 for 0.004.
        var order = 0
        var rest = magnitude
        while rest >= 1, order < 20 { (rest, order) = (rest / 10, order + 1) }
        while rest < 0.1, order > -20 { (rest, order) = (rest * 10, order - 1) }
        return written(places: Swift.max(digits - order, 0))
    }

    /// This number with at most `places` digits after the point, 12 at most; zeros at the end are left out.
    package func written(places: Int) -> String {
        guard isFinite else { return "-" }
        let places = Swift.min(places, 12)
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (magnitude * scale).rounded()
        // Beyond this a Double has no fraction worth writing, and the product may not fit an integer.
        guard scaled < 9e18 else { return "\(self)" }
        let (whole, fraction) = Int64(scaled).quotientAndRemainder(dividingBy: Int64(scale))
        var digits = String(fraction)
        digits = String(repeating: "0", count: Swift.max(places - digits.count, 0)) + digits
        while digits.last == "0" { digits.removeLast() }
        let sign = self < 0 && scaled > 0 ? "-" : ""
        return fraction == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(digits)"
    }
}
