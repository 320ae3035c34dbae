// The stage between accept and pick: what is read ahead, within a bound and a time.
//
// The bytes are held where blocked bytes are held, in one block, and whatever
// follows the preface stays there as the first that the endpoint gets. No parser
// keeps state: each look begins at the first byte.
//
// What is taken (a PROXY header) has to come; what is only looked at has not. A client that does not send it in time, or
// sends something else, or ends its stream before it, goes on without: it has no key, or goes to the listener's own
// upstream, with every byte it has sent.

import Forwarding
import Reactor
import Routing
import Upstreams
import Vocabulary

extension Worker {
    mutating func beginPreface(_ index: UInt32) {
        connections[index].stage = .preface
        if listeners[Int(connections[index].listener)].preface.takesProxyHeader {
            readAhead(index, for: limits.prefaceTimeout)
        } else {
            beginPeeking(index)
        }
        // The poller reports at once what has already arrived.
        register(.client(index))
    }

    /// Reads what there is, as far as the bound, and goes on to forwarding once the preface is complete.
    mutating func continuePreface(_ index: UInt32) {
        let preface = preface(of: index)
        while true {
            let chain = lanes[.client(index)].held
            let begun = chain.isEmpty ? 0 : unsafe held.withFirst(of: chain) { bytes, _ in bytes.count }
            let room = Preface.bound.bytes - begun
            let read = unsafe Kernel.receive(halves[.client(index)].descriptor, into: buffer, count: room)
            if read.wouldBlock { return }
            if read.count == 0, connections[index].isPeeking {
                stopPeeking(index)
                return
            }
            guard read.count > 0,
                unsafe hold(UnsafeRawBufferPointer(start: buffer, count: read.count), in: .client(index))
            else {
                refusePreface(index)
                return
            }
            connections[index].lastActive = now
            count(.receivedBytesTotal, read.count, listener: connections[index].listener)
            connections[index].receivedBytes &+= UInt64(read.count)
            switch look(at: index, for: preface) {
            case .needMore:
                guard !connections[index].isPeeking, preface.peek != .nothing else { continue }
                if case .done = look(at: index, for: preface.withoutPeek) { beginPeeking(index) }
            case .malformed:
                refusePreface(index)
                return
            case .done(let length, let facts):
                endPreface(index, length: length, facts)
                return
            }
        }
    }

    /// The time for reading ahead is over.
    mutating func missPreface(_ index: UInt32) {
        if connections[index].isPeeking {
            stopPeeking(index)
        } else {
            tell(.badPreface, about: index, .timedOut)
            record(SystemError.timedOut, index)
            refuse(index, as: .badPreface)
        }
    }

    private mutating func readAhead(_ index: UInt32, for patience: Duration) {
        connections[index].readsAheadUntil = now + patience
        timers.schedule(index, at: Tick(notBefore: now + patience))
    }

    /// All that has to come has come.
    private mutating func beginPeeking(_ index: UInt32) {
        connections[index].isPeeking = true
        readAhead(index, for: limits.peekTimeout)
    }

    /// Goes on without what was only to be looked at.
    private mutating func stopPeeking(_ index: UInt32) {
        guard !lanes[.client(index)].held.isEmpty else {
            beginForwarding(index, facts: addresses(index))
            return
        }
        switch look(at: index, for: preface(of: index).withoutPeek) {
        case .done(let length, let facts): endPreface(index, length: length, facts)
        case .needMore, .malformed: refusePreface(index)
        }
    }

    private mutating func endPreface(_ index: UInt32, length: Int, _ facts: ConnectionFacts) {
        let count = unsafe held.withFirst(of: lanes[.client(index)].held) { bytes, _ in bytes.count }
        dropHeld(length, in: .client(index))
        if tls.rows.speaks(listener: Int(connections[index].listener)) {
            beginHandshake(index, facts: facts)
            return
        }
        lanes[.client(index)].flow.holds(count - length)
        beginForwarding(index, facts: facts)
    }

    private mutating func refusePreface(_ index: UInt32) {
        tell(.badPreface, about: index)
        refuse(index, as: .badPreface)
    }

    /// What is to be read of a connection. What its upstream wants to know may have changed since the last look.
    private mutating func preface(of index: UInt32) -> Preface {
        var preface = listeners[Int(connections[index].listener)].preface
        // Where TLS ends here, what follows is encrypted; a config that asks for it is refused.
        if tls.rows.speaks(listener: Int(connections[index].listener)) { return preface.withoutPeek }
        if preface.peek == .nothing, let key = upstreams.neededKey(of: Int(connections[index].upstream)) {
            preface.peek = key.peek
        }
        return preface
    }

    /// - Precondition: some bytes are held.
    private mutating func look(at index: UInt32, for preface: Preface) -> PrefaceVerdict {
        unsafe held.withFirst(of: lanes[.client(index)].held) { bytes, _ in
            unsafe preface.examine(bytes.assumingMemoryBound(to: UInt8.self).span, of: addresses(index))
        }
    }

    // MARK: Facts

    /// Chooses the upstream of a connection where its listener routes by name, and takes down what it is known by.
    /// - Parameter facts: nil where nothing was read ahead.
    mutating func recognize(_ index: UInt32, by facts: ConnectionFacts?) {
        let listener = Int(connections[index].listener)
        if let routes = nameRoutes[listener] {
            connections[index].isPassThrough = true
            if let name = facts?.hello?.serverName, let upstream = routes.upstream(for: name) {
                connections[index].upstream = upstream
            }
        }
        guard let key = upstreams.neededKey(of: Int(connections[index].upstream)) else { return }
        if key == .serverName { connections[index].isPassThrough = true }
        if let facts {
            connections[index].key = key.hash(of: facts)
        } else if key == .sourceIP {
            let peer = Kernel.peerAddress(of: halves[.client(index)].descriptor)
            connections[index].key = key.hash(of: ConnectionFacts(peer: peer, local: nil))
        }
    }

    /// Who connected where, if anybody will ask: each is a system call.
    private func addresses(_ index: UInt32) -> ConnectionFacts {
        let listener = Int(connections[index].listener)
        if listeners[listener].sendProxyProtocol != nil { return socketFacts(index) }
        if upstreams.neededKey(of: Int(connections[index].upstream)) == .sourceIP { return socketFacts(index) }
        if let routes = nameRoutes[listener] {
            for upstream in routes.upstreams where upstreams.neededKey(of: Int(upstream)) == .sourceIP {
                return socketFacts(index)
            }
        }
        return .unasked
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
