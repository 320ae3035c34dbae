// The kernel thread that the control loop runs on.

import Reactor

/// Runs a control loop on a thread of its own, and lets the caller's task wait for its end.
enum ControlThread {
    static func run(_ loop: consuming ControlLoop) async {
        let crate = Crate(loop)
        await withCheckedContinuation { continuation in
            KernelThread.start(name: "control") {
                crate.run()
                continuation.resume()
            }
        }
    }

    /// `@unchecked`: handed to one thread, which alone uses it.
    private final class Crate: @unchecked Sendable {
        private var loop: ControlLoop

        init(_ loop: consuming ControlLoop) { self.loop = loop }

        func run() { loop.run() }
    }
}
