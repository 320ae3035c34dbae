// What Serf says through memberlist (serf-layer §3): the body of a user message, the user state of a push-pull, the
// payload of a query or a response. Values only; their bytes are in the files beside this one.
//
// Names are strings here, not numbers: most of them are only looked at or passed on, and a message that is spread again
// goes byte for byte as it came.

package import Gossip

/// A Lamport clock's time (serf-layer §3). Member, event and query clocks are three clocks; each begins at 1.
package struct LamportTime: Hashable, Comparable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package static func < (a: LamportTime, b: LamportTime) -> Bool { a.value < b.value }
}

/// One message of Serf's.
package enum SerfMessage: Hashable, Sendable {
    case leave(SerfLeave)
    case join(SerfJoin)
    /// Only as the user state of a push-pull.
    case state(SerfState)
    case event(SerfEvent)
    case query(SerfQuery)
    case response(SerfResponse)
    /// The payload of a response: the member that bears the name in question, or that none is known.
    case conflict(SerfMember?)
    /// The payload of a query: the key in question.
    case keyRequest([UInt8])
    /// The payload of a response.
    case keyResponse(SerfKeyResponse)
    case relay(SerfRelay)

    /// The first byte of each.
    enum Kind: UInt8 {
        case leave = 0
        case join = 1
        case state = 2
        case event = 3
        case query = 4
        case response = 5
        case conflict = 6
        case keyRequest = 7
        case keyResponse = 8
        case relay = 9
    }
}

/// "This member is leaving", which makes its end a leave and no failure.
package struct SerfLeave: Hashable, Sendable {
    package var time: LamportTime
    package var node: String
    /// An operator wants it forgotten at once.
    package var isPrune: Bool

    package init(time: LamportTime, node: String, isPrune: Bool = false) {
        self.time = time
        self.node = node
        self.isPrune = isPrune
    }
}

/// "This member is here, and means to stay."
package struct SerfJoin: Hashable, Sendable {
    package var time: LamportTime
    package var node: String

    package init(time: LamportTime, node: String) {
        self.time = time
        self.node = node
    }
}

/// What Serf adds to a push-pull (serf-layer §5).
package struct SerfState: Hashable, Sendable {
    /// When somebody's last intent was accepted.
    package struct Status: Hashable, Sendable {
        package var node: String
        package var time: LamportTime

        package init(node: String, time: LamportTime) {
            self.node = node
            self.time = time
        }
    }

    /// Events of one time.
    package struct Events: Hashable, Sendable {
        package var time: LamportTime
        package var events: [Event]

        package init(time: LamportTime, events: [Event]) {
            self.time = time
            self.events = events
        }
    }

    /// One event that was accepted at its group's time.
    package struct Event: Hashable, Sendable {
        package var name: String
        package var payload: [UInt8]

        package init(name: String, payload: [UInt8]) {
            self.name = name
            self.payload = payload
        }
    }

    package var time: LamportTime
    /// In any order; the reference's is random.
    package var statuses: [Status]
    package var left: [String]
    package var eventTime: LamportTime
    /// Agents send their whole ring; its empty places are dropped here.
    package var events: [Events]
    package var queryTime: LamportTime

    package init(
        time: LamportTime, statuses: [Status], left: [String], eventTime: LamportTime, events: [Events] = [],
        queryTime: LamportTime
    ) {
        self.time = time
        self.statuses = statuses
        self.left = left
        self.eventTime = eventTime
        self.events = events
        self.queryTime = queryTime
    }
}

/// An operator's event, for everybody.
package struct SerfEvent: Hashable, Sendable {
    package var time: LamportTime
    package var name: String
    package var payload: [UInt8]
    /// Whether receivers may merge it with others of its name.
    package var coalesces: Bool

    package init(time: LamportTime, name: String, payload: [UInt8], coalesces: Bool) {
        self.time = time
        self.name = name
        self.payload = payload
        self.coalesces = coalesces
    }
}

/// A question to everybody whom its filters match (serf-layer §7).
package struct SerfQuery: Hashable, Sendable {
    /// The wire's bits; others than these are kept and mean nothing.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Everybody whom it reaches says so at once.
        package static let wantsAck = Flags(rawValue: 1)
        /// It is not spread any further.
        package static let staysHere = Flags(rawValue: 2)
    }

    package var time: LamportTime
    package var id: UInt32
    /// Where answers go.
    package var source: PeerAddress
    package var sourceNode: String
    /// All must match. Each is a byte string of its own, read by ``SerfFilter``.
    package var filters: [[UInt8]]
    package var flags: Flags
    /// Through how many others each answer also goes.
    package var relayFactor: UInt8
    /// How long answers are waited for.
    package var timeout: Duration
    package var name: String
    package var payload: [UInt8]

    package init(
        time: LamportTime, id: UInt32, source: PeerAddress, sourceNode: String, filters: [[UInt8]] = [],
        flags: Flags = [], relayFactor: UInt8 = 0, timeout: Duration, name: String, payload: [UInt8] = []
    ) {
        self.time = time
        self.id = id
        self.source = source
        self.sourceNode = sourceNode
        self.filters = filters
        self.flags = flags
        self.relayFactor = relayFactor
        self.timeout = timeout
        self.name = name
        self.payload = payload
    }
}

/// An answer to a query.
package struct SerfResponse: Hashable, Sendable {
    /// The query's.
    package var time: LamportTime
    /// The query's.
    package var id: UInt32
    package var from: String
    /// Whether it only says that the query arrived.
    package var isAck: Bool
    package var payload: [UInt8]

    package init(time: LamportTime, id: UInt32, from: String, isAck: Bool, payload: [UInt8] = []) {
        self.time = time
        self.id = id
        self.from = from
        self.isAck = isAck
        self.payload = payload
    }
}

/// A member, as somebody sees it.
package struct SerfMember: Hashable, Sendable {
    /// The numbers are the wire's.
    package enum Status: UInt8, Sendable, CaseIterable { case none, alive, leaving, left, failed }

    package var name: String
    package var address: PeerAddress
    package var tags: SerfTags
    package var status: Status
    package var versions: MemberVersions

    package init(name: String, address: PeerAddress, tags: SerfTags, status: Status, versions: MemberVersions) {
        self.name = name
        self.address = address
        self.tags = tags
        self.status = status
        self.versions = versions
    }
}

/// What came of a query about encryption keys.
package struct SerfKeyResponse: Hashable, Sendable {
    package var succeeded: Bool
    /// What went wrong, for the operator.
    package var message: String
    /// The ring, in Base64.
    package var keys: [String]
    package var primaryKey: String

    package init(succeeded: Bool, message: String = "", keys: [String] = [], primaryKey: String = "") {
        self.succeeded = succeeded
        self.message = message
        self.keys = keys
        self.primaryKey = primaryKey
    }
}

/// A message to be passed on to somebody, as a user message.
package struct SerfRelay: Hashable, Sendable {
    package var destination: PeerAddress
    package var destinationName: String
    /// A Serf message with its type byte; passed on byte for byte.
    package var message: [UInt8]

    package init(destination: PeerAddress, destinationName: String, message: [UInt8]) {
        self.destination = destination
        self.destinationName = destinationName
        self.message = message
    }
}

/// Whom a query is for.
package enum SerfFilter: Hashable, Sendable {
    /// Those with these names.
    case nodes([String])
    /// Those whose tag the expression (RE2's, anywhere in it) matches.
    case tag(String, expression: String)
}
