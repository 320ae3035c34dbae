// Processor time of work on one thread, and on two that share the load cells.

import Glibc
import Synchronization
import Upstreams

/// Nanoseconds of processor time that `body` takes on this thread; others on the machine do not add to it.
func nanoseconds(of body: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        let answer = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        precondition(answer == 0, "Linux has this clock")
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let start = now()
    body()
    return now() - start
}

struct Timing {
    /// Per pick, placement and end of a connection.
    var alone: Double
    /// The same on each of two threads at once.
    var shared: Double
    var adoption: Double

    private static let rounds = 50
    /// Of one round; short against a scheduler's slice, so that some rounds run undisturbed on a busy machine.
    private static let roundNanoseconds = 2e6

    init(_ scenario: Scenario) {
        let cells = LoadCells()
        let snapshot = scenario.snapshot(cells: cells)
        var worker = Worker(cells: cells, snapshot: snapshot, seed: 1)
        // Each page of the load cells is touched once before anything is measured.
        let warmUp = scenario.algorithm.policy == .leastRequest ? 100 : max(10_000, 10 * scenario.endpoints)
        worker.work(warmUp)
        let estimate = nanoseconds { worker.work(warmUp) } / Double(warmUp)
        let picks = max(1, Int(Self.roundNanoseconds / estimate))
        alone = Self.fastest { nanoseconds { worker.work(picks) } / Double(picks) }
        adoption = Self.fastest { nanoseconds { worker.adopt() } }
        shared = Self.median {
            let together = StartingLine(threads: 2)
            let threads = (1...2).map { seed in
                Thread {
                    var worker = Worker(cells: cells, snapshot: snapshot, seed: UInt64(seed))
                    together.wait()
                    return nanoseconds { worker.work(10 * picks) } / Double(10 * picks)
                }
            }
            return threads.reduce(0) { $0 + $1.join() } / 2
        }
    }

    /// The fastest round: others on the machine only ever add time.
    private static func fastest(_ measure: () -> Double) -> Double {
        (0..<rounds).reduce(.infinity) { fastest, _ in min(fastest, measure()) }
    }

    /// Of two threads the fastest round would be the one in which they did not meet.
    private static func median(_ measure: () -> Double) -> Double {
        (0..<7).map { _ in measure() }.sorted()[3]
    }
}

/// Where threads wait for each other.
private final class StartingLine: Sendable {
    private let missing: Atomic<Int>
    init(threads: Int) { missing = Atomic(threads) }

    func wait() {
        missing.wrappingSubtract(1, ordering: .relaxed)
        while missing.load(ordering: .relaxed) > 0 {}
    }
}

/// A thread of the kernel that computes one number.
@safe
private struct Thread {
    private final class Job {
        let body: @Sendable () -> Double
        var result = 0.0
        init(_ body: @escaping @Sendable () -> Double) { self.body = body }
    }

    private var handle = pthread_t()
    private let job: Job

    init(_ body: @escaping @Sendable () -> Double) {
        job = Job(body)
        let created = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let job = unsafe Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
                job.result = job.body()
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        precondition(created == 0, "a second thread is there to be had")
    }

    func join() -> Double {
        pthread_join(handle, nil)
        return job.result
    }
}
