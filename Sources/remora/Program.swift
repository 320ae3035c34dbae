// Where the process begins: the main thread starts the command and waits for it.
//
// An asynchronous main would park the main thread in dispatch_main(), whose
// sigsuspend(2) kills Valgrind 3.19 (Debian 12), and with it the gate that counts
// our instructions. Nothing of ours runs on the main thread either way.

import Dispatch

@main
enum Program {
    static func main() {
        StandardStreams.fillGaps()
        let isDone = DispatchSemaphore(value: 0)
        Task.detached {
            // Ends the process itself where the command has an exit code other than 0.
            await Remora.main()
            isDone.signal()
        }
        isDone.wait()
    }
}
