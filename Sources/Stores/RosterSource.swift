// The roster of one configured source, for an event loop: read, watched and kept on disk by a thread of its own.

package import Reactor
import Dispatch
import Synchronization
import Vocabulary

/// Where the control thread finds who belongs.
///
/// The loop watches no descriptor of ours: it is woken by a closure, and then takes what there is.
package final class RosterSource: Sendable {
    private let options: RosterOptions
    private let parse: @Sendable ([UInt8]) throws -> Set<String>
    private let pace: EtcdPace
    private let scribe: RosterScribe
    private let file: StateFile?
    private let isStarted = Atomic<Bool>(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    private var desk: RosterDesk { scribe.desk }

    /// Reads the copy on disk, where there is one: the first ``take()`` answers at once.
    ///
    /// - Parameters:
    ///   - stateDirectory: nil to keep nothing across restarts.
    ///   - seed: for the pauses between attempts; another one in each process.
    ///   - parse: a roster file's bytes to names; its errors say FILE:LINE:COLUMN themselves, by their descriptions.
    package convenience init(
        _ options: RosterOptions, stateDirectory: String?, seed: UInt64,
        parse: @escaping @Sendable ([UInt8]) throws -> Set<String>
    ) throws(SystemError) {
        try self.init(
            options, stateDirectory: stateDirectory, seed: seed, parse: parse, pace: EtcdPace(),
            keeperPace: RosterKeeper.Pace())
    }

    init(
        _ options: RosterOptions, stateDirectory: String?, seed: UInt64,
        parse: @escaping @Sendable ([UInt8]) throws -> Set<String>, pace: EtcdPace, keeperPace: RosterKeeper.Pace
    ) throws(SystemError) {
        self.options = options
        self.parse = parse
        self.pace = pace
        file = stateDirectory.map { StateFile($0 + "/" + KeptRoster.fileName) }
        let (name, endpoints) =
            switch options {
            case .file(let path): (path, 1)
            case .etcd(let etcd): ("etcd", etcd.endpoints.count)
            }
        let keeper = RosterKeeper(
            of: name, endpoints: endpoints, pace: keeperPace, random: SeededRandom(seed: seed), at: Kernel.now())
        scribe = RosterScribe(keeper, desk: try RosterDesk(), file: file, source: KeptRoster.Source(options))
    }

    deinit { desk.stop.signal() }

    /// Begins to read and to watch; to be called once.
    /// - Parameter wake: called from another thread when there is something to take.
    package func start(wake: @escaping @Sendable () -> Void) {
        precondition(!isStarted.exchange(true, ordering: .relaxed), "a source has one thread")
        let (options, parse, pace, scribe, hasEnded) = (options, parse, pace, scribe, hasEnded)
        KernelThread.start(name: "roster") {
            switch options {
            case .file(let path):
                var roster = FileRoster(path: path, parse: parse, scribe: scribe)
                roster.run(wake: wake)
            case .etcd(let etcd):
                var roster = EtcdRoster(etcd, pace: pace, scribe: scribe)
                roster.run(wake: wake)
            }
            hasEnded.signal()
        }
    }

    /// What has changed since the last time; nil if nothing has. Never waits.
    package func take() -> RosterUpdate? { desk.take() }

    /// Ends the thread and waits for it and for the copy's last write.
    ///
    /// - Parameter patience: how long to wait for the thread, which may be looking up a name and cannot be disturbed
    ///   at that; it then ends later, by itself.
    package func stop(patience: Duration = .seconds(1)) {
        desk.stop.signal()
        let nanoseconds = Int(clamping: patience.wholeNanoseconds)
        if isStarted.load(ordering: .relaxed),
            hasEnded.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
        {
            // For whoever stops it once more.
            hasEnded.signal()
        }
        file?.finish()
    }
}
