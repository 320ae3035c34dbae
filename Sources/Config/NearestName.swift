// Which of the known names somebody may have meant.

/// The candidate that fewest typing mistakes turn into `name`, if those are few for its length.
///
/// Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment), at most three
/// and at most one per three bytes. Among equals the first candidate wins. Candidates cost O(length) each: only
/// the cells of the table that can stay within the bound are filled.
func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let typed = Array(name.utf8.prefix(256))
    var most = max(1, min(3, typed.count / 3))
    var nearest: String?
    for candidate in candidates {
        guard let distance = typingMistakes(from: Array(candidate.utf8), to: typed, atMost: most) else { continue }
        nearest = candidate
        if distance == 0 { break }
        most = distance - 1
    }
    return nearest
}

/// The distance from `a` to `b`; nil if it is above `most`.
private func typingMistakes(from a: [UInt8], to b: [UInt8], atMost most: Int) -> Int? {
    guard abs(a.count - b.count) <= most else { return nil }
    let far = most + 1
    var beforePrevious: [Int] = []
    var previous = (0...b.count).map { min($0, far) }
    for i in 0..<a.count {
        var row = [Int](repeating: far, count: b.count + 1)
        row[0] = min(i + 1, far)
        for j in max(0, i - most)..<max(max(0, i - most), min(b.count, i + most + 1)) {
            var best = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforePrevious[j - 1] + 1) }
            row[j + 1] = min(best, far)
        }
        (beforePrevious, previous) = (previous, row)
    }
    return previous[b.count] <= most ? previous[b.count] : nil
}
