// Real threads of the kernel for tests of what several workers do at once: tasks would share a few.

import Glibc
import Synchronization

enum Threads {
    /// Runs `body` on `count` threads that begin together, and answers their results by number.
    static func run<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) -> [Result] {
        let arrived = Shared(0)
        let results = Shared([Int: Result]())
        let handles = (0..<count).map { number in
            start {
                arrived.value.withLock { $0 += 1 }
                while arrived.value.withLock({ $0 < count }) { sched_yield() }
                let result = body(number)
                results.value.withLock { $0[number] = result }
            }
        }
        for handle in handles { pthread_join(handle, nil) }
        return results.value.withLock { results in (0..<count).compactMap { results[$0] } }
    }

    private static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var handle = pthread_t()
        let created = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Entry>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(Entry(body)).toOpaque())
        precondition(created == 0, "there are threads to be had")
        return handle
    }
}

private final class Entry: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// A value behind a lock, for several closures.
private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}

/// How many are inside at once, and the most there ever were.
final class Gauge: Sendable {
    private let inside = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)

    var most: Int { highest.load(ordering: .relaxed) }

    func enter() {
        let now = inside.wrappingAdd(1, ordering: .relaxed).newValue
        highest.max(now, ordering: .relaxed)
    }

    func leave() { inside.wrappingSubtract(1, ordering: .relaxed) }
}
