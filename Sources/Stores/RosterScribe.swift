// What both sources of a roster do with what they learn: the keeper is told, the copy written, the control thread woken.

import Glibc
import Reactor
import Synchronization
import Vocabulary

/// Where a source's thread leaves updates and the control thread finds them.
final class RosterDesk: Sendable {
    private struct Drawers {
        var update: RosterUpdate?
        /// Why the copy could not be written, until the source's thread has seen it.
        var copyFault: String?
    }

    /// Readable from the moment everything is to end.
    let stop: Wake
    private let drawers = Mutex(Drawers())
    /// Notices that the control thread has not taken; more are dropped.
    private static let mostNotices = 256

    init() throws(SystemError) { stop = try Wake() }

    func post(_ update: RosterUpdate) {
        drawers.withLock { drawers in
            let earlier = drawers.update?.notices ?? []
            drawers.update = update
            drawers.update?.notices = Array((earlier + update.notices).prefix(Self.mostNotices))
        }
    }

    func take() -> RosterUpdate? { drawers.withLock { $0.update.take() } }

    func postCopyFault(_ reason: String) { drawers.withLock { $0.copyFault = reason } }

    func takeCopyFault() -> String? { drawers.withLock { $0.copyFault.take() } }
}

/// The keeper and its paper; moves to the source's thread.
struct RosterScribe: Sendable {
    var keeper: RosterKeeper
    let desk: RosterDesk
    /// Nil without a state directory.
    private let file: StateFile?
    private let source: KeptRoster.Source

    /// Takes up the copy on disk, if there is one of this source.
    init(_ keeper: RosterKeeper, desk: RosterDesk, file: StateFile?, source: KeptRoster.Source) {
        self.keeper = keeper
        self.desk = desk
        self.file = file
        self.source = source
        restore()
        settle {}
    }

    private mutating func restore() {
        guard let file else { return }
        let bytes: [UInt8]?
        do throws(DiskFault) { bytes = try file.read(atMost: KeptRoster.longest) } catch {
            return keeper.note(.error, "\(file.path) cannot be read: \(error.reason); no kept roster is known")
        }
        guard let bytes else { return }
        guard let kept = KeptRoster(bytes) else {
            return keeper.note(.error, "\(file.path) is no kept roster and is not read")
        }
        guard kept.source.isSame(as: source) else {
            return keeper.note(.notice, "\(file.path) was kept of another source of the roster and is not used")
        }
        let age = Duration.seconds(max(0, Int64(time(nil)) - kept.confirmed))
        keeper.restore(
            RosterKeeper.Copy(names: Set(kept.names), revision: kept.revision), age: age, at: Kernel.now())
    }

    /// Does what follows from what the keeper was told; `wake` is called where there is an update.
    mutating func settle(_ wake: () -> Void) {
        let now = Kernel.now()
        if let fault = desk.takeCopyFault() { keeper.copyFailed(fault, at: now) }
        if let file, let copy = keeper.takeCopy(at: now) {
            let age = keeper.standing.holding.map { now - $0.confirmed } ?? .zero
            let kept = KeptRoster(copy, of: source, confirmed: Int64(time(nil)) - age.components.seconds)
            file.replace(with: kept.encoded()) { [desk, path = file.path] fault in
                desk.postCopyFault("\(path): \(fault.reason)")
            }
        }
        if let update = keeper.takeUpdate() {
            desk.post(update)
            wake()
        }
    }
}
