// The libFuzzer target for the layers around gossip: LZW, labels, checksums, sealing and streams, as bytes of strangers.
// `Tests/Fuzz/run layers` builds and runs it.
//
// The first byte of an input chooses what reads the rest, the second one what the member insists on. Sealing is done by
// a cipher that vouches for everything: a fuzzer guesses no tags, and would never get behind a real one.

import GossipWire

/// Its own inverse, and always satisfied.
private final class CredulousCipher: PacketCipher {
    func seal(
        _ text: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe tag.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: associated.count))
        return true
    }

    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, associated: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe plain.copyMemory(from: sealed)
        return true
    }

    func drawNonce(into nonce: UnsafeMutableRawBufferPointer) -> Bool { true }
    func hasSameKey(as other: CredulousCipher) -> Bool { self === other }
}

/// Called by libFuzzer with every input it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer hands over a block of exactly `count` bytes, so AddressSanitizer sees every step beyond it.
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    guard input.count >= 2 else { return 0 }
    let (choice, habits) = unsafe (input[0], input[1])
    let bytes = unsafe Span(_unsafeElements: input).extracting(2...)
    switch choice % 4 {
    case 0: expand(bytes)
    case 1: compress(bytes)
    case 2: unwrap(bytes, layers(habits))
    default: read(bytes, layers(habits), sizes: Int(habits >> 5) + 1)
    }
    return 0
}

private func layers(_ habits: UInt8) -> Layers<CredulousCipher> {
    var options = LayerOptions()
    if habits & 1 != 0 { options.label = Label("prod") ?? .none }
    if habits & 2 != 0 { options.labelCheck = .skipped }
    options.verifiesIncoming = habits & 4 != 0
    options.compresses = habits & 8 != 0
    options.sealVersion = habits & 32 != 0 ? .padded : .plain
    return Layers(options: options, keyring: habits & 16 != 0 ? Keyring(primary: CredulousCipher()) : nil)
}

private func expand(_ bytes: Span<UInt8>) {
    let limit = 1 << 16
    guard let plain = expanded(bytes, limit: limit) else { return }
    precondition(plain.count <= limit, "expands beyond the limit")
    precondition(plain.isEmpty || expanded(bytes, limit: plain.count - 1) == nil, "the limit is not kept")
    compress(plain.span)
}

private func compress(_ plain: Span<UInt8>) {
    var compressed: [UInt8] = []
    unsafe plain.withUnsafeBytes { unsafe LZW.compress($0, into: &compressed) }
    precondition(compressed.count <= plain.count * 3 / 2 + 6, "grows by more than it may")
    guard let again = expanded(compressed.span, limit: plain.count) else { fatalError("does not read what it wrote") }
    precondition(again.count == plain.count && again.indices.allSatisfy { again[$0] == plain[$0] }, "reads otherwise")
}

private func unwrap(_ datagram: Span<UInt8>, _ layers: Layers<CredulousCipher>) {
    var layers = layers
    guard let message = try? layers.unwrap(datagram, copy) else { return }
    precondition(!message.isEmpty && message.count <= datagram.count, "a message out of nothing")
    var output: [UInt8] = []
    for withChecksum in [false, true] {
        output.removeAll()
        // The cipher has entropy, always.
        guard (try? layers.wrap(message.span, withChecksum: withChecksum, into: &output)) != nil else {
            fatalError("what was read cannot be wrapped again")
        }
        precondition(output.count <= message.count + layers.packetOverhead + (withChecksum ? 5 : 0), "too long")
        let header = layers.options.labelCheckDropsHeader ? layers.options.label.headerLength : 0
        let again = try? layers.unwrap(output.span.extracting(header...), copy)
        precondition(again == message || layers.options.compresses && again?.first == 9, "does not read what it wrote")
    }
}

extension LayerOptions {
    /// Whoever is in front of a member that skips the check removes the header.
    fileprivate var labelCheckDropsHeader: Bool {
        switch labelCheck {
        case .own: false
        case .skipped: true
        }
    }
}

private func read(_ stream: Span<UInt8>, _ layers: Layers<CredulousCipher>, sizes: Int) {
    for side in [StreamSide.dialler, .acceptor] {
        let whole = outcome(of: stream, from: side, layers, sizes: stream.count + 1)
        precondition(outcome(of: stream, from: side, layers, sizes: sizes) == whole, "depends on how bytes come")
        guard case .success(let message?) = whole else { continue }
        precondition(!message.isEmpty && message.count <= stream.count, "a message out of nothing")
    }
}

private func outcome(
    of stream: Span<UInt8>, from side: StreamSide, _ layers: Layers<CredulousCipher>, sizes: Int
) -> Result<[UInt8]?, LayerFault> {
    var reader = StreamReader(from: side)
    var start = 0
    do throws(LayerFault) {
        while start < stream.count {
            let end = min(stream.count, start + sizes)
            if try reader.receive(stream.extracting(start..<end), through: layers) { break }
            start = end
        }
        return .success(reader.message.map { Array($0) })
    } catch {
        return .failure(error)
    }
}

private func expanded(_ bytes: Span<UInt8>, limit: Int) -> [UInt8]? {
    var output: [UInt8] = []
    return unsafe bytes.withUnsafeBytes { unsafe LZW.decompress($0, limit: limit, into: &output) } ? output : nil
}

private func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
}
