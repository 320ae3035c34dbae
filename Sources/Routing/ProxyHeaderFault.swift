// Why bytes are no PROXY header. A case keeps numbers and at most one of the peer's bytes; the sentence is made
// only if somebody logs it, so refusing a flood of garbage costs no allocation.

/// What is wrong with the bytes that a peer sent in place of a PROXY header.
package enum ProxyHeaderFault: Error, Hashable, Sendable {
    /// The bytes up to `offset` could begin a header of either version, this one does not go on with it.
    case noHeader(UInt8, offset: Int)

    // Version 1
    case unexpectedByte(UInt8, offset: Int, wanted: Wanted)
    case leadingZero(offset: Int)
    case numberAbove(Int, offset: Int)
    /// An IPv6 address with too many or too few groups, or two `::`.
    case misshapenIPv6(offset: Int)
    /// No CRLF within the first 107 bytes.
    case lineTooLong

    // Version 2
    case unknownVersion(UInt8)
    case unknownCommand(UInt8)
    case unknownFamily(UInt8)
    case unknownTransport(UInt8)
    /// `announced` bytes cannot hold the addresses of the family.
    case addressesCutShort(announced: Int, needed: Int)
    case tooLong(announced: Int)
    /// A TLV that reaches beyond the header, or whose own head does.
    case vectorOverrun(offset: Int)
    /// A CRC32C TLV that is not 4 bytes long, or the second of two.
    case misplacedChecksum(offset: Int)
    case wrongChecksum(found: UInt32, computed: UInt32)

    /// What the grammar of version 1 allows at an offset.
    package enum Wanted: String, Sendable {
        case space = "a single space"
        case family = "TCP4, TCP6 or UNKNOWN"
        case digit = "a decimal digit"
        case dot = "a dot"
        case hexadecimal = "a hexadecimal digit"
        case colon = "a colon"
        case lineEnd = "the end of the line"
        case lineFeed = "a line feed after the carriage return"
        case carriageReturn = "a carriage return before the line feed"
    }
}

extension ProxyHeaderFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noHeader(let byte, let offset):
            "byte \(offset) is \(escaped(byte)), which begins no PROXY header; is the peer set to send one?"
        case .unexpectedByte(let byte, let offset, let wanted):
            "byte \(offset) of the PROXY line is \(escaped(byte)) where \(wanted.rawValue) belongs"
        case .leadingZero(let offset):
            "the number at byte \(offset) of the PROXY line begins with a needless zero"
        case .numberAbove(let limit, let offset):
            "the number at byte \(offset) of the PROXY line is above \(limit)"
        case .misshapenIPv6(let offset):
            "the IPv6 address at byte \(offset) of the PROXY line does not make 128 bits"
        case .lineTooLong:
            "the PROXY line has no end within \(ProxyHeader.longestText) bytes"
        case .unknownVersion(let version):
            "the PROXY header is of version \(version); only 1 and 2 are known"
        case .unknownCommand(let command):
            "the PROXY header has the command \(command); only 0 (LOCAL) and 1 (PROXY) are known"
        case .unknownFamily(let family):
            "the PROXY header has the address family \(family); only 0 to 3 are known"
        case .unknownTransport(let transport):
            "the PROXY header has the transport \(transport); only 0 to 2 are known"
        case .addressesCutShort(let announced, let needed):
            "the PROXY header announces \(announced) bytes; its addresses need \(needed)"
        case .tooLong(let announced):
            "the PROXY header announces \(announced) bytes; at most "
                + "\(Preface.bound.bytes - ProxyHeader.binaryHeadLength) are read"
        case .vectorOverrun(let offset):
            "the TLV at byte \(offset) of the PROXY header reaches beyond its end"
        case .misplacedChecksum(let offset):
            "the CRC32C TLV at byte \(offset) of the PROXY header is not 4 bytes long, or not the only one"
        case .wrongChecksum(let found, let computed):
            "the PROXY header's CRC32C is 0x\(hexadecimal(found)); its bytes make 0x\(hexadecimal(computed))"
        }
    }
}

/// A printable ASCII character in quotes, anything else as its number.
func escaped(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "0x\(hexadecimal(byte))"
}

private func hexadecimal(_ number: some FixedWidthInteger & UnsignedInteger) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
}
