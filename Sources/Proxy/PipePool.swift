// Pipes for splice(2), lent to a flow while bytes lie in one and no longer.
//
// The kernel limits the pipe memory of an unprivileged user
// (/proc/sys/fs/pipe-user-pages-soft, 64 MiB by default), so a pipe may not be
// had: the flow is then copied. Their number is limited here too, as each takes
// two descriptors that connections could use.

import Reactor

struct PipePool: ~Copyable {
    struct Pipe {
        var readEnd: Int32
        var writeEnd: Int32
        var capacity: Int32
    }

    /// Empty pipes that are kept for the next flow; more are closed, so that others may have their memory.
    static let warmPipes = 8

    private let pipes: Reservation<Pipe>
    private var indices: IndexPool
    private let capacity: Int32
    private let descriptorCeiling: Int32

    /// - Parameters:
    ///   - limit: the most pipes there will be; ``take()`` answers nil beyond.
    ///   - capacity: bytes each has room for; no smaller pipe is used in its stead.
    ///   - descriptorCeiling: numbers from here on are left to others.
    init(limit: Int, capacity: Int32, descriptorCeiling: Int32 = .max) {
        self.capacity = capacity
        self.descriptorCeiling = descriptorCeiling
        pipes = Reservation(capacity: limit)
        indices = IndexPool(capacity: limit)
    }

    deinit { for index in 0..<indices.highWater { close(index) } }

    /// An empty pipe, or nil where the limit, the kernel or the descriptors allow none.
    mutating func take() -> UInt32? {
        guard let index = indices.take() else { return nil }
        if pipes[index].capacity == 0 {
            guard let made = makePipe() else {
                indices.giveBack(index)
                return nil
            }
            pipes[index] = Pipe(readEnd: made.readEnd, writeEnd: made.writeEnd, capacity: made.capacity)
        }
        return index
    }

    private func makePipe() -> (readEnd: Int32, writeEnd: Int32, capacity: Int32)? {
        guard let made = Kernel.pipe(capacity: capacity) else { return nil }
        if max(made.readEnd, made.writeEnd) < descriptorCeiling { return made }
        Kernel.close(made.readEnd)
        Kernel.close(made.writeEnd)
        return nil
    }

    subscript(index: UInt32) -> Pipe { pipes[index] }

    /// - Parameter isEmpty: otherwise the bytes in it are thrown away, with the pipe.
    mutating func giveBack(_ index: UInt32, isEmpty: Bool) {
        if !isEmpty { close(index) }
        if let unused = indices.giveBack(index, keeping: Self.warmPipes) { close(unused) }
    }

    /// A capacity of zero, which is what fresh memory says too, means that there is no pipe at this index.
    private func close(_ index: UInt32) {
        guard pipes[index].capacity > 0 else { return }
        Kernel.close(pipes[index].readEnd)
        Kernel.close(pipes[index].writeEnd)
        pipes[index].capacity = 0
    }
}
