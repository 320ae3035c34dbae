// Rings and tables, built where it holds nobody up.
//
// Building one of ten thousand members takes up to a tenth of a second, in which the control thread would answer no
// probe. So a thread is started when there is something to build, and ends when there is nothing more: members come and
// go seldom, and a thread that waits for ever would need something to wait at. There is never more than one, as
// discovery orders no second table of an upstream before it has the first.

import Balancing
import Reactor
import Synchronization
import Upstreams

/// For the control thread alone.
final class TableBuilder {
    private final class Bench: Sendable {
        struct Work: Sendable {
            var orders: [TableOrder] = []
            var built: [(order: TableOrder, table: any KeyTable)] = []
            /// Whether a thread is there that will look for more.
            var isManned = false
        }

        let work = Mutex(Work())

        func build(telling wake: () -> Void) {
            while let order = next() {
                let table = order.built()
                work.withLock { $0.built.append((order, table)) }
                wake()
            }
        }

        private func next() -> TableOrder? {
            work.withLock { work in
                guard work.orders.isEmpty else { return work.orders.removeFirst() }
                work.isManned = false
                return nil
            }
        }
    }

    private let bench = Bench()
    private let wake: @Sendable () -> Void
    /// The one started last.
    private var thread: KernelThread?

    /// - Parameter wake: called from another thread when there is something to take.
    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func build(_ orders: [TableOrder]) {
        guard !orders.isEmpty else { return }
        let isManned = bench.work.withLock { work in
            work.orders += orders
            defer { work.isManned = true }
            return work.isManned
        }
        guard !isManned else { return }
        // It has left its bench, so this waits for next to nothing.
        thread?.join()
        thread = KernelThread.start(name: "tables") { [bench, wake] in bench.build(telling: wake) }
    }

    /// What has been built since the last time. Never waits.
    func take() -> [(order: TableOrder, table: any KeyTable)] {
        bench.work.withLock { work in
            defer { work.built = [] }
            return work.built
        }
    }
}
