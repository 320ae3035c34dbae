// When certificate files that have changed are to be read again.
//
// A group is what must change together: a certificate and its key, which nobody can replace at one instant. It is read
// once all its files have been left alone for a while, and only ever what differs from what was read last. Looking
// (stat(2), every second) sees renames, files written in place, and links swapped anywhere in the path, as Kubernetes
// does it; what it costs is a system call per file. Not taken: inotify, which needs a watch on each directory and link
// of a path, made anew after each swap, and says nothing for NFS.

import Glibc
package import Vocabulary

/// What tells one state of a file from another: two files with the same stamp are the same bytes.
package struct FileMark: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var size: Int64
    /// Nanoseconds since 1970; of the contents and of the file's own data.
    package var modified: Int64
    package var changed: Int64

    package init(device: UInt64, inode: UInt64, size: Int64, modified: Int64, changed: Int64) {
        self.device = device
        self.inode = inode
        self.size = size
        self.modified = modified
        self.changed = changed
    }

    /// Looks at what `path` leads to in the end; nil where nothing is there.
    package init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) }
        self.init(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: nanoseconds(status.st_mtim), changed: nanoseconds(status.st_ctim))
    }
}

/// Decides for one group of files. Knows no file: it is told what a look has found.
package struct FileWatch: Sendable {
    /// How often to look.
    package static let interval = Duration.seconds(1)
    /// How long the files of a group must have been left alone.
    package static let stillness = Duration.milliseconds(500)

    /// What was read last, whether it was any good or not.
    private var read: [FileMark?]
    private var seen: (marks: [FileMark?], since: Instant)?

    package enum Step: Hashable, Sendable {
        /// As they were read.
        case unchanged
        /// Somebody is at it: look again at this time.
        case wait(until: Instant)
        case read
    }

    /// - Parameter marks: the files as they were right before they were first read.
    package init(read marks: [FileMark?]) { read = marks }

    /// - Parameter marks: the files as they are; the order is the caller's and always the same.
    package mutating func look(_ marks: [FileMark?], at now: Instant) -> Step {
        guard marks != read else {
            seen = nil
            return .unchanged
        }
        guard let seen, seen.marks == marks else {
            self.seen = (marks, now)
            return .wait(until: now + Self.stillness)
        }
        return now - seen.since >= Self.stillness ? .read : .wait(until: seen.since + Self.stillness)
    }

    /// They were read, whatever came of it: what is bad is not read again until it changes.
    /// - Parameter marks: as they were *before* reading, so that a change meanwhile is seen as one.
    package mutating func didRead(_ marks: [FileMark?]) {
        read = marks
        seen = nil
    }
}
