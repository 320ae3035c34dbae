// What remoras tell each other to find out who sees the fleet otherwise: bytes to checksums, and back. GossipWire's page
// specifies the bytes.
//
// Beside the checksum that rides along with a ping (`Message.viewChecksum`): that one starts an exchange, and a member
// hears each other one's once in as many periods as there are members. These are passed on, and known of all within
// seconds, so that somebody can be told who differs. In a fleet at rest nearly all of them are equal; so they are told by
// groups, and a member takes six bytes.

import Gossip

/// How a member sees the fleet, and what it was told to do, each as a number that is equal where they are.
package struct Checksums: Hashable, Sendable {
    /// Of who is present, at which incarnations: ``Gossip/Membership/viewChecksum``, its halves joined by exclusive or.
    package var view: UInt32
    /// Of the config's upstreams.
    package var config: UInt32

    package init(view: UInt32, config: UInt32) {
        self.view = view
        self.config = config
    }

    package init(view: UInt64, config: UInt32) {
        self.init(view: UInt32(truncatingIfNeeded: view >> 32 ^ view), config: config)
    }
}

/// One member's, as it said it and as others pass it on.
package struct ToldChecksums: Hashable, Sendable {
    /// Of the name alone, without services.
    package var member: LoadSubject
    /// Since the member said so.
    package var age: ReportAge
    package var checksums: Checksums

    package init(member: LoadSubject, age: ReportAge, checksums: Checksums) {
        self.member = member
        self.age = age
        self.checksums = checksums
    }
}

/// The body of a user message with the checksums of some members.
package struct ChecksumMessage: Hashable, Sendable {
    /// One at least; those who are alike stand together.
    package private(set) var told: [ToldChecksums]

    package static let headLength = 3
    /// Checksums and a count.
    package static let groupLength = 9
    /// Digest and age.
    package static let memberLength = 6
    private static let kind: UInt8 = 4

    /// - Parameter told: one at least, in any order.
    package init(_ told: [ToldChecksums]) {
        precondition(!told.isEmpty, "a message without a word")
        var groups: [Checksums] = []
        for one in told where !groups.contains(one.checksums) { groups.append(one.checksums) }
        self.told = groups.flatMap { group in told.filter { $0.checksums == group } }
    }

    /// Whether this begins like one.
    package static func isOne(_ body: Span<UInt8>) -> Bool {
        body.count > headLength && body[0] == RemoraMessage.magic && body[1] == RemoraMessage.version && body[2] == kind
    }

    /// Reads a user message's body, without its type byte. All of it has to be right, as with loads.
    package init(reading body: Span<UInt8>) throws(WireFault) {
        guard body.count > 0 else { throw .empty }
        guard ChecksumMessage.isOne(body) else { throw .unexpectedType(body.count > 2 ? body[2] : body[0]) }
        told = []
        var place = ChecksumMessage.headLength
        while place < body.count {
            guard body.count - place >= ChecksumMessage.groupLength else { throw .cutShort }
            let checksums = Checksums(
                view: UInt32(truncatingIfNeeded: body.number(at: place, bytes: 4)),
                config: UInt32(truncatingIfNeeded: body.number(at: place + 4, bytes: 4)))
            let count = Int(body[place + 8])
            place += ChecksumMessage.groupLength
            guard count > 0 else { throw .outOfRange }
            guard body.count - place >= count * ChecksumMessage.memberLength else { throw .cutShort }
            for _ in 0..<count {
                let digest = UInt32(truncatingIfNeeded: body.number(at: place, bytes: 4))
                let hundredths = UInt32(truncatingIfNeeded: body.number(at: place + 4, bytes: 2))
                guard let age = ReportAge(hundredths: hundredths) else { throw .outOfRange }
                told.append(ToldChecksums(member: LoadSubject(digest: digest), age: age, checksums: checksums))
                place += ChecksumMessage.memberLength
            }
        }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: [RemoraMessage.magic, RemoraMessage.version, ChecksumMessage.kind])
        for group in groups {
            let checksums = group[group.startIndex].checksums
            bytes.append(bigEndian: checksums.view)
            bytes.append(bigEndian: checksums.config)
            bytes.append(UInt8(group.count))
            for one in group {
                bytes.append(bigEndian: one.member.digest)
                bytes.append(bigEndian: UInt16(one.age.hundredths))
            }
        }
    }

    /// As ``append(to:)`` writes it.
    package var encodedLength: Int {
        ChecksumMessage.headLength + groups.count * ChecksumMessage.groupLength
            + told.count * ChecksumMessage.memberLength
    }

    /// Neighbours that are alike, one at least and as many as a byte can count.
    private var groups: [ArraySlice<ToldChecksums>] {
        var groups: [ArraySlice<ToldChecksums>] = []
        var start = 0
        for place in told.indices.dropFirst() + [told.count] {
            let isLast = place == told.count
            guard isLast || told[place].checksums != told[start].checksums || place - start == Int(UInt8.max) else {
                continue
            }
            groups.append(told[start..<place])
            start = place
        }
        return groups
    }
}

extension Span<UInt8> {
    /// Big-endian.
    /// - Precondition: so many bytes are there, at most eight.
    fileprivate func number(at place: Int, bytes: Int) -> UInt64 {
        var number: UInt64 = 0
        for offset in 0..<bytes { number = number << 8 | UInt64(self[place + offset]) }
        return number
    }
}
