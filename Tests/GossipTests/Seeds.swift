enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF]
}
