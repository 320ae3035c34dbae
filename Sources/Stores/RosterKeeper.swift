// The roster that holds, whatever becomes of its source.
//
// A source answers or it does not; once there is a roster it holds until another one has been read whole. Before that
// nobody is listed: a fleet with a roster has one because an address and a key are not enough to belong, and a node
// that takes everybody in while it cannot ask would be open exactly when somebody has cut it off. The copy on disk
// makes that case rare. Not taken: an age after which a roster holds no longer, which would turn a long failure of
// etcd into one of the whole fleet.

package import Vocabulary

/// Results and failures of reading in; the roster, its standing, notices and the next attempt out.
package struct RosterKeeper: Sendable {
    /// Times between attempts, and between words about them.
    package struct Pace: Hashable, Sendable {
        /// After all endpoints have failed once; doubles with each further round, and up to half of it is left out at
        /// random, so that a fleet does not come back as one.
        package var firstPause = Duration.milliseconds(250)
        package var longestPause = Duration.seconds(15)
        /// Doubles with each reminder of the same trouble.
        package var firstReminder = Duration.seconds(60)
        package var longestReminder = Duration.seconds(3600)
        /// How old the copy's time on disk may become while nothing changes.
        package var copyAge = Duration.seconds(600)
        /// After the copy could not be written.
        package var copyPause = Duration.seconds(60)

        package init() {}
    }

    /// What is to be kept on disk.
    package struct Copy: Hashable, Sendable {
        package var names: Set<String>
        package var revision: Int64?
    }

    package let pace: Pace
    private let endpoints: Int
    private var random: SeededRandom
    package private(set) var names: Set<String> = []
    package private(set) var version = 0
    package private(set) var standing: RosterStanding
    private var notices: [RosterNotice] = []
    private var hasNews = true

    /// Attempts that have failed since the source has last proved steady.
    private var failures = 0
    /// Those since it has last answered.
    private var silence = 0
    /// When the source answered last; our own start, if never.
    private var heard: Instant
    private var reminder: (at: Instant, pause: Duration)?
    /// When the copy on disk is to be written again.
    private var copyDue: Instant
    /// Whether names have changed since it was written.
    private var owesCopy = false

    /// Notices that nobody has taken; more are dropped.
    private static let mostNotices = 64

    /// - Parameters:
    ///   - source: as sentences begin with it.
    ///   - endpoints: how many there are to ask, at least 1.
    package init(
        of source: String, endpoints: Int = 1, pace: Pace = Pace(), random: SeededRandom, at now: Instant
    ) {
        precondition(endpoints > 0, "a source is somewhere")
        self.endpoints = endpoints
        self.pace = pace
        self.random = random
        standing = RosterStanding(source: source)
        heard = now
        copyDue = now
    }

    // MARK: What happens

    /// A copy was found on disk; before anything has been read.
    /// - Parameter age: since the source was known to say so.
    package mutating func restore(_ copy: Copy, age: Duration, at now: Instant) {
        precondition(standing.holding == nil, "what a source has said is newer than any copy")
        take(copy.names)
        standing.holding = RosterStanding.Holding(
            origin: .disk, members: copy.names.count, revision: copy.revision,
            confirmed: now + (.zero - max(.zero, age)))
        note(.notice, standing.sentence(at: now))
    }

    /// The source has been read whole, or has told a change of it.
    /// - Parameter names: fit to be names, at most ``RosterNames/most``.
    package mutating func read(_ names: Set<String>, revision: Int64?, at now: Instant) {
        let former = standing.holding == nil ? nil : self.names
        take(names)
        hasNews = true
        standing.holding = RosterStanding.Holding(
            origin: .source, members: names.count, revision: revision, confirmed: now)
        answered(at: now)
        guard names != former else { return }
        (copyDue, owesCopy) = (now, true)
        guard let former else {
            return note(names.isEmpty ? .warning : .notice, standing.sentence(at: now))
        }
        let (added, removed) = (names.subtracting(former), former.subtracting(names))
        let parts = [
            added.isEmpty ? nil : "listed: \(RosterNames.few(added))",
            removed.isEmpty ? nil : "no longer listed: \(RosterNames.few(removed))",
        ]
        note(
            names.isEmpty ? .warning : .notice,
            standing.sentence(at: now) + "; " + parts.compactMap(\.self).joined(separator: "; "))
    }

    /// Whether a source that now names nobody may be another one than that of the roster that holds.
    ///
    /// A store's revisions never fall, and taking keys away raises them. So an older one without any is another store, or
    /// the same one on a blank disk, and no operator has said that nobody belongs. One that has outgrown the revision
    /// that holds cannot be told from a deletion.
    func isEmptiedAnew(atRevision revision: Int64) -> Bool {
        guard !names.isEmpty, let held = standing.holding?.revision else { return false }
        return revision < held
    }

    /// The source still says what it has said, and has done so for a while: a failure now is the first of its kind.
    package mutating func confirmed(at now: Instant) {
        failures = 0
        guard standing.holding?.origin == .source else { return }
        standing.holding?.confirmed = now
        answered(at: now)
    }

    private mutating func answered(at now: Instant) {
        silence = 0
        reminder = nil
        if let trouble = standing.trouble {
            standing.trouble = nil
            note(.notice, "\(standing.source) answers again, after \((now - trouble.since).inWords)")
        }
        heard = now
    }

    /// An attempt has failed, or what has worked until now.
    /// - Returns: when to make the next one.
    package mutating func failed(_ reason: String, at now: Instant) -> Instant {
        failures += 1
        silence += 1
        if silence >= endpoints {
            // The others have failed as well by now, so this is the source's trouble and not one endpoint's.
            let isNew = standing.trouble == nil
            if standing.trouble?.reason != reason {
                standing.trouble = RosterStanding.Trouble(since: heard, reason: reason)
                hasNews = true
            }
            remind(isNew: isNew, at: now)
        } else {
            note(.info, "\(reason); trying the next endpoint")
        }
        guard failures % endpoints == 0 else { return now }
        let doublings = min(failures / endpoints - 1, 20)
        let pause = min(pace.longestPause, pace.firstPause * (1 << doublings))
        let share = 1 - Double(random.below(1 << 20)) / Double(1 << 21)
        return now + pause * share
    }

    private mutating func remind(isNew: Bool, at now: Instant) {
        if !isNew, let reminder, now < reminder.at { return }
        let pause = isNew ? pace.firstReminder : min(pace.longestReminder, (reminder?.pause ?? pace.firstReminder) * 2)
        reminder = (now + pause, pause)
        note(standing.holding == nil ? .error : .warning, standing.sentence(at: now))
    }

    /// Something beside the roster itself is to be said.
    package mutating func note(_ level: RosterNotice.Level, _ text: String) {
        hasNews = true
        if notices.count < Self.mostNotices { notices.append(RosterNotice(level, text)) }
    }

    /// The copy could not be written; the older one is still there.
    package mutating func copyFailed(_ reason: String, at now: Instant) {
        note(.error, "the roster cannot be kept on disk: \(reason); an older copy stays there")
        (copyDue, owesCopy) = (now + pace.copyPause, true)
    }

    private mutating func take(_ names: Set<String>) {
        hasNews = true
        guard names != self.names else { return }
        self.names = names
        version += 1
    }

    // MARK: What follows

    /// What is to be kept on disk now; nil where it is there.
    package mutating func takeCopy(at now: Instant) -> Copy? {
        guard now >= copyDue, let holding = standing.holding, holding.origin == .source else { return nil }
        // While the source is silent the copy would say no more than the last one.
        guard owesCopy || standing.trouble == nil else { return nil }
        (copyDue, owesCopy) = (now + pace.copyAge, false)
        return Copy(names: names, revision: holding.revision)
    }

    /// What has changed since the last time; nil if nothing has.
    package mutating func takeUpdate() -> RosterUpdate? {
        guard hasNews else { return nil }
        hasNews = false
        defer { notices = [] }
        return RosterUpdate(names: names, version: version, standing: standing, notices: notices)
    }
}
