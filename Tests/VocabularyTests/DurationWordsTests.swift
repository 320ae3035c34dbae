import Testing
import Vocabulary

@Suite("Durations in words")
struct DurationWordsTests {
    @Test(
        "Durations are said with a unit that fits",
        arguments: [
            (Duration.milliseconds(0), "0 ms"), (.seconds(-3), "0 ms"), (.microseconds(999), "0 ms"),
            (.milliseconds(999), "999 ms"), (.milliseconds(1_000), "1.0 s"), (.milliseconds(59_999), "59.9 s"),
            (.seconds(60), "1 min 0 s"), (.seconds(3_599), "59 min 59 s"), (.seconds(3_600), "1 h 0 min"),
            (.seconds(90_061), "25 h 1 min"), (.seconds(172_799), "47 h 59 min"), (.seconds(172_800), "2 days 0 h"),
            (.seconds(31_536_000 - 1), "364 days 23 h"), (.seconds(Int64.max), "106751 days 23 h"),
        ])
    func durations(duration: Duration, words: String) {
        #expect(duration.inWords == words)
    }
}
