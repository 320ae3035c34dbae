// How many datagrams are read in a second, whatever comes.
//
// A flood costs whoever reads it all a core, and the thread that reads also hears signals. A token bucket: gossip's own
// bursts pass, a flood is left to the kernel, which drops what its buffer does not hold. What is lost of the fleet's own
// words then, is lost in a flood anyway. Not taken: a limit per sender, whose address in a datagram is anybody's word.

import Vocabulary

/// A value; time is handed in.
struct DatagramBudget {
    /// A member of a fleet of thousands gets some hundreds a second.
    static let perSecond: Int64 = 20_000
    static let burst: Int64 = 2_048
    /// What one costs of the time, in nanoseconds.
    private static let each = 1_000_000_000 / perSecond
    /// How long nothing is read once it is spent.
    static let pause = Duration.milliseconds(10)

    private var left = DatagramBudget.burst
    private var filled: Instant

    init(at now: Instant) { filled = now }

    /// How many may be read now, at most `wanted`; they count as read.
    mutating func grant(upTo wanted: Int, at now: Instant) -> Int {
        let gained = max(0, (now - filled).wholeNanoseconds / DatagramBudget.each)
        // What is beyond a whole one counts for the next.
        filled.nanoseconds += gained * DatagramBudget.each
        left = min(DatagramBudget.burst, left + gained)
        let granted = min(Int64(wanted), left)
        left -= granted
        return Int(granted)
    }

    /// Gives back what was granted and found nothing to read.
    mutating func giveBack(_ count: Int) { left = min(DatagramBudget.burst, left + Int64(count)) }
}
