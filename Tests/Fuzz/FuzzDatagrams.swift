// The libFuzzer target for a datagram's content, once label, sealing and checksum are off: messages, compounds and
// compressions. `Tests/Fuzz/run datagrams` builds and runs it.

import Gossip
import GossipWire

/// Called by libFuzzer with every input it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer hands over a block of exactly `count` bytes, so AddressSanitizer sees every step beyond it.
    let input = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
    let directory = Directory()
    var decoder = MessageDecoder(directory: directory)
    var messages: [Message] = []
    let report = decoder.decode(input) { messages.append($0) }
    precondition(report.messages == messages.count, "counts wrongly")
    precondition((report.refused > 0) == (report.fault != nil), "refuses without a reason")

    // A second look, with records and buffers in place, sees the same.
    var again: [Message] = []
    precondition(decoder.decode(input) { again.append($0) } == report, "depends on what was read before")
    precondition(written(again, directory) == written(messages, directory), "reads differently the second time")

    for message in messages.prefix(300) {
        if case .user(let body) = message { examine(body) }
        let bytes = written([message], directory)
        precondition(bytes.count == message.encodedLength(in: directory), "is not as long as it says")
        var read: [Message] = []
        precondition(decoder.decode(bytes.span) { read.append($0) }.fault == nil, "refuses what it wrote")
        precondition(read.count == 1 && written(read, directory) == bytes, "does not read what it wrote")
    }
    return 0
}

/// What remoras say of load is read by another core than gossip's: all of it, or nothing.
private func examine(_ body: [UInt8]) {
    if let message = try? ChecksumMessage(reading: body.span) {
        precondition(ChecksumMessage.isOne(body.span), "reads what is none")
        // Written anew, those that are alike stand together.
        var bytes: [UInt8] = []
        ChecksumMessage(message.told).append(to: &bytes)
        precondition(bytes.count <= body.count, "does not put together what is alike")
        precondition(bytes.count == ChecksumMessage(message.told).encodedLength, "is not as long as it says")
    }
    guard let message = try? LoadMessage(reading: body.span) else { return }
    precondition(LoadMessage.isOne(body.span), "reads what is none")
    var bytes: [UInt8] = []
    message.append(to: &bytes)
    precondition(bytes == body, "reads a message of load that it would write otherwise")
    guard case .reports(let reports) = message else { return }
    let length = reports.reduce(LoadMessage.headLength) { $0 + $1.encodedLength }
    precondition(length == bytes.count, "a message of load is not as long as it says")
}

private func written(_ messages: [Message], _ directory: Directory) -> [UInt8] {
    var bytes: [UInt8] = []
    for message in messages { MessageEncoder.append(message, to: &bytes, directory: directory) }
    return bytes
}
