// One small file of the state directory, written by a thread of its own, so that nobody waits for a disk.

import Dispatch
import Synchronization

/// A file that is replaced whole. What is newest wins: content that is not yet being written is dropped for it.
package final class StateFile: Sendable {
    package let path: String
    private let writer = DispatchQueue(label: "state-file")
    private let waiting = Mutex<[UInt8]?>(nil)

    package init(_ path: String) { self.path = path }

    /// What is in it; nil where there is none. Blocks.
    package func read(atMost limit: Int) throws(DiskFault) -> [UInt8]? {
        do throws(DiskFault) {
            return try DiskFile.read(path, atMost: limit)
        } catch {
            if error.isAbsence { return nil }
            throw error
        }
    }

    /// Writes soon; see ``DiskFile/replace(_:with:)``.
    /// - Parameter failed: called on the writer's thread where it could not be; the older file is still there.
    package func replace(with bytes: [UInt8], failed: @escaping @Sendable (DiskFault) -> Void) {
        let isAwaited = waiting.withLock { waiting in
            defer { waiting = bytes }
            return waiting != nil
        }
        if isAwaited { return }
        writer.async { [self] in
            guard let newest = waiting.withLock({ $0.take() }) else { return }
            do throws(DiskFault) { try DiskFile.replace(path, with: newest) } catch { failed(error) }
        }
    }

    /// Waits until everything is written; for the end of the process.
    package func finish() { writer.sync {} }
}
