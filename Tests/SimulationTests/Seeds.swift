/// Seeds of behaviour tests: a few that were drawn once, and any that ever showed a bug.
enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF, 7_777_777]
}
