// A roster out of a file that is looked at once a second.

import Glibc
import Reactor
import Vocabulary

/// Runs on a thread of its own until it is told to stop.
struct FileRoster {
    static let beat = Duration.seconds(1)

    let path: String
    /// What it throws is told by its description.
    let parse: @Sendable ([UInt8]) throws -> Set<String>
    var scribe: RosterScribe
    private var settling = FileSettling()
    /// What is wrong with the file as it was last read.
    private var fault: String?

    init(path: String, parse: @escaping @Sendable ([UInt8]) throws -> Set<String>, scribe: RosterScribe) {
        self.path = path
        self.parse = parse
        self.scribe = scribe
    }

    mutating func run(wake: () -> Void) {
        while true {
            let pause = look()
            scribe.settle(wake)
            do throws(StoreFault) {
                _ = try StoreConnection.wait(
                    nil, 0, stop: scribe.desk.stop.descriptor, until: Kernel.now() + pause)
            } catch {
                return
            }
        }
    }

    /// - Returns: when to look again.
    private mutating func look() -> Duration {
        let now = Kernel.now()
        let stamp: FileStamp?
        do throws(DiskFault) { stamp = try DiskFile.stamp(of: path) } catch {
            complain(error.reason)
            return Self.beat
        }
        switch settling.look(stamp, at: now, clock: Self.clock) {
        case .absent: complain("there is no such file")
        case .wait: return FileSettling.stillness
        case .unchanged:
            if let fault { complain(fault) } else { scribe.keeper.confirmed(at: now) }
        case .read: return read()
        }
        return Self.beat
    }

    /// - Returns: when to look again.
    private mutating func read() -> Duration {
        let content: (bytes: [UInt8], stamp: FileStamp)
        do throws(DiskFault) { content = try DiskFile.stamped(path, atMost: RosterNames.longestFile) } catch {
            if error.isBusy { return FileSettling.stillness }
            complain(error.reason)
            return Self.beat
        }
        settling.didRead(content.stamp)
        do {
            let names = try names(content.bytes)
            fault = nil
            scribe.keeper.read(names, revision: nil, at: Kernel.now())
        } catch {
            let reason = StoreFault.quoted("\(error)")
            fault = reason
            complain(reason)
        }
        return Self.beat
    }

    private func names(_ bytes: [UInt8]) throws -> Set<String> {
        let names = try parse(bytes)
        guard names.count <= RosterNames.most else {
            throw StoreFault.roster("it lists more than \(RosterNames.most) members")
        }
        if let wrong = names.filter({ !RosterNames.isName($0) }).min(), let fault = RosterNames.fault(in: wrong) {
            throw StoreFault.roster("\"\(StoreFault.quoted(wrong))\" \(fault)")
        }
        return names
    }

    private mutating func complain(_ reason: String) {
        // Looked at again in any case.
        _ = scribe.keeper.failed(reason, at: Kernel.now())
    }

    private static var clock: Duration {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }
}
