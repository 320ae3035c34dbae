// The stage between accept and pick: what is read ahead, within a bound and a time.
//
// The bytes are held where blocked bytes are held, in one block, and whatever
// follows the preface stays there as the first that the endpoint gets. No parser
// keeps state: each look begins at the first byte.

import Forwarding
import Reactor
import Routing
import Vocabulary

extension Worker {
    mutating func beginPreface(_ index: UInt32) {
        connections[index].stage = .preface
        timers.schedule(index, at: Tick(notBefore: now + limits.prefaceTimeout))
        // The poller reports at once what has already arrived.
        register(.client(index))
    }

    /// Reads what there is, as far as the bound, and goes on to forwarding once the preface is complete.
    mutating func continuePreface(_ index: UInt32) {
        let preface = listeners[Int(connections[index].listener)].preface
        while true {
            let chain = lanes[.client(index)].held
            let begun = chain.isEmpty ? 0 : unsafe held.withFirst(of: chain) { bytes, _ in bytes.count }
            let room = Preface.bound.bytes - begun
            let read = unsafe Kernel.receive(halves[.client(index)].descriptor, into: buffer, count: room)
            if read.wouldBlock { return }
            guard read.count > 0,
                unsafe hold(UnsafeRawBufferPointer(start: buffer, count: read.count), in: .client(index))
            else {
                refusePreface(index)
                return
            }
            connections[index].lastActive = now
            count(.receivedBytesTotal, read.count, listener: connections[index].listener)
            let verdict = unsafe held.withFirst(of: lanes[.client(index)].held) { bytes, _ in
                unsafe preface.examine(bytes.assumingMemoryBound(to: UInt8.self).span, of: socketFacts(index))
            }
            switch verdict {
            case .needMore: continue
            case .malformed:
                refusePreface(index)
                return
            case .done(let length, let facts):
                dropHeld(length, in: .client(index))
                if tls.rows.speaks(listener: Int(connections[index].listener)) {
                    beginHandshake(index, facts: facts)
                    return
                }
                lanes[.client(index)].flow.holds(begun + read.count - length)
                beginForwarding(index, facts: facts)
                return
            }
        }
    }

    private mutating func refusePreface(_ index: UInt32) {
        tell(.badPreface, about: index)
        refuse(index)
    }

    /// Who connected where, as the client's socket has it.
    func socketFacts(_ index: UInt32) -> ConnectionFacts {
        let client = halves[.client(index)].descriptor
        return ConnectionFacts(peer: Kernel.peerAddress(of: client), local: Kernel.localAddress(of: client))
    }

    /// Puts a PROXY header ahead of all that the endpoint is sent.
    /// - Returns: false where there is no room for it.
    mutating func putInFront(_ header: ProxyHeader, as version: ProxyProtocolVersion, _ index: UInt32) -> Bool {
        var readAhead = lanes[.client(index)].held
        let room = unsafe UnsafeMutableBufferPointer(
            start: buffer.assumingMemoryBound(to: UInt8.self), count: ProxyHeader.longestEncoding)
        var output = unsafe room.mutableSpan
        let length = header.encode(as: version, into: &output)
        var chain = HeldChain()
        guard unsafe held.append(UnsafeRawBufferPointer(start: buffer, count: length), to: &chain) else { return false }
        held.move(&readAhead, behind: &chain)
        lanes[.client(index)].held = chain
        lanes[.client(index)].flow.holds(length)
        return true
    }
}
