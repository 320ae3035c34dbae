// What this process's end says to the script that started it; the numbers are those of sysexits(3).

import ArgumentParser

enum ExitStatus: Int32 {
    /// An input file other than the config.
    case input = 65
    /// The admin port did not answer, or not what was asked for.
    case adminSilent = 69
    /// A promise of ours was broken: an invariant failed, or the demo did not see what it tells of.
    case broken = 70
    /// A file that was to be written cannot be, or an address not be had.
    case cannotCreate = 73
    /// `wait` or `drain --wait` has waited long enough.
    case tooLate = 75
    /// The config is missing, unreadable or faulty, or a reload was refused.
    case config = 78

    var code: ExitCode { ExitCode(rawValue) }
}
