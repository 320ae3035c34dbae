// A roster out of the keys below a prefix of etcd: read whole, then watched.
//
// Whatever goes wrong, the next session begins with reading everything again, so that no change can be missed however
// long it was away, whatever was compacted meanwhile, and even where etcd itself began anew. A watch that is silent is
// no proof of life: etcd may be stopped, cut off from its peers, or something between may have lost the watch. So the
// keys are counted every few seconds, by a question that needs the quorum of etcd's members to answer.

import Foundation
import Reactor
import Vocabulary

/// Time for things; a dead etcd is noticed after ``check``, ``exchange`` and, where the question has to be asked on a new
/// connection, ``connect`` at most.
struct EtcdPace: Hashable, Sendable {
    /// Connect, with a share of it for each address, and TLS handshake; not the look-up of a name.
    var connect = Duration.seconds(3)
    /// A question and its answer, on a connection that stands.
    var exchange = Duration.seconds(5)
    /// Between two counts.
    var check = Duration.seconds(5)
    /// After which TCP gives up a peer that acknowledges nothing.
    var silence = Duration.seconds(10)
}

/// Runs on a thread of its own until it is told to stop.
struct EtcdRoster {
    /// Keys of one answer; more are read with further questions, all as of one revision.
    static let page = 4096
    /// Watches that may end by compaction in a row, none of them older than a check.
    private static let mostCompactions = 3

    let options: EtcdOptions
    let pace: EtcdPace
    var scribe: RosterScribe
    /// How many keys are no names, as it was last said.
    private var othersTold = 0

    init(_ options: EtcdOptions, pace: EtcdPace, scribe: RosterScribe) {
        precondition(!options.endpoints.isEmpty, "a config names at least one endpoint")
        self.options = options
        self.pace = pace
        self.scribe = scribe
    }

    mutating func run(wake: () -> Void) {
        var turn = 0
        while true {
            let endpoint = options.endpoints[turn % options.endpoints.count]
            let fault = attend(endpoint, wake)
            guard fault != .stopped else { return }
            turn += 1
            let next = scribe.keeper.failed("\(endpoint): \(fault)", at: Kernel.now())
            scribe.settle(wake)
            do throws(StoreFault) {
                _ = try StoreConnection.wait(nil, 0, stop: stop, until: next)
            } catch {
                return
            }
        }
    }

    private var stop: Int32 { scribe.desk.stop.descriptor }

    /// Reads and watches for as long as it goes well.
    /// - Returns: why it went no further.
    private mutating func attend(_ endpoint: EtcdOptions.Endpoint, _ wake: () -> Void) -> StoreFault {
        do throws(StoreFault) {
            var client = try EtcdClient(endpoint, of: options, pace: pace, stop: stop)
            var compactions = 0
            while compactions < Self.mostCompactions {
                var (view, revision) = try readAll(&client)
                guard view.count > 0 || !scribe.keeper.isEmptiedAnew(atRevision: revision) else {
                    throw .roster("there is no key below \(options.prefix); is it another store?")
                }
                tell(view, revision, wake)
                let began = Kernel.now()
                try follow(&view, from: revision, &client, wake)
                // One that could be followed for a while before it has kept up.
                compactions = Kernel.now() - began > pace.check ? 1 : compactions + 1
            }
            return .roster("it compacts its history faster than it can be followed")
        } catch {
            return error
        }
    }

    private mutating func tell(_ view: EtcdRosterView, _ revision: Int64, _ wake: () -> Void) {
        scribe.keeper.read(view.names, revision: revision, at: Kernel.now())
        if view.others.count != othersTold {
            othersTold = view.others.count
            scribe.keeper.note(
                .warning, "\(othersTold) keys below \(options.prefix) of etcd are no member's name and are ignored")
        }
        scribe.settle(wake)
    }

    // MARK: Reading

    private func readAll(_ client: inout EtcdClient) throws(StoreFault) -> (EtcdRosterView, revision: Int64) {
        let prefix = Array(options.prefix.utf8)
        let end = Data(EtcdRosterView.end(of: prefix))
        var view = EtcdRosterView(prefix: options.prefix)
        var start = Self.start(of: prefix)
        var revision: Int64?
        while true {
            let question = EtcdRequest.Range(
                key: Data(start), range_end: end, revision: revision.map { String($0) }, limit: String(Self.page),
                keys_only: true)
            let answer = try client.ask("/v3/kv/range", question, for: EtcdAnswer.Range.self)
            guard let newest = answer.header.revision?.value else { throw .unreadable("it has no revision") }
            if revision == nil { revision = newest }
            for pair in answer.kvs ?? [] { try change(&view, with: pair.key, isPut: true) }
            guard answer.more == true else { return (view, revision ?? newest) }
            // Each page goes further, or it would never end.
            guard let last = answer.kvs?.last?.key.map(Array.init), !last.lexicographicallyPrecedes(start) else {
                throw .unreadable("a page without an end")
            }
            start = last + [0]
        }
    }

    /// etcd knows no empty key; its first one is "\0".
    private static func start(of prefix: [UInt8]) -> [UInt8] { prefix.isEmpty ? [0] : prefix }

    private func change(_ view: inout EtcdRosterView, with key: Data?, isPut: Bool) throws(StoreFault) {
        guard let key else { throw .unreadable("a key is missing") }
        do throws(EtcdRosterView.Fault) {
            if isPut { try view.put(Array(key)) } else { try view.delete(Array(key)) }
        } catch {
            switch error {
            case .tooMany: throw .roster("there are more than \(RosterNames.most) keys below \(options.prefix)")
            case .foreignKey: throw .unreadable("a key that was not asked for")
            }
        }
    }

    // MARK: Watching

    /// Returns where everything has to be read again, as the history since `revision` is gone.
    private mutating func follow(
        _ view: inout EtcdRosterView, from revision: Int64, _ client: inout EtcdClient, _ wake: () -> Void
    ) throws(StoreFault) {
        let prefix = Array(options.prefix.utf8)
        let (key, end) = (Data(Self.start(of: prefix)), Data(EtcdRosterView.end(of: prefix)))
        var revision = revision
        var watch = try client.watch(
            EtcdRequest.Watch(
                create_request: .init(key: key, range_end: end, start_revision: String(revision + 1))))
        let began = Kernel.now()
        var isOpen = false
        var nextCheck = began + pace.check
        /// Whether the last count was not ours, and nothing has come since that might explain it.
        var isSuspect = false
        while true {
            let messages = try watch.next(by: isOpen ? nextCheck : began + pace.exchange)
            guard isOpen || messages != nil else { throw .timedOut(doing: "the watch's first answer") }
            var isChanged = false
            for message in messages ?? [] {
                if message.created == true { isOpen = true }
                if message.canceled == true {
                    if (message.compact_revision?.value ?? 0) > 0 { return }
                    throw .refused(
                        message: StoreFault.quoted(message.cancel_reason ?? "the watch is canceled"), code: 0,
                        status: 200)
                }
                for event in message.events ?? [] {
                    try change(&view, with: event.kv.key, isPut: event.type != "DELETE")
                    isChanged = true
                }
                revision = max(revision, message.header?.revision?.value ?? 0)
            }
            if isChanged {
                isSuspect = false
                tell(view, revision, wake)
            }
            let now = Kernel.now()
            guard isOpen ? now >= nextCheck : now >= began + pace.exchange else { continue }
            guard isOpen else { throw .timedOut(doing: "the watch's first answer") }
            let question = EtcdRequest.Range(key: key, range_end: end, count_only: true)
            let count = try client.ask("/v3/kv/range", question, for: EtcdAnswer.Range.self).count?.value ?? 0
            // A change may be on its way; but not for so long.
            let isWrong = count != Int64(view.count)
            guard !(isWrong && isSuspect) else {
                throw .roster("the watch misses changes: \(view.count) keys are known, and \(count) are there")
            }
            isSuspect = isWrong
            if !isWrong { scribe.keeper.confirmed(at: Kernel.now()) }
            scribe.settle(wake)
            nextCheck = Kernel.now() + pace.check
        }
    }
}
