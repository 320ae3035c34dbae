import Reactor

extension Worker {
    /// Moves a worker to a thread of its own, where it runs until it is told to end.
    static func start(_ worker: consuming Worker, name: String) -> KernelThread {
        let crate = Crate(worker)
        return KernelThread.start(name: name) { crate.run() }
    }

    /// What a worker travels in, since a closure cannot hold it by value.
    ///
    /// `@unchecked`: handed to one thread, which alone uses it.
    private final class Crate: @unchecked Sendable {
        private var worker: Worker?

        init(_ worker: consuming Worker) { self.worker = consume worker }

        /// Runs the worker outside of this object, where nobody checks for exclusive access.
        func run() {
            guard var worker = worker.take() else { return }
            worker.run()
        }
    }
}
