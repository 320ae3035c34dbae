// From a peer's bytes to messages.
//
// A datagram without its outer layers (label, sealing, checksum) is a message, or a compound of several, or compressed;
// compounds and compressions contain each other. Each message is handed over as it is found, so that a fault costs what
// follows it and not what was before.
//
// The same few hundred records arrive over and over: the decoder remembers the last one of each member and hands out
// that object where nothing changed. With that, and a payload buffer that is used again once nobody holds it, what a
// quiet fleet sends takes no memory.
//
// Two bounds keep a small datagram from making much work: nesting, and the bytes that all its compressions together may
// expand to. Without the second, compounds of compressions of compounds would grow with the power of their depth.

package import Gossip

/// Reads the messages of one process's peers; their names get numbers in its directory.
package struct MessageDecoder {
    let directory: Directory
    /// The last record of each member, by number. A number may have got another name since; so all is compared.
    private var records: [MemberRecord?] = []
    /// The meta of the record that is being read.
    var meta: [UInt8] = []
    /// The payload of the last ack, for the next one where no message shares it any more.
    var payload: [UInt8] = []
    /// Buffers of compressions, at most two for each level.
    private var spare: [[UInt8]] = []

    /// Compounds and compressions around a message, at most.
    package static let deepestNesting = 8
    /// What all compressions of a datagram may expand to, together.
    package static let largestExpansion = 1 << 20

    package init(directory: Directory) { self.directory = directory }

    /// What became of a datagram.
    package struct Report: Hashable, Sendable {
        /// Messages handed over.
        package internal(set) var messages = 0
        /// Messages, or compounds and compressions of them, that were refused.
        package internal(set) var refused = 0
        /// Why the first was refused.
        package internal(set) var fault: WireFault?
        /// Pings, direct and indirect, handed over or not.
        var requests = 0
    }

    /// Messages of one datagram: compressions within compressions could hold hundreds of thousands.
    package static let mostMessages = 1024
    /// Those of them that want an answer; honest ones have one. More would make an amplifier of us.
    package static let mostRequests = 8

    /// Hands over every message of a datagram that bears no more label, sealing or checksum, in their order.
    package mutating func decode(_ bytes: Span<UInt8>, handing body: (Message) -> Void) -> Report {
        var report = Report()
        var room = MessageDecoder.largestExpansion
        unpack(bytes, depth: 0, room: &room, into: &report, handing: body)
        return report
    }

    /// The record that was said of this member, without a new object where it is known.
    mutating func record(
        of node: MemberID, address: PeerAddress, hasMeta: Bool, versions: MemberVersions
    ) -> MemberRecord {
        let index = Int(node.index)
        if index < records.count, let known = records[index], known.address == address, known.versions == versions,
            known.hasMeta == hasMeta, known.meta == meta
        {
            return known
        }
        let record = MemberRecord(
            // A copy of its own size: what is read next needs the room, and may once have needed much.
            address: address, meta: hasMeta ? Array(meta[...]) : nil, versions: versions,
            isRemora: SerfTags.names("remora", in: meta))
        // What nobody may send is not remembered either, or a number's place could hold a datagram's worth.
        if meta.count <= MemberRecord.longestMeta {
            while records.count < directory.bound { records.append(nil) }
            records[index] = record
        }
        return record
    }
}

// MARK: - Compounds and compressions

extension MessageDecoder {
    private mutating func unpack(
        _ bytes: Span<UInt8>, depth: Int, room: inout Int, into report: inout Report, handing body: (Message) -> Void
    ) {
        do throws(WireFault) {
            guard !bytes.isEmpty else { throw .empty }
            let content = bytes.extracting(1...)
            switch MessageType(rawValue: bytes[0]) {
            case .compound:
                guard depth < MessageDecoder.deepestNesting else { throw .nestedTooDeep }
                try split(content, depth: depth, room: &room, into: &report, handing: body)
            case .compress:
                guard depth < MessageDecoder.deepestNesting else { throw .nestedTooDeep }
                var expanded = spare.popLast() ?? []
                defer { giveBack(expanded) }
                // One that fails may have expanded far before it did: it spends all that is left.
                let granted = room
                room = 0
                try expandCompressed(content, upTo: granted, into: &expanded)
                room = granted - expanded.count
                unpack(expanded.span, depth: depth + 1, room: &room, into: &report, handing: body)
            case .ping, .indirectPing, .ack, .suspect, .alive, .dead, .user, .nack:
                if bytes[0] <= MessageType.indirectPing.rawValue { report.requests += 1 }
                guard report.messages + report.refused < MessageDecoder.mostMessages,
                    report.requests <= MessageDecoder.mostRequests
                else { throw .tooMany }
                body(try message(bytes))
                report.messages += 1
            case .pushPull, .encrypt, .checksum, .error, .label, nil:
                throw .unexpectedType(bytes[0])
            }
        } catch {
            report.refused += 1
            report.fault = report.fault ?? error
        }
    }

    /// Goes through the parts of a compound, from its count on (memberlist-wire §6).
    private mutating func split(
        _ bytes: Span<UInt8>, depth: Int, room: inout Int, into report: inout Report, handing body: (Message) -> Void
    ) throws(WireFault) {
        guard !bytes.isEmpty else { throw .noPartTable }
        let count = Int(bytes[0])
        var start = 1 + 2 * count
        guard bytes.count >= start else { throw .noPartTable }
        for part in 0..<count {
            let length = Int(bytes[1 + 2 * part]) << 8 | Int(bytes[2 + 2 * part])
            guard length <= bytes.count - start else { throw .partsLost(count - part) }
            if length == 0 {
                report.refused += 1
                report.fault = report.fault ?? .emptyPart
            } else {
                let part = bytes.extracting(start..<start + length)
                unpack(part, depth: depth + 1, room: &room, into: &report, handing: body)
            }
            start += length
        }
    }

    /// Replaces a buffer's content by what a compression holds, from its map on (memberlist-wire §7).
    mutating func expandCompressed(
        _ bytes: Span<UInt8>, upTo limit: Int, into output: inout [UInt8]
    ) throws(WireFault) {
        var reader = MessagePackReader()
        var fields = try reader.fields(of: CompressKey.self, in: bytes)
        var algorithm: UInt8 = 0
        var compressed = spare.popLast() ?? []
        defer { giveBack(compressed) }
        compressed.removeAll(keepingCapacity: true)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .algorithm: algorithm = try reader.unsigned(in: bytes)
            case .buffer:
                compressed.removeAll(keepingCapacity: true)
                _ = try reader.appendBytes(to: &compressed, in: bytes)
            }
        }
        guard algorithm == 0 else { throw .unknownAlgorithm(algorithm) }
        output.removeAll(keepingCapacity: true)
        let isWhole = unsafe compressed.withUnsafeBytes { unsafe LZW.decompress($0, limit: limit, into: &output) }
        guard isWhole else { throw .badCompression }
        guard !output.isEmpty else { throw .empty }
    }

    /// Keeps a buffer for the next compression, unless a stream made it large.
    private mutating func giveBack(_ buffer: consuming [UInt8]) {
        if buffer.capacity <= 2 * MessageDecoder.largestExpansion { spare.append(buffer) }
    }
}
