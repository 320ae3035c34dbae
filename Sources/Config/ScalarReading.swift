// One scalar → one value: all the small decisions about how numbers, booleans and texts are written.
//
// Numbers are decimal (`010` is 8 in YAML 1.1 and 10 in 1.2; nobody should have to know), booleans are `true`
// and `false` (`no` is Norway elsewhere), and texts that look like either need quotes, since other readers of
// the same file would take them for what they look like.

internal import Routing
internal import Stores
internal import Upstreams
internal import Vocabulary

/// What is wrong with a scalar and what would be right, to stand behind its label.
struct ScalarFault: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

enum ScalarReading {
    /// Reads a scalar as `shape`, which is none of a table, a list and a section.
    static func read(_ content: Tree.Content, as shape: Shape) throws(ScalarFault) -> Checked.Content {
        let (text, isPlain) =
            switch content {
            case .plain(let text): (text, true)
            case .quoted(let text): (text, false)
            case .null, .list, .mapping, .broken: preconditionFailure("no scalar reached the reading of scalars")
            }
        switch shape {
        case .flag: return .flag(try flag(text, isPlain, shape))
        case .mark: return .flag(try mark(text, isPlain, shape))
        case .integer(let range): return .integer(try integer(text, isPlain, range, shape))
        case .factor(let range): return .factor(try factor(text, isPlain, range, shape))
        case .duration(let range): return .duration(try duration(text, range))
        case .size(let range): return .size(try size(text, range))
        case .address(let portZero): return .address(try address(text, portZero: portZero))
        case .peer(let portZero): return .address(try peer(text, portZero: portZero))
        case .origin: return .origin(try origin(text, shape))
        case .requestPath: return .text(try requestPath(text, shape))
        case .keyPrefix: return .text(try keyPrefix(text, shape))
        case .key: return .key(try key(text, shape))
        case .hashKey: return .hashKey(try hashKey(text, shape))
        case .serverName:
            try refuseLookalike(text, isPlain)
            return .serverName(try serverName(text, shape))
        case .name:
            try refuseLookalike(text, isPlain)
            return .text(try name(text))
        case .text(let length):
            try refuseLookalike(text, isPlain)
            return .text(try plainText(text, length, shape))
        case .choice(let words, let later):
            return .text(try choice(text, words, later, shape))
        case .table, .list, .section: preconditionFailure("no shape of a scalar")
        }
    }

    /// Reads a name, whatever it looks like.
    static func name(_ text: String) throws(ScalarFault) -> String {
        let expectation = Shape.name.expectation
        if let scalar = text.unicodeScalars.first(where: { !$0.isASCII || !Shape.isNameCharacter(UInt8($0.value)) }) {
            throw ScalarFault("\(text.quoted) has the character \(String(scalar).quoted); write \(expectation)")
        }
        guard Shape.nameLength.contains(text.utf8.count) else {
            throw ScalarFault("\(text.quoted) has \(text.utf8.count) characters; write \(expectation)")
        }
        return text
    }

    // MARK: Numbers and booleans

    private static func flag(_ text: String, _ isPlain: Bool, _ shape: Shape) throws(ScalarFault) -> Bool {
        guard isPlain || (text != "true" && text != "false") else {
            throw ScalarFault("is the text \(text.quoted); write \(text) without quotes")
        }
        switch text {
        case "true": return true
        case "false": return false
        default: throw ScalarFault("\(text.quoted) is no boolean; write \(shape.expectation)")
        }
    }

    private static func mark(_ text: String, _ isPlain: Bool, _ shape: Shape) throws(ScalarFault) -> Bool {
        guard try flag(text, isPlain, .flag) else {
            throw ScalarFault("false says nothing; write \(shape.expectation), or remove the key")
        }
        return true
    }

    private static func integer(
        _ text: String, _ isPlain: Bool, _ range: ClosedRange<Int>, _ shape: Shape
    ) throws(ScalarFault) -> Int {
        let digits = text.hasPrefix("-") ? text.utf8.dropFirst() : text.utf8[...]
        let isWhole = !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
        guard isWhole, digits.count == 1 || digits.first != UInt8(ascii: "0") else {
            if isPlain, case .number = PlainMeaning(text) {
                throw ScalarFault("\(text.quoted) is no whole number in decimal; write \(shape.expectation)")
            }
            throw ScalarFault("\(text.quoted) is no number; write \(shape.expectation)")
        }
        guard isPlain else { throw ScalarFault("is the text \(text.quoted); write \(text) without quotes") }
        // A number that does not fit 64 bits is out of every range.
        guard let value = Int(text), range.contains(value), text != "-0" else {
            throw ScalarFault("\(text.quoted) is out of range; write \(shape.expectation)")
        }
        return value
    }

    /// Decimals are so few that thousandths hold them: `1.2` is the same number to every reader.
    private static func factor(
        _ text: String, _ isPlain: Bool, _ range: ClosedRange<Double>, _ shape: Shape
    ) throws(ScalarFault) -> Double {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard isNumber, parts.count <= 2, let whole = parts.first, whole.count == 1 || whole.first != "0",
            let value = Double(text)
        else {
            throw ScalarFault("\(text.quoted) is no number in decimal; write \(shape.expectation)")
        }
        guard isPlain else { throw ScalarFault("is the text \(text.quoted); write \(text) without quotes") }
        guard text == "0" || range.contains(value) else {
            throw ScalarFault("\(text.quoted) is out of range; write \(shape.expectation)")
        }
        guard parts.count == 1 || parts[1].count <= 3 else {
            throw ScalarFault("\(text.quoted) has \(parts[1].count) decimals; write \(shape.expectation)")
        }
        return value
    }

    // MARK: Texts with a meaning

    private static func hashKey(_ text: String, _ shape: Shape) throws(ScalarFault) -> HashKey {
        switch text {
        case "source_ip": return .sourceIP
        case "sni": return .serverName
        case "proxy_authority": return .proxyAuthority
        case "path": return .path
        default: break
        }
        let kinds: [(prefix: String, key: (String) -> HashKey)] = [
            // Names of fields are the same in capitals (RFC 9110 §5.1), those of cookies are not.
            ("header:", { .header($0.lowercased()) }), ("cookie:", { .cookie($0) }),
        ]
        for kind in kinds where text.hasPrefix(kind.prefix) {
            let name = String(text.dropFirst(kind.prefix.count))
            guard !name.isEmpty else { throw ScalarFault("\(text.quoted) has no name; write \(kind.prefix)NAME") }
            guard RequestPart.isName(name) else {
                throw ScalarFault(
                    "\(text.quoted) has the name \(name.quoted), which is none of HTTP; write 1 to \(RequestPart.longestName) letters, digits or any of !#$%&'*+-.^_`|~"
                )
            }
            return kind.key(name)
        }
        if let nearest = nearestName(to: text, among: Shape.hashKeys) {
            throw ScalarFault("\(text.quoted) is unknown; did you mean \(nearest)?")
        }
        throw ScalarFault("\(text.quoted) is unknown; write \(shape.expectation)")
    }

    private static func serverName(_ text: String, _ shape: Shape) throws(ScalarFault) -> ServerNamePattern {
        guard let pattern = ServerNamePattern(text) else {
            if text == "*" {
                throw ScalarFault("\(text.quoted) is every name; leave it out, upstream gets what no route does")
            }
            if text.dropFirst().contains("*") || text.hasPrefix("*") && !text.hasPrefix("*.") {
                throw ScalarFault("\(text.quoted) has a star that is not its whole first label; write *.NAME")
            }
            throw ScalarFault("\(text.quoted) is no host name; write \(shape.expectation)")
        }
        return pattern
    }

    private static func duration(_ text: String, _ range: ClosedRange<Duration>) throws(ScalarFault) -> Duration {
        let value: Duration
        do throws(Duration.TextError) {
            value = try Duration(parsing: text)
        } catch {
            switch error {
            case .noUnit:
                throw ScalarFault("\(text.quoted) has no unit; write \(text.prefix(18))s or \(text.prefix(18))ms")
            case .badUnit(let unit):
                throw ScalarFault("\(text.quoted) has the unit \(unit.quoted); write ms, s, m or h")
            case .notOneNumberAndUnit:
                throw ScalarFault("\(text.quoted) is no duration; write a whole number and ms, s, m or h")
            case .tooLong:
                throw ScalarFault(outOfRange(text, range))
            }
        }
        guard range.contains(value) else { throw ScalarFault(outOfRange(text, range)) }
        return value
    }

    private static func outOfRange(_ text: String, _ range: ClosedRange<Duration>) -> String {
        "\(text.quoted) is out of range; write \(range.lowerBound.written) to \(range.upperBound.written)"
    }

    private static func size(_ text: String, _ range: ClosedRange<ByteCount>) throws(ScalarFault) -> ByteCount {
        let value: ByteCount
        do throws(ByteCount.TextError) {
            value = try ByteCount(parsing: text)
        } catch {
            switch error {
            case .noUnit:
                throw ScalarFault("\(text.quoted) has no unit; write \(text.prefix(18))B or \(text.prefix(18))KiB")
            case .badUnit(let unit):
                throw ScalarFault("\(text.quoted) has the unit \(unit.quoted); write B, KiB, MiB or GiB")
            case .notOneNumberAndUnit:
                throw ScalarFault("\(text.quoted) is no size; write a whole number and B, KiB, MiB or GiB")
            case .tooLarge:
                throw ScalarFault(outOfRange(text, range))
            }
        }
        guard range.contains(value) else { throw ScalarFault(outOfRange(text, range)) }
        return value
    }

    private static func outOfRange(_ text: String, _ range: ClosedRange<ByteCount>) -> String {
        "\(text.quoted) is out of range; write \(range.lowerBound.written) to \(range.upperBound.written)"
    }

    private static func address(_ text: String, portZero: Bool) throws(ScalarFault) -> SocketAddress {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            throw ScalarFault(
                "\(text.quoted) has no host; write one before the port, as in 127.0.0.1:\(text.prefix(5))")
        }
        if let scalar = text.unicodeScalars.first(where: Shape.isControl) {
            throw ScalarFault("\(text.quoted) has the character \(String(scalar).quoted); remove it")
        }
        let address: SocketAddress
        do throws(SocketAddress.ParseError) {
            address = try SocketAddress(parsing: text)
        } catch {
            throw ScalarFault("\(text.quoted) \(error.explanation)")
        }
        if address.port == 0, !portZero { throw ScalarFault("\(text.quoted) has the port 0; write 1 to 65535") }
        return address
    }

    private static func peer(_ text: String, portZero: Bool) throws(ScalarFault) -> SocketAddress {
        let address: SocketAddress
        do throws(ScalarFault) {
            address = try self.address(text, portZero: portZero)
        } catch {
            // The remedies of addresses at large name paths as well.
            let message = error.message.replacing(
                Shape.address(portZero: portZero).expectation, with: Shape.peer(portZero: portZero).expectation)
            throw ScalarFault(message)
        }
        if case .unix = address {
            throw ScalarFault("\(text.quoted) is a path; write \(Shape.peer(portZero: portZero).expectation)")
        }
        return address
    }

    /// A scheme, a host and a port, and nothing behind them: user names and paths are said elsewhere, or not at all.
    private static func origin(_ text: String, _ shape: Shape) throws(ScalarFault) -> EtcdOptions.Endpoint {
        let isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else {
            throw ScalarFault("\(text.quoted) has no http:// or https://; write \(shape.expectation)")
        }
        let rest = text.dropFirst(isSecure ? 8 : 7)
        guard let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") else {
            throw ScalarFault("\(text.quoted) has no port; write \(shape.expectation)")
        }
        let digits = rest[rest.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
            port > 0
        else {
            throw ScalarFault(
                "\(text.quoted) has the port \(String(digits).quoted); write \(shape.expectation), with a port of 1 to 65535"
            )
        }
        let host = String(rest[..<colon])
        guard isHost(host) else {
            throw ScalarFault(
                "\(text.quoted) has the host \(host.quoted), which is neither a name nor an IP address; write \(shape.expectation)"
            )
        }
        // The brackets belong to the URL, not to the address.
        let isBracketed = host.hasPrefix("[")
        return EtcdOptions.Endpoint(
            isSecure: isSecure, host: isBracketed ? String(host.dropFirst().dropLast()) : host, port: port)
    }

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    private static func isHost(_ text: String) -> Bool {
        if text.hasPrefix("["), text.hasSuffix("]") {
            return SocketAddress.IPv6(String(text.dropFirst().dropLast())) != nil
        }
        guard (1...Shape.longestHostName).contains(text.utf8.count), text.utf8.allSatisfy(Shape.isNameCharacter) else {
            return false
        }
        // What ends in a number is an address to every resolver, or a slip in one.
        let last = text.utf8.reversed().prefix { $0 != UInt8(ascii: ".") }
        let isNumber = last.allSatisfy { (0x30...0x39).contains($0) }
        return !isNumber || SocketAddress.IPv4(text) != nil
    }

    /// Without the '/' it would be how the keys of other fleets begin as well: "/fleet" begins "/fleet-2/a".
    private static func keyPrefix(_ text: String, _ shape: Shape) throws(ScalarFault) -> String {
        let prefix = try plainText(text, Shape.keyPrefixLength, shape)
        // By its last byte: a mark that follows would make one character of the two.
        guard prefix.utf8.last == UInt8(ascii: "/") else {
            throw ScalarFault("\(text.quoted) does not end with '/'; write \((text + "/").quoted)")
        }
        return prefix
    }

    private static func requestPath(_ text: String, _ shape: Shape) throws(ScalarFault) -> String {
        guard text.hasPrefix("/") else {
            throw ScalarFault("\(text.quoted) does not begin with '/'; write \(shape.expectation)")
        }
        if let scalar = text.unicodeScalars.first(where: { !Shape.isRequestCharacter($0) }) {
            throw ScalarFault(
                "\(text.quoted) has the character \(String(scalar).quoted); write it as %XX, or leave it out")
        }
        guard Shape.requestPathLength.contains(text.utf8.count) else {
            throw ScalarFault(
                "\(text.quoted) has \(text.utf8.count) characters; at most \(Shape.requestPathLength.upperBound) fit")
        }
        return text
    }

    /// Without a word of what it is.
    private static func key(_ text: String, _ shape: Shape) throws(ScalarFault) -> GossipKey {
        guard let bytes = Base64.decode(text) else { throw ScalarFault("is not base64; write \(shape.expectation)") }
        guard let key = GossipKey(bytes) else {
            throw ScalarFault("has \(bytes.count) bytes; write \(shape.expectation)")
        }
        return key
    }

    private static func choice(
        _ text: String, _ words: [String], _ later: [String], _ shape: Shape
    ) throws(ScalarFault) -> String {
        if words.contains(text) { return text }
        if later.contains(text) {
            throw ScalarFault("\(text) is not available yet; write \(shape.expectation)")
        }
        if let nearest = nearestName(to: text, among: words + later) {
            throw ScalarFault("\(text.quoted) is unknown; did you mean \(nearest)?")
        }
        throw ScalarFault("\(text.quoted) is unknown; write \(shape.expectation)")
    }

    // MARK: Texts

    private static func refuseLookalike(_ text: String, _ isPlain: Bool) throws(ScalarFault) {
        guard isPlain else { return }
        switch PlainMeaning(text) {
        case .flag: throw ScalarFault("\(text) is a boolean; write \(text.quoted), in quotes")
        case .number: throw ScalarFault("\(text) is a number; write \(text.quoted), in quotes")
        case .null, .text: break
        }
    }

    private static func plainText(
        _ text: String, _ length: ClosedRange<Int>, _ shape: Shape
    ) throws(ScalarFault) -> String {
        if let scalar = text.unicodeScalars.first(where: Shape.isControl) {
            throw ScalarFault("\(text.quoted) has the character \(String(scalar).quoted); remove it")
        }
        let count = text.unicodeScalars.count
        guard length.contains(count) else {
            throw ScalarFault("\(text.quoted) has \(count) characters; write \(shape.expectation)")
        }
        return text
    }
}
