// Messages about load: bytes to reports and questions, and back. GossipWire's page specifies the bytes.
//
// For gossip these are an application's messages: it neither reads nor writes them, and passes them up as they came.
// Not taken: cases of `Message`, by which a core that decides who is a member would know what a load is.

/// What remoras say to each other of load: the body of a user message.
package enum LoadMessage: Hashable, Sendable {
    /// One at least.
    case reports([LoadReport])
    /// "Tell me of yourself; this is the last that I heard of you."
    case question(from: LoadSubject, heard: LoadVersion)

    /// What precedes the reports of a message.
    package static let headLength = 3
    private static let reportsKind: UInt8 = 2
    private static let questionKind: UInt8 = 3

    /// Whether this begins like one: whoever owns loads reads it then, and nobody else.
    package static func isOne(_ body: Span<UInt8>) -> Bool {
        body.count > headLength && body[0] == RemoraMessage.magic && body[1] == RemoraMessage.version
            && (body[2] == reportsKind || body[2] == questionKind)
    }

    // MARK: Reading

    /// Reads a user message's body, without its type byte. All of it has to be right: of a message with a fault
    /// nothing is taken.
    package init(reading body: Span<UInt8>) throws(WireFault) {
        guard body.count > 0 else { throw .empty }
        guard LoadMessage.isOne(body) else { throw .unexpectedType(body.count > 2 ? body[2] : body[0]) }
        var reader = LoadReader(position: LoadMessage.headLength)
        if body[2] == LoadMessage.questionKind {
            self = .question(from: try reader.subject(of: body), heard: try reader.version(of: body))
            guard reader.position == body.count else { throw .tooLong }
            return
        }
        var reports: [LoadReport] = []
        while reader.position < body.count { reports.append(try reader.report(of: body)) }
        self = .reports(reports)
    }

    // MARK: Writing

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .reports(let reports):
            LoadMessage.appendHead(to: &bytes)
            for report in reports { report.append(to: &bytes) }
        case .question(let subject, let version):
            bytes.append(contentsOf: [RemoraMessage.magic, RemoraMessage.version, LoadMessage.questionKind])
            bytes.append(bigEndian: subject.digest)
            version.append(to: &bytes)
        }
    }

    /// Begins a message of reports, to be followed by one at least.
    package static func appendHead(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: [RemoraMessage.magic, RemoraMessage.version, reportsKind])
    }
}

extension LoadReport {
    package func append(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: subject.digest)
        version.append(to: &bytes)
        bytes.append(septets: UInt64(age.hundredths))
        bytes.append(UInt8(services.count))
        for service in services {
            bytes.append(septets: UInt64(service.outstanding))
            bytes.append(septets: UInt64(service.connections))
            bytes.append(service.latency.code)
        }
    }

    /// As ``append(to:)`` writes it.
    package var encodedLength: Int {
        4 + version.encodedLength + [UInt8].length(septets: UInt64(age.hundredths)) + 1
            + services.reduce(0) { sum, service in
                sum + [UInt8].length(septets: UInt64(service.outstanding))
                    + [UInt8].length(septets: UInt64(service.connections)) + 1
            }
    }
}

extension LoadVersion {
    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(septets: UInt64(incarnation))
        bytes.append(septets: number)
    }

    fileprivate var encodedLength: Int {
        [UInt8].length(septets: UInt64(incarnation)) + [UInt8].length(septets: number)
    }
}

// MARK: - Numbers

extension [UInt8] {
    /// Seven bits a byte, the lowest first, each but the last with the high bit (LEB128).
    fileprivate mutating func append(septets value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    fileprivate static func length(septets value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }
}

/// A place in a message's body; never beyond its end.
private struct LoadReader {
    var position: Int

    mutating func byte(of body: Span<UInt8>) throws(WireFault) -> UInt8 {
        guard position < body.count else { throw .cutShort }
        defer { position += 1 }
        return body[position]
    }

    /// Only the shortest form is one, so that what is read is written as it came.
    mutating func number(of body: Span<UInt8>, upTo most: UInt64) throws(WireFault) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte(of: body)
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                guard value <= most, byte > 0 || shift == 0 else { throw .outOfRange }
                return value
            }
            shift += 7
            guard shift < 63 else { throw .outOfRange }
        }
    }

    mutating func word(of body: Span<UInt8>, upTo most: UInt32 = .max) throws(WireFault) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(of: body, upTo: UInt64(most)))
    }

    mutating func subject(of body: Span<UInt8>) throws(WireFault) -> LoadSubject {
        var digest: UInt32 = 0
        for _ in 0..<4 { digest = digest << 8 | UInt32(try byte(of: body)) }
        return LoadSubject(digest: digest)
    }

    mutating func version(of body: Span<UInt8>) throws(WireFault) -> LoadVersion {
        LoadVersion(incarnation: try word(of: body), number: try number(of: body, upTo: LoadVersion.last))
    }

    mutating func report(of body: Span<UInt8>) throws(WireFault) -> LoadReport {
        let (subject, version) = (try subject(of: body), try version(of: body))
        guard let age = ReportAge(hundredths: try word(of: body)) else { throw .outOfRange }
        let count = try byte(of: body)
        guard count <= LoadReport.mostServices else { throw .outOfRange }
        var services: [ServiceLoad] = []
        for _ in 0..<count {
            services.append(
                ServiceLoad(
                    outstanding: try word(of: body, upTo: ServiceLoad.most),
                    connections: try word(of: body, upTo: ServiceLoad.most),
                    latency: CoarseLatency(code: try byte(of: body))))
        }
        return LoadReport(subject: subject, version: version, age: age, services: services)
    }
}
