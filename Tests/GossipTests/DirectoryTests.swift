// Names and their numbers against a dictionary, and the digest against its authors' figures.

import Gossip
import Testing
import Vocabulary

@Suite("Directory")
struct DirectoryTests {
    private func intern(_ bytes: [UInt8], in directory: Directory) -> MemberID? {
        unsafe bytes.withUnsafeBytes { unsafe directory.intern(bytes: $0) }
    }

    private func find(_ bytes: [UInt8], in directory: Directory) -> MemberID? {
        unsafe bytes.withUnsafeBytes { unsafe directory.find(bytes: $0) }
    }

    @Test("A name has one number, by text and by bytes, and numbers follow the order of arrival")
    func numbers() {
        let directory = Directory()
        #expect(directory.intern("a") == MemberID(index: 0))
        #expect(intern(Array("b".utf8), in: directory) == MemberID(index: 1))
        #expect(intern(Array("a".utf8), in: directory) == MemberID(index: 0))
        #expect(directory.intern("b") == MemberID(index: 1))
        #expect(directory.name(of: MemberID(index: 1)) == "b")
        #expect(directory.count == 2 && directory.bound == 2)
    }

    @Test("The empty name is a name")
    func empty() {
        let directory = Directory()
        #expect(find([], in: directory) == nil)
        let id = directory.intern("")
        #expect(find([], in: directory) == id && intern([], in: directory) == id)
        #expect(directory.name(of: id) == "" && directory.length(of: id) == 0)
        directory.sweep()
        #expect(find([], in: directory) == nil && directory.count == 0)
    }

    @Test("Names are equal where their bytes are, not where they look alike")
    func lookalikes() {
        let directory = Directory()
        let (composed, decomposed) = (directory.intern("caf\u{E9}"), directory.intern("cafe\u{301}"))
        #expect(composed != decomposed)
        #expect((directory.length(of: composed), directory.length(of: decomposed)) == (5, 6))
    }

    @Test(
        "What is not UTF-8 is refused and leaves nothing behind",
        arguments: [[0xFF], [0xC3], [0x61, 0x80], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xF4, 0x90, 0x80, 0x80]]
            as [[UInt8]])
    func notText(bytes: [UInt8]) {
        let directory = Directory()
        #expect(intern(bytes, in: directory) == nil)
        #expect(directory.count == 0 && directory.bound == 0)
        #expect(find(bytes, in: directory) == nil)
    }

    @Test(
        "The digest is 64-bit FNV-1a (RFC 9923, test vectors)",
        arguments: [
            (name: "", digest: 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8),
        ] as [(name: String, digest: UInt64)])
    func digest(name: String, digest: UInt64) {
        let directory = Directory()
        #expect(directory.digest(of: directory.intern(name)) == digest)
    }

    @Test("A name is kept until it is released as often as it was held")
    func holds() {
        let directory = Directory()
        let id = directory.intern("a")
        directory.hold(id)
        directory.hold(id)
        directory.sweep()
        directory.release(id)
        directory.sweep()
        #expect(find(Array("a".utf8), in: directory) == id)
        // Released and held again before anybody sweeps
        directory.release(id)
        directory.hold(id)
        directory.sweep()
        #expect(directory.name(of: id) == "a")
        directory.release(id)
        directory.sweep()
        #expect(find(Array("a".utf8), in: directory) == nil)
    }

    @Test("The same calls give the same numbers, however names are hashed", arguments: Seeds.sample)
    func reproducible(seed: UInt64) {
        func run() -> [UInt32] {
            var random = SeededRandom(seed: seed)
            let directory = Directory()
            return (0..<2_000).map { _ in
                let id = directory.intern("m\(random.below(500))")
                if random.below(2) == 0 { directory.hold(id) }
                if random.below(50) == 0 { directory.sweep() }
                return id.index
            }
        }
        #expect(run() == run())
    }

    @Test(
        "Names come, are held and go as in a dictionary, and no number of a held name is given again",
        arguments: Seeds.sample)
    func againstModel(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let directory = Directory()
        // A name that is known, and how often it is held.
        var model: [String: (id: MemberID, holds: Int)] = [:]
        for step in 0..<20_000 {
            // Waves of many names and of few, so that buckets fill up and clusters have holes closed.
            let name = "m\(random.below(step / 2_000 % 2 == 0 ? 400 : 40))"
            switch random.below(20) {
            case 0..<8:
                let isNew = model[name] == nil
                let id = random.below(2) == 0 ? directory.intern(name) : intern(Array(name.utf8), in: directory)
                if let id, isNew {
                    #expect(!model.values.contains { $0.id == id }, "a number was given twice")
                    model[name] = (id, 0)
                }
                #expect(id == model[name]?.id)
            case 8..<12:
                if let known = model[name] {
                    directory.hold(known.id)
                    model[name]?.holds += 1
                }
            case 12..<18:
                if let known = model[name], known.holds > 0 {
                    directory.release(known.id)
                    model[name]?.holds -= 1
                }
            case 18:
                #expect(find(Array(name.utf8), in: directory) == model[name]?.id)
            default:
                guard random.below(10) == 0 else { continue }
                directory.sweep()
                model = model.filter { $0.value.holds > 0 }
                // Every name that is left is found at its number.
                for (name, known) in model {
                    #expect(find(Array(name.utf8), in: directory) == known.id)
                    #expect(directory.name(of: known.id) == name)
                    #expect(directory.length(of: known.id) == name.utf8.count)
                }
            }
            #expect(directory.count == model.count)
            #expect(directory.bound <= 400)
        }
        #expect(model.values.contains { $0.holds > 0 })
    }
}
