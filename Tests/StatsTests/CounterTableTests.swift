import Dispatch
import Stats
import Synchronization
import Testing

@Suite("A counter table")
struct CounterTableTests {
    @Test("Every counter starts at zero and counts alone")
    func independence() {
        let table = CounterTable(rows: 3, columns: 4)
        table.add(5, row: 1, column: 2)
        table.add(2, row: 1, column: 2)
        for row in 0..<3 {
            for column in 0..<4 {
                #expect(table.read(row: row, column: column) == (row == 1 && column == 2 ? 7 : 0))
            }
        }
    }

    @Test("A gauge goes down by a negative number's bits")
    func gauge() {
        let table = CounterTable(rows: 1, columns: 1)
        table.add(3, row: 0, column: 0)
        table.add(UInt64(bitPattern: -2), row: 0, column: 0)
        #expect(table.read(row: 0, column: 0) == 1)
    }

    @Test("A table without rows can be made and dropped")
    func noRows() {
        #expect(CounterTable(rows: 0, columns: 8).rows == 0)
    }

    @Test("The last counter of a large table is there, though untouched pages are not resident")
    func large() {
        let table = CounterTable(rows: 1 << 20, columns: 8)
        table.add(1, row: table.rows - 1, column: table.columns - 1)
        #expect(table.read(row: table.rows - 1, column: table.columns - 1) == 1)
        #expect(table.read(row: 1 << 19, column: 0) == 0)
    }

    @Test("A reader on another thread sees a counter only grow, up to what the writer counted")
    func concurrentReader() async {
        let table = CounterTable(rows: 1, columns: 1)
        let finished = Atomic(false)
        let total: UInt64 = 200_000
        await withCheckedContinuation { done in
            DispatchQueue(label: "writer").async {
                for _ in 0..<total { table.add(1, row: 0, column: 0) }
                finished.store(true, ordering: .releasing)
                done.resume()
            }
            var last: UInt64 = 0
            var fell = false
            while !finished.load(ordering: .acquiring) {
                let now = table.read(row: 0, column: 0)
                if now < last || now > total { fell = true }
                last = now
            }
            #expect(!fell)
        }
        #expect(table.read(row: 0, column: 0) == total)
    }
}
