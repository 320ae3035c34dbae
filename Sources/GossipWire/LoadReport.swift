// What remoras tell each other of the load of services, as values that know how many bytes they take.
//
// Names are long and told all the time, so none is told: a member and the list of its services are one number that
// every member computes from what gossip says (`LoadSubject`), and loads follow in the order of that list. Whoever
// knows another list computes another number and does not understand the report, instead of taking the load of one
// service for that of another.

import Vocabulary

/// Whose load a report is about, and of which services: a digest of the member's name and its services' names.
///
/// Of 32 bits: two of 250 members have the same once in 140,000 fleets, two of 10,000 in 1 of 86. Whoever knows both
/// takes no report about either, and balances on its own counts.
package struct LoadSubject: Hashable, Sendable {
    package let digest: UInt32
    package init(digest: UInt32) { self.digest = digest }

    /// - Parameter services: sorted by their bytes.
    package init(member: String, services: [String]) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for text in [member] + services {
            // No UTF-8 has this byte, so no two lists run into the same bytes. 64-bit FNV-1a, as in RFC 9923.
            for byte in Array(text.utf8) + [0xFF] { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        }
        digest = UInt32(truncatingIfNeeded: hash >> 32 ^ hash)
    }
}

/// Which of two reports of a member is the later one: incarnation first, then the number.
package struct LoadVersion: Hashable, Comparable, Sendable {
    /// The member's in gossip when it measured.
    package var incarnation: UInt32
    /// Counts the member's measurements; 1 is the first, ``last`` has no successor.
    package var number: UInt64

    package static let last: UInt64 = 1 << 56 - 1
    /// Before every report.
    package static let none = LoadVersion(incarnation: 0, number: 0)

    package init(incarnation: UInt32, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }

    package static func < (a: LoadVersion, b: LoadVersion) -> Bool {
        a.incarnation == b.incarnation ? a.number < b.number : a.incarnation < b.incarnation
    }
}

/// How long ago something was measured, in hundredths of a second, rounded up: no report gets younger by being told.
package struct ReportAge: Hashable, Sendable {
    package let hundredths: UInt32
    /// Nobody tells what is older.
    package static let oldest = Duration.seconds(300)
    static let range: ClosedRange<UInt32> = 0...30_000

    /// Nil above ``oldest``; a negative time is none.
    package init?(_ duration: Duration) {
        let nanoseconds = max(0, duration.wholeNanoseconds)
        self.init(hundredths: UInt32(clamping: nanoseconds / 10_000_000 + (nanoseconds % 10_000_000 > 0 ? 1 : 0)))
    }

    init?(hundredths: UInt32) {
        guard ReportAge.range.contains(hundredths) else { return nil }
        self.hundredths = hundredths
    }

    package var duration: Duration { .milliseconds(Int64(hundredths) * 10) }
}

/// A latency in a byte: microseconds with a leading bit, three more and an exponent, so within 1/16; or that there is
/// no estimate.
package struct CoarseLatency: Hashable, Sendable {
    /// 0 for none; below 8 microseconds themselves; then 8 to each doubling, up to 4.4 hours.
    package let code: UInt8

    package init(code: UInt8) { self.code = code }

    /// The nearest that there is; at least 1 µs for an estimate.
    package init(_ latency: Duration?) {
        guard let latency else {
            code = 0
            return
        }
        let microseconds = UInt64(clamping: max(1, latency.wholeNanoseconds / 1000))
        guard microseconds >= 8 else {
            code = UInt8(microseconds)
            return
        }
        let step = UInt64(60 - microseconds.leadingZeroBitCount)
        // Half a step more, for the nearest instead of the next below; it may carry into the exponent, as it should.
        let rounded = microseconds + (step > 0 ? 1 << (step - 1) : 0)
        let exponent = UInt64(60 - rounded.leadingZeroBitCount)
        code = UInt8(clamping: exponent << 3 + 8 + (rounded >> exponent & 7))
    }

    /// Nil where there is no estimate.
    package var duration: Duration? {
        guard code > 0 else { return nil }
        guard code >= 16 else { return .microseconds(Int(code)) }
        return .microseconds(Int64(8 + code & 7) << Int64(code >> 3 - 1))
    }
}

/// The load of one service on one member.
package struct ServiceLoad: Hashable, Sendable {
    /// Connections that wait for an answer; at most ``most``.
    package let outstanding: UInt32
    package let connections: UInt32
    package let latency: CoarseLatency

    /// What three bytes hold; more is told as this.
    package static let most: UInt32 = 1 << 21 - 1
    package static let idle = ServiceLoad(outstanding: 0, connections: 0)

    package init(outstanding: UInt32, connections: UInt32, latency: CoarseLatency = CoarseLatency(code: 0)) {
        self.outstanding = min(outstanding, ServiceLoad.most)
        self.connections = min(connections, ServiceLoad.most)
        self.latency = latency
    }
}

extension ServiceLoad: Comparable {
    /// An order without a meaning, for ties that everybody has to break alike.
    package static func < (a: ServiceLoad, b: ServiceLoad) -> Bool {
        (a.outstanding, a.connections, a.latency.code) < (b.outstanding, b.connections, b.latency.code)
    }
}

/// One member's load, as it measured it and as others pass it on.
package struct LoadReport: Hashable, Sendable {
    package var subject: LoadSubject
    package var version: LoadVersion
    package var age: ReportAge
    /// In the order of the services' names, at most ``mostServices``.
    package var services: [ServiceLoad]

    /// More services of a member are told by nobody.
    package static let mostServices = 64

    package init(subject: LoadSubject, version: LoadVersion, age: ReportAge, services: [ServiceLoad]) {
        self.subject = subject
        self.version = version
        self.age = age
        self.services = services
    }
}
