// Chains of held bytes against arrays: first in first out, within the capacity, and the memory given back.

import Glibc
import Testing
import Vocabulary

@testable import Proxy

@Suite("Held bytes")
struct HeldBytesTests {
    private static let block = HeldBytes.blockSize

    @Test(
        "Chains give back what was put in, in order, and use no more blocks than that takes", arguments: 0..<UInt64(40))
    func likeArrays(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let capacity = 64
        var held = HeldBytes(capacity: capacity)
        var chains = Array(repeating: HeldChain(), count: 4)
        var models: [[UInt8]] = Array(repeating: [], count: 4)
        for _ in 0..<120 {
            let number = Int(random.below(4))
            switch random.below(8) {
            case 0...2:
                let count = Int(random.below([10, 5_000, 40_000, 100_000][Int(random.below(4))]))
                let byte = UInt8(truncatingIfNeeded: random.next())
                let added = (0..<count).map { byte &+ UInt8(truncatingIfNeeded: $0) }
                if unsafe added.withUnsafeBytes({ unsafe held.append($0, to: &chains[number]) }) {
                    models[number] += added
                } else {
                    #expect(held.blocksInUse == capacity, "refused with room left")
                    held.release(&chains[number])
                    models[number] = []
                }
            case 3...5:
                guard !chains[number].isEmpty else { continue }
                let (first, isLast) = unsafe held.withFirst(of: chains[number]) { unsafe (Array($0), $1) }
                #expect(models[number].starts(with: first) && !first.isEmpty)
                #expect(isLast == (first.count == models[number].count))
                let taken = random.below(2) == 0 ? first.count : Int(random.below(UInt32(first.count)))
                held.consume(taken, of: &chains[number])
                models[number].removeFirst(taken)
            case 6:
                let front = Int(random.below(4))
                guard front != number else { continue }
                var (moved, before) = (chains[number], chains[front])
                held.move(&moved, behind: &before)
                (chains[number], chains[front]) = (moved, before)
                models[front] += models[number]
                models[number] = []
            default:
                guard random.below(4) == 0 else { continue }
                held.release(&chains[number])
                models[number] = []
            }
            for (chain, model) in zip(chains, models) { #expect(chain.isEmpty == model.isEmpty) }
        }
        for number in chains.indices {
            var left: [UInt8] = []
            while !chains[number].isEmpty {
                let first = unsafe held.withFirst(of: chains[number]) { bytes, _ in unsafe Array(bytes) }
                left += first
                held.consume(first.count, of: &chains[number])
            }
            #expect(left == models[number])
        }
        #expect(held.blocksInUse == 0)
    }

    @Test("What fits exactly is held, a byte more is refused, and a release makes room again")
    func capacity() {
        var held = HeldBytes(capacity: 3)
        var (full, other) = (HeldChain(), HeldChain())
        let bytes = [UInt8](repeating: 1, count: 3 * Self.block)
        #expect(unsafe bytes.withUnsafeBytes { unsafe held.append($0, to: &full) })
        #expect(held.blocksInUse == 3)
        #expect(unsafe !bytes.prefix(1).withUnsafeBytes { unsafe held.append($0, to: &other) })
        #expect(unsafe !bytes.prefix(1).withUnsafeBytes { unsafe held.append($0, to: &full) })
        held.release(&other)
        held.release(&full)
        #expect(held.blocksInUse == 0)
        #expect(unsafe bytes.withUnsafeBytes { unsafe held.append($0, to: &other) })
    }

    @Test("After a burst only the warm blocks stay resident, and they are the first to be used again")
    func givesMemoryBack() throws {
        let count = HeldBytes.warmBlocks * 2
        var held = HeldBytes(capacity: count)
        // Given as many blocks as twice those that may stay
        let bytes = [UInt8](repeating: 1, count: Self.block)
        var chains = Array(repeating: HeldChain(), count: count)
        var addresses: [UInt] = []
        for number in chains.indices {
            #expect(unsafe bytes.withUnsafeBytes { unsafe held.append($0, to: &chains[number]) })
            addresses.append(unsafe held.withFirst(of: chains[number]) { block, _ in unsafe address(of: block) })
        }
        #expect(addresses.filter(isResident).count == count)
        // When all are released
        for number in chains.indices { held.release(&chains[number]) }
        // Then half of them are the kernel's again
        #expect(addresses.filter(isResident).count == HeldBytes.warmBlocks)
        // And what is held next lies in memory that was kept
        let warm = Set(addresses.filter(isResident))
        var chain = HeldChain()
        #expect(unsafe bytes.withUnsafeBytes { unsafe held.append($0, to: &chain) })
        #expect(warm.contains(unsafe held.withFirst(of: chain) { block, _ in unsafe address(of: block) }))
    }

    private func address(of bytes: UnsafeRawBufferPointer) -> UInt { UInt(bitPattern: bytes.baseAddress) }

    /// Whether the block's first page is in memory: mincore(2).
    private func isResident(_ block: UInt) -> Bool {
        var state: UInt8 = 0
        guard unsafe mincore(UnsafeMutableRawPointer(bitPattern: block), 4096, &state) == 0 else { return false }
        return state & 1 == 1
    }
}
