// The datagrams of a quiet fleet, and the ways in which they travel.

import Gossip
import GossipWire
import TLS
import Vocabulary

extension AESGCM: PacketCipher {}

/// One datagram, written and read again and again through buffers that stay.
struct Work {
    static let names = ["ping", "ack", "suspect", "alive", "compound", "checksum", "compressed", "sealed"]

    private let directory = Directory()
    private let messages: [Message]
    private let withChecksum: Bool
    private var layers: Layers<AESGCM>
    private let reader: Reader
    private var content: [UInt8] = []
    private var datagram: [UInt8] = []

    /// Apart from the layers, which lend it what they have opened.
    fileprivate final class Reader {
        var decoder: MessageDecoder
        var count = 0
        init(_ directory: Directory) { decoder = MessageDecoder(directory: directory) }

        func read(_ content: Span<UInt8>) -> MessageDecoder.Report {
            var count = 0
            let report = decoder.decode(content) { _ in count += 1 }
            self.count = count
            return report
        }
    }

    init(_ name: String) {
        let record = MemberRecord(
            address: PeerAddress(SocketAddress.IPv4(bits: 0x0A00_0011), port: 7946), meta: [0xFF, 0x80],
            versions: .serf, isRemora: false)
        let (node, other) = (directory.intern("edge-017.pacific"), directory.intern("edge-018.pacific"))
        directory.hold(node)
        directory.hold(other)
        let ping = Message.ping(Ping(sequence: 4711, node: node))
        let ack = Message.ack(Ack(sequence: 4711, payload: [UInt8](repeating: 0x3F, count: 100)))
        let suspect = Message.suspect(Accusation(node: node, incarnation: 12, from: other))
        let alive = Message.alive(Announcement(node: node, incarnation: 12, record: record))
        switch name {
        case "ping": messages = [ping]
        case "ack": messages = [ack]
        case "suspect", "checksum": messages = [suspect]
        case "alive": messages = [alive]
        default: messages = [ping, .viewChecksum(0x0123_4567_89AB_CDEF), suspect, alive]
        }
        withChecksum = name == "checksum"
        var options = LayerOptions()
        options.compresses = name == "compressed"
        var keyring: Keyring<AESGCM>?
        if name == "sealed" {
            let key = [UInt8](repeating: 7, count: 32)
            do {
                keyring = Keyring(primary: try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) })
            } catch {
                fail("no cipher of 256 bits: \(error)")
            }
        }
        layers = Layers(options: options, keyring: keyring)
        reader = Reader(directory)
        write()
    }

    var length: Int { datagram.count }

    mutating func write() {
        content.removeAll(keepingCapacity: true)
        MessageEncoder.append(messages, to: &content, directory: directory)
        // Out of `self`, as the compiler (6.3.1) takes a span of one property for a loan of all.
        var (text, output) = ([UInt8](), [UInt8]())
        swap(&text, &content)
        swap(&output, &datagram)
        output.removeAll(keepingCapacity: true)
        do {
            try layers.wrap(text.span, withChecksum: withChecksum, into: &output)
        } catch {
            fail("cannot write: \(error)")
        }
        swap(&text, &content)
        swap(&output, &datagram)
    }

    mutating func read() {
        do {
            let report = try layers.read(datagram, with: reader)
            guard report.fault == nil, reader.count == messages.count else { fail("cannot read it again: \(report)") }
        } catch {
            fail("cannot read it again: \(error)")
        }
    }
}

extension Layers {
    fileprivate mutating func read(
        _ datagram: [UInt8], with reader: Work.Reader
    ) throws(LayerFault) -> MessageDecoder.Report {
        try unwrap(datagram.span) { reader.read($0) }
    }
}
