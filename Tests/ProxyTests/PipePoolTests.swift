// Pipes on loan: within the limit, empty when lent, reused, and none of their descriptors lost.

import Glibc
import Testing

@testable import Proxy

@Suite("Pipe pool")
struct PipePoolTests {
    private static let capacity: Int32 = 65_536

    /// What tells pipes apart, whatever number their descriptors have; nil for a descriptor that is closed.
    private func identity(_ descriptor: Int32) -> ino_t? {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? status.st_ino : nil
    }

    private struct NoPipe: Error {}

    private func lend(_ pool: inout PipePool) throws -> UInt32 {
        guard let pipe = pool.take() else { throw NoPipe() }
        return pipe
    }

    @Test("A pipe that is lent holds what was asked for and nothing yet")
    func lent() throws {
        var pool = PipePool(limit: 2, capacity: Self.capacity)
        let number = try lend(&pool)
        let pipe = pool[number]
        #expect(pipe.capacity >= Self.capacity)
        var byte: UInt8 = 0
        #expect(unsafe read(pipe.readEnd, &byte, 1) == -1 && errno == EAGAIN)
        byte = 42
        #expect(unsafe write(pipe.writeEnd, &byte, 1) == 1)
        byte = 0
        #expect(unsafe read(pipe.readEnd, &byte, 1) == 1 && byte == 42)
    }

    @Test("No more pipes are lent than the limit, and one given back can be lent again")
    func limit() throws {
        var pool = PipePool(limit: 3, capacity: Self.capacity)
        let pipes = [pool.take(), pool.take(), pool.take()].compactMap(\.self)
        #expect(Set(pipes).count == 3)
        #expect(pool.take() == nil)
        pool.giveBack(pipes[1], isEmpty: true)
        #expect(pool.take() == pipes[1])
        #expect(pool.take() == nil)
    }

    @Test("A pool without pipes lends none")
    func none() {
        var pool = PipePool(limit: 0, capacity: Self.capacity)
        #expect(pool.take() == nil)
    }

    @Test("Bytes left in a pipe go with it: the next flow does not get them")
    func leftBytes() throws {
        var pool = PipePool(limit: 1, capacity: Self.capacity)
        let pipe = try lend(&pool)
        var byte: UInt8 = 42
        #expect(unsafe write(pool[pipe].writeEnd, &byte, 1) == 1)
        pool.giveBack(pipe, isEmpty: false)
        let next = try lend(&pool)
        #expect(unsafe read(pool[next].readEnd, &byte, 1) == -1 && errno == EAGAIN)
    }

    @Test("A size that the kernel refuses is no pipe, costs no place, and is refused again and again")
    func refused() throws {
        // More tries than there are places.
        var pool = PipePool(limit: 2, capacity: .max)
        for _ in 0..<10 { #expect(pool.take() == nil) }
    }

    @Test("After a burst a few pipes stay open, and those are lent next")
    func burst() throws {
        let count = PipePool.warmPipes * 2
        var pool = PipePool(limit: count, capacity: Self.capacity)
        // Given a burst that is over
        let burst = (0..<count).compactMap { _ in pool.take() }
        #expect(burst.count == count)
        let identities = burst.map { identity(pool[$0].readEnd) }
        for pipe in burst { pool.giveBack(pipe, isEmpty: true) }
        // Then what stays open is what was given back last
        let open = burst.filter { pool[$0].capacity > 0 }
        #expect(open == Array(burst.suffix(PipePool.warmPipes)))
        // And a flow that needs a pipe gets one of them, time and again
        for _ in 0..<20 {
            let pipe = try lend(&pool)
            #expect(identities.contains(identity(pool[pipe].readEnd)))
            pool.giveBack(pipe, isEmpty: true)
        }
    }

    @Test("A pool that goes closes what it holds, lent or not")
    func closes() throws {
        // A pipe's read end outlives the pool here, under another number; the end of the stream tells
        // that no write end is left.
        var kept: [Int32] = []
        do {
            var pool = PipePool(limit: 4, capacity: Self.capacity)
            let (lent, returned) = (try lend(&pool), try lend(&pool))
            kept = [dup(pool[lent].readEnd), dup(pool[returned].readEnd)]
            pool.giveBack(returned, isEmpty: true)
        }
        for descriptor in kept {
            var byte: UInt8 = 0
            #expect(unsafe read(descriptor, &byte, 1) == 0)
            close(descriptor)
        }
    }
}
