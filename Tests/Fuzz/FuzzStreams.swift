// The libFuzzer target for a stream's message and for what is Serf's within messages. `Tests/Fuzz/run streams` builds
// and runs it. The first byte of an input chooses, the rest is what came.

import Gossip
import GossipWire

/// Called by libFuzzer with every input it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer hands over a block of exactly `count` bytes, so AddressSanitizer sees every step beyond it.
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    guard let choice = unsafe input.first else { return 0 }
    let bytes = unsafe Span(_unsafeElements: input).extracting(1...)
    if choice & 1 == 0 { fuzzStream(bytes, step: 1 + Int(choice >> 1)) } else { fuzzSerf(bytes) }
    return 0
}

private func fuzzStream(_ bytes: Span<UInt8>, step: Int) {
    var scanner = StreamScanner()
    let extent = scanner.scan(bytes)
    // However the bytes come, the verdict is the same.
    var slow = StreamScanner()
    var last = StreamExtent.partial(atLeast: 1)
    for held in stride(from: 0, through: bytes.count + step - 1, by: step) {
        last = slow.scan(bytes.extracting(first: min(held, bytes.count)))
        if case .partial(let wanted) = last {
            precondition(wanted > min(held, bytes.count), "asks for what is there")
        } else {
            break
        }
    }
    precondition(last == extent, "depends on how bytes come")

    let directory = Directory()
    var decoder = MessageDecoder(directory: directory)
    guard let message = try? decoder.decodeStream(bytes) else { return }
    guard case .whole(let length) = extent else { preconditionFailure("reads what is not all there") }
    precondition((try? decoder.decodeStream(bytes.extracting(first: length - 1))) == nil, "reads less than the whole")
    var written: [UInt8] = []
    MessageEncoder.append(message, to: &written, directory: directory)
    precondition(written.count == message.encodedLength(in: directory), "is not as long as it says")
    guard let again = try? decoder.decodeStream(written.span) else { preconditionFailure("refuses what it wrote") }
    var rewritten: [UInt8] = []
    MessageEncoder.append(again, to: &rewritten, directory: directory)
    precondition(rewritten == written, "does not read what it wrote")
}

private func fuzzSerf(_ bytes: Span<UInt8>) {
    let copy = bytes.withUnsafeBufferPointer { [UInt8]($0) }
    if let message = try? SerfMessage(reading: bytes) {
        var written: [UInt8] = []
        message.append(to: &written)
        precondition((try? SerfMessage(reading: written.span)) == message, "does not read what it wrote")
    }
    if let tags = SerfTags(meta: copy) { precondition(SerfTags(meta: tags.meta) == tags, "loses tags") }
    if let filter = try? SerfFilter(reading: copy) {
        var written: [UInt8] = []
        filter.append(to: &written)
        precondition((try? SerfFilter(reading: written)) == filter, "loses filters")
    }
    if let coordinate = try? SerfCoordinate.read(payload: copy) {
        var written: [UInt8] = []
        coordinate.append(to: &written)
        precondition((try? SerfCoordinate.read(payload: written)) == coordinate, "loses coordinates")
    }
}
