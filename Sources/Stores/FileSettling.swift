// When a watched file may be read: once whoever writes it has finished.
//
// Looking (stat(2)) once a second, at what the path leads to in the end: that sees renames, swaps of a link anywhere in
// the path as Kubernetes does them, and files on other machines. Not taken: inotify, which would need a watch on every
// directory and link of the path, all made anew after each swap, and says nothing for NFS.

package import Vocabulary

/// What a file's stamps say of it.
package struct FileSettling: Sendable {
    package enum Step: Hashable, Sendable {
        case absent
        /// As it was when it was last read.
        case unchanged
        /// It is being written, or was an instant ago: a list cut short is a list too. Look again after ``stillness``.
        case wait
        case read
    }

    /// How long a file must have been left alone.
    package static let stillness = Duration.milliseconds(250)

    private var read: FileStamp?
    private var seen: (stamp: FileStamp, since: Instant)?

    package init() {}

    /// - Parameter clock: the time of day, since 1970, by which files are stamped.
    package mutating func look(_ stamp: FileStamp?, at now: Instant, clock: Duration) -> Step {
        guard let stamp else {
            (read, seen) = (nil, nil)
            return .absent
        }
        guard stamp != read else { return .unchanged }
        if seen?.stamp != stamp { seen = (stamp, now) }
        let hasBeenStill = seen.map { now - $0.since >= Self.stillness } ?? false
        // What was put here by a rename may have been written long ago.
        return hasBeenStill || clock - stamp.modified >= Self.stillness ? .read : .wait
    }

    /// The file was read, with this stamp before and after.
    package mutating func didRead(_ stamp: FileStamp) { read = stamp }
}
