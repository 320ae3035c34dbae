// How long something took or has lasted, in sentences of the log, of `explain` and of the pages.
//
// Not for what people write and read back: a config's `500ms` has one number and one unit, and loses nothing.

extension Duration {
    /// Two digits at least and a unit, as people say it: `12 ms`, `3.1 s`, `4 min 10 s`, `3 h 5 min`, `12 days 4 h`.
    ///
    /// Cut, not rounded; what is negative is `0 ms`.
    package var inWords: String {
        let milliseconds = max(0, wholeNanoseconds / 1_000_000)
        let (seconds, minutes, hours) = (milliseconds / 1_000, milliseconds / 60_000, milliseconds / 3_600_000)
        return switch hours {
        case 48...: "\(hours / 24) days \(hours % 24) h"
        case 1...: "\(hours) h \(minutes % 60) min"
        case _ where minutes > 0: "\(minutes) min \(seconds % 60) s"
        case _ where seconds > 0: "\(seconds).\(milliseconds % 1_000 / 100) s"
        default: "\(milliseconds) ms"
        }
    }
}
