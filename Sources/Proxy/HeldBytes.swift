// Bytes that a sink would not take yet, in blocks that belong to the worker.
//
// A connection holds blocks only while it is blocked, so an idle one costs
// nothing here. One read is held at most, since a flow that holds bytes does not
// read: with the worker's buffer of 256 KiB that is 16 blocks a direction, and one
// more for what was read ahead.

/// A chain of blocks, first in first out; an empty one holds none.
struct HeldChain {
    var first: UInt32 = .max
    var last: UInt32 = .max

    var isEmpty: Bool { first == .max }
}

/// The blocks of one worker.
struct HeldBytes: ~Copyable {
    /// What is known of a block; its bytes lie apart, so that they are whole pages and can be given back as such.
    ///
    /// Not private, for the compiler (6.3.1, debug) cannot put a private type into a generic one of another file.
    struct Block {
        var next: UInt32
        /// The bytes in use, of which those before `start` have been taken.
        var start: UInt32
        var end: UInt32
    }
    typealias Bytes = InlineArray<16_384, UInt8>

    static let blockSize = MemoryLayout<Bytes>.size
    /// Freed blocks that stay resident; the pages of others go back to the kernel at once.
    static let warmBlocks = 256

    private let blocks: Reservation<Block>
    private let bytes: Reservation<Bytes>
    private var indices: IndexPool

    /// - Parameter capacity: the most that can be held, in blocks of 16 KiB; ``append(_:to:)`` refuses beyond.
    init(capacity: Int) {
        blocks = Reservation(capacity: capacity)
        bytes = Reservation(capacity: capacity)
        indices = IndexPool(capacity: capacity)
    }

    /// Blocks in use now.
    var blocksInUse: Int { indices.taken }

    /// Adds a copy of `added` to the end of `chain`.
    /// - Returns: false if there are not enough blocks; the chain then holds a part and must be released.
    mutating func append(_ added: UnsafeRawBufferPointer, to chain: inout HeldChain) -> Bool {
        var rest = unsafe added
        while unsafe !rest.isEmpty {
            if chain.isEmpty || Int(blocks[chain.last].end) == Self.blockSize {
                guard let fresh = indices.take() else { return false }
                blocks[fresh] = Block(next: .max, start: 0, end: 0)
                if chain.isEmpty { chain.first = fresh } else { blocks[chain.last].next = fresh }
                chain.last = fresh
            }
            let used = Int(blocks[chain.last].end)
            let part = min(rest.count, Self.blockSize - used)
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes.memory(of: chain.last)[used...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: rest.prefix(part)))
            blocks[chain.last].end += UInt32(part)
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part))
        }
        return true
    }

    /// Hands the first block's bytes to `body`; `isLast` says that no block follows.
    /// - Precondition: the chain is not empty.
    func withFirst<R>(of chain: HeldChain, _ body: (_ bytes: UnsafeRawBufferPointer, _ isLast: Bool) -> R) -> R {
        let block = blocks[chain.first]
        let memory = unsafe bytes.memory(of: chain.first)
        return unsafe body(
            UnsafeRawBufferPointer(rebasing: memory[Int(block.start)..<Int(block.end)]), chain.first == chain.last)
    }

    /// Drops the first `count` bytes, at most what ``withFirst(of:_:)`` showed.
    mutating func consume(_ count: Int, of chain: inout HeldChain) {
        blocks[chain.first].start += UInt32(count)
        assert(blocks[chain.first].start <= blocks[chain.first].end)
        if blocks[chain.first].start == blocks[chain.first].end { freeFirst(of: &chain) }
    }

    /// Copies the first bytes of a chain, as many as there is room for, and leaves them where they are.
    /// - Returns: how many.
    func copy(_ chain: HeldChain, into room: UnsafeMutableRawBufferPointer) -> Int {
        var (block, count) = (chain.first, 0)
        while block != .max, count < room.count {
            let (start, end) = (Int(blocks[block].start), Int(blocks[block].end))
            let part = min(end - start, room.count - count)
            let source = unsafe bytes.memory(of: block)
            unsafe UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: source[start..<(start + part)]))
            count += part
            block = block == chain.last ? .max : blocks[block].next
        }
        return count
    }

    /// Drops the first `count` bytes, of however many blocks.
    mutating func drop(_ count: Int, of chain: inout HeldChain) {
        var left = count
        while left > 0 {
            let part = min(left, Int(blocks[chain.first].end - blocks[chain.first].start))
            consume(part, of: &chain)
            left -= part
        }
    }

    /// Appends `moved` to `chain` without copying, and empties it.
    mutating func move(_ moved: inout HeldChain, behind chain: inout HeldChain) {
        guard !moved.isEmpty else { return }
        if chain.isEmpty {
            chain = moved
        } else {
            blocks[chain.last].next = moved.first
            chain.last = moved.last
        }
        moved = HeldChain()
    }

    /// Drops everything.
    mutating func release(_ chain: inout HeldChain) {
        while !chain.isEmpty { freeFirst(of: &chain) }
    }

    private mutating func freeFirst(of chain: inout HeldChain) {
        let block = chain.first
        if chain.first == chain.last { chain = HeldChain() } else { chain.first = blocks[block].next }
        if let cold = indices.giveBack(block, keeping: Self.warmBlocks) { bytes.discard(cold) }
    }
}
