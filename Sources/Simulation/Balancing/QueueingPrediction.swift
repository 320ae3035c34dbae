// What theory says of queues and bins, to stand beside what was simulated. Nothing here was fitted.

import Glibc

/// The supermarket model: Poisson arrivals at endpoints with exponential services, each to the shortest of d queues,
/// as the number of endpoints grows (Mitzenmacher, *The Power of Two Choices in Randomized Load Balancing*, 2001).
enum SupermarketModel {
    /// The share of endpoints with `length` connections or more: λ^((dⁱ − 1)/(d − 1)), λⁱ for one choice (Theorem 1 and
    /// Lemma 2 of Mitzenmacher's model; Vvedenskaya, Dobrushin, Karpelevich 1996).
    static func tail(length: Int, load: Double, choices: Int) -> Double {
        pow(load, geometric(length, choices))
    }

    /// The mean time in system: Σ_{i ≥ 1} λ^((dⁱ − d)/(d − 1)), 1/(1 − λ) for one choice.
    /// - Precondition: `load` is below 1.
    static func meanTime(load: Double, choices: Int) -> Double {
        precondition(load < 1, "a queue that gets more than it serves has no mean")
        if choices == 1 { return 1 / (1 - load) }
        var (sum, length) = (0.0, 1)
        while true {
            // (dⁱ − d)/(d − 1) is one less than (dⁱ − 1)/(d − 1).
            let term = pow(load, geometric(length, choices) - 1)
            sum += term
            if term < 1e-15 { return sum }
            length += 1
        }
    }

    /// 1 + d + … + d^(i − 1).
    private static func geometric(_ terms: Int, _ ratio: Int) -> Double {
        (0..<terms).reduce(0) { sum, _ in sum * Double(ratio) + 1 }
    }

    /// Where connections go by chance to endpoints of which some have half the speed, each is a queue of its own; nil
    /// where the slow ones get more than they serve.
    static func meanTimeAtRandom(load: Double, slowShare: Double) -> Double? {
        let arrivals = load * (1 - slowShare / 2)
        guard arrivals < 0.5 || slowShare == 0 else { return nil }
        return (1 - slowShare) / (1 - arrivals) + (slowShare == 0 ? 0 : slowShare / (0.5 - arrivals))
    }
}

/// Balls thrown at bins, each into the least full of d, as the number of bins grows.
enum BinsModel {
    /// The share of bins with i balls or more, by i from 0, once there are `ballsPerBin`: ds_i/dt = s_{i−1}^d − s_i^d
    /// (Mitzenmacher 2001, the static model), integrated.
    static func tails(ballsPerBin: Int, choices: Int) -> [Double] {
        // With one choice the fullest bin is some deviations √m/n above the mean; nothing is full that far out.
        let levels = ballsPerBin + 12 * Int(Double(ballsPerBin).squareRoot()) + 20
        var tails = [1.0] + [Double](repeating: 0, count: levels)
        let steps = 40 * ballsPerBin
        let step = Double(ballsPerBin) / Double(steps)
        for _ in 0..<steps {
            // Heun's method; the error is far below one bin in a million.
            let first = slopes(tails, choices)
            let there = zip(tails, first).map { $0 + step * $1 }
            let second = slopes(there, choices)
            for level in tails.indices { tails[level] += step * (first[level] + second[level]) / 2 }
        }
        return tails
    }

    private static func slopes(_ tails: [Double], _ choices: Int) -> [Double] {
        let powers = tails.map { tail in (1..<choices).reduce(tail) { power, _ in power * tail } }
        return tails.indices.map { $0 == 0 ? 0 : powers[$0 - 1] - powers[$0] }
    }

    /// The mean number of balls in the fullest of `bins`, as if bins were independent: Σ_i 1 − (1 − s_i)ⁿ.
    static func fullest(bins: Int, ballsPerBin: Int, choices: Int) -> Double {
        tails(ballsPerBin: ballsPerBin, choices: choices).dropFirst().reduce(0) { sum, tail in
            sum + 1 - exp(Double(bins) * log1p(-min(max(tail, 0), 1 - 1e-16)))
        }
    }
}

/// How unevenly points by chance cut a circle.
enum RingModel {
    /// The coefficient of variation of a member's share with V points of N·V: √((N − 1)/(N V + 1)), from the beta
    /// distribution of V of the gaps.
    static func spread(members: Int, virtualNodes: Int) -> Double {
        (Double(members - 1) / Double(members * virtualNodes + 1)).squareRoot()
    }
}
