// One upstream at one moment: everything a worker needs for a pick, in plain memory.
//
// The control thread builds a snapshot, workers read it through `records` and
// `candidates` without retaining anything, and connections in flight hold no
// more of it than a load cell's index; so replacing a snapshot costs them nothing.
//
// Who may be picked is decided here, once for all workers: two tiers, of which the
// second counts only where nothing in the first is eligible, and the panic threshold
// that makes one tier of everyone who is known.
//
// Where zones count, the preferred stand zone by zone, and each zone's share is said:
// a worker draws the zone first. The ring or table of policies that hash is shared
// by all snapshots with the same members.
//
// It is built as a whole each time, one flat copy per endpoint: the module's page
// says what 10,000 cost. Not taken: patching a copy of the one before, a second way
// to build that would have to agree with the first.

internal import Vocabulary

/// Whether an endpoint gets new connections.
@frozen
@usableFromInline
package enum Eligibility: UInt8, Sendable {
    case none
    /// Only where none that is preferred has room or is left to try.
    case reserve
    case preferred
}

/// What a worker reads of an endpoint: plain values, no references.
@frozen
@usableFromInline
package struct EndpointRecord: Sendable {
    /// Where its `sockaddr` lies in the snapshot's address bytes.
    @usableFromInline package var addressOffset: UInt32
    @usableFromInline package var addressLength: UInt16
    /// Whether connecting takes no longer than a system call (loopback or unix).
    @usableFromInline package var isLocal: Bool
    /// What becomes of the connections that are on it: a state, not a command, so that a worker that misses a
    /// snapshot in between has missed nothing.
    @usableFromInline package var fate: ConnectionFate
    @usableFromInline package var cell: LoadCells.Index
    /// What draws are made with; less than ``ringWeight`` in slow start.
    @usableFromInline package var weight: UInt32
    /// As gossiped or configured: what rings and tables are built with, so that all remoras agree.
    @usableFromInline package var ringWeight: UInt16
    @usableFromInline package var eligibility: Eligibility
    /// How long the `sockaddr` is where its load can be asked for; it follows the endpoint's own, at the next multiple
    /// of 8. Zero where nobody there knows it.
    @usableFromInline package var probeLength: UInt8

    /// Whether a remora stands before it, knows its load and can be asked.
    @inlinable
    package var reportsLoad: Bool { probeLength > 0 }
}

/// An immutable upstream.
///
/// `@unchecked`: the memory behind the pointers is written in `init` alone, before anyone else sees the snapshot.
@safe
package final class UpstreamSnapshot: @unchecked Sendable {
    package let options: UpstreamOptions
    /// Sorted by their members' names; in the order of the config where that names them.
    package let endpoints: [Endpoint]
    /// Goes up with every new snapshot of the same upstream.
    package let version: UInt64

    /// How many endpoints the panic threshold counts.
    package let knownCount: Int
    package let fitCount: Int
    /// Whether so few of the known endpoints are fit that all of them are used alike.
    package let isPanicking: Bool

    /// One per endpoint, in the order of ``endpoints``.
    package let records: UnsafeBufferPointer<EndpointRecord>
    /// Indices into ``records`` of the endpoints that may be given connections: first those of
    /// ``Eligibility/preferred``, then those of ``Eligibility/reserve``.
    package let candidates: UnsafeBufferPointer<UInt32>
    /// How many of ``candidates`` are preferred.
    package let preferredCount: Int
    /// The zones that connections go to, where they do not go to all preferred alike; their shares add up to 1.
    package let zones: [ZoneRange]
    /// Whether the zones of the callers matter to it.
    let heedsZones: Bool
    /// The ring or table, and who stands for whom on it; nil where the policy has none, or none has been built yet.
    package let keys: KeyOwners?
    /// The kernel's form of every address, each at a multiple of 8; see ``EndpointRecord/addressOffset``.
    package let addressBytes: UnsafeRawBufferPointer

    /// - Parameters:
    ///   - keys: of a table built for a policy that hashes.
    ///   - zones: where this node stands; nil if it says no zone.
    package init(
        options: UpstreamOptions, endpoints: [Endpoint], version: UInt64 = 0, keys: KeyOwners? = nil,
        zones view: ZoneView? = nil
    ) {
        self.options = options
        self.endpoints = endpoints
        self.version = version
        self.keys = keys
        heedsZones =
            view != nil && options.zoneAware && options.keyForm == nil && endpoints.contains { $0.zone != nil }
        var counted = (known: 0, fit: 0, suspect: 0, bytes: 0)
        for endpoint in endpoints {
            if endpoint.isKnown { counted.known += 1 }
            if endpoint.fitness.state == .fit { counted.fit += 1 }
            if endpoint.fitness.state == .suspect { counted.suspect += 1 }
            counted.bytes += Self.padded(endpoint.kernelForm.count) + Self.padded(endpoint.probeForm.count)
        }
        knownCount = counted.known
        fitCount = counted.fit
        isPanicking = counted.fit * 100 < options.panicThresholdPercent * counted.known
        preferredCount = isPanicking ? counted.known : counted.fit

        let records = UnsafeMutableBufferPointer<EndpointRecord>.allocate(capacity: endpoints.count)
        let candidates = UnsafeMutableBufferPointer<UInt32>.allocate(
            capacity: isPanicking ? counted.known : counted.fit + counted.suspect)
        let addressBytes = UnsafeMutableRawBufferPointer.allocate(byteCount: counted.bytes, alignment: 8)
        var (offset, preferred, reserve) = (0, 0, preferredCount)
        for index in endpoints.indices {
            let endpoint = endpoints[index]
            var record = endpoint.record
            record.addressOffset = UInt32(offset)
            record.eligibility = Self.eligibility(of: endpoint, inPanic: isPanicking)
            unsafe records.initializeElement(at: index, to: record)
            unsafe UnsafeMutableRawBufferPointer(rebasing: addressBytes[offset...]).copyBytes(from: endpoint.kernelForm)
            offset += Self.padded(Int(record.addressLength))
            if record.reportsLoad {
                unsafe UnsafeMutableRawBufferPointer(rebasing: addressBytes[offset...]).copyBytes(
                    from: endpoint.probeForm)
                offset += Self.padded(endpoint.probeForm.count)
            }
            switch record.eligibility {
            case .none: break
            case .preferred:
                unsafe candidates.initializeElement(at: preferred, to: UInt32(index))
                preferred += 1
            case .reserve:
                unsafe candidates.initializeElement(at: reserve, to: UInt32(index))
                reserve += 1
            }
        }
        if let view, heedsZones, !isPanicking {
            zones = unsafe Self.arrange(candidates, preferredCount, of: endpoints, by: view)
        } else {
            zones = []
        }
        unsafe self.records = UnsafeBufferPointer(records)
        unsafe self.candidates = UnsafeBufferPointer(candidates)
        unsafe self.addressBytes = UnsafeRawBufferPointer(addressBytes)
    }

    deinit {
        unsafe records.deallocate()
        unsafe candidates.deallocate()
        unsafe addressBytes.deallocate()
    }

    private static func eligibility(of endpoint: Endpoint, inPanic: Bool) -> Eligibility {
        if inPanic { return endpoint.isKnown ? .preferred : .none }
        switch endpoint.fitness.state {
        case .fit: return .preferred
        case .suspect: return .reserve
        case .failing, .draining, .ejected, .full, .dead, .left, .unlisted: return .none
        }
    }

    /// Puts the first `count` of the candidates in order of their zones.
    /// - Returns: where those stand that connections go to; none where all are of one zone.
    private static func arrange(
        _ candidates: UnsafeMutableBufferPointer<UInt32>, _ count: Int, of endpoints: [Endpoint], by view: ZoneView
    ) -> [ZoneRange] {
        var groups: [(zone: String?, weight: UInt64, members: [UInt32])] = []
        var numbers: [String?: Int] = [:]
        // Neighbours are often of one zone.
        var last: (zone: String?, number: Int)?
        for position in 0..<count {
            let index = unsafe candidates[position]
            let endpoint = endpoints[Int(index)]
            let number: Int
            if let last, last.zone == endpoint.zone {
                number = last.number
            } else if let known = numbers[endpoint.zone] {
                number = known
            } else {
                number = groups.count
                numbers[endpoint.zone] = number
                groups.append((endpoint.zone, 0, []))
            }
            last = (endpoint.zone, number)
            groups[number].weight += UInt64(endpoint.share)
            groups[number].members.append(index)
        }
        guard groups.count > 1 else { return [] }
        var (starts, position) = ([Int](), 0)
        for group in groups {
            starts.append(position)
            for index in group.members {
                unsafe candidates[position] = index
                position += 1
            }
        }
        return view.shares(of: groups.map { ($0.zone, $0.weight) }).compactMap { share in
            guard let number = numbers[share.zone] else { return nil }
            let positions = starts[number]..<starts[number] + groups[number].members.count
            return ZoneRange(zone: share.zone, share: share.share, positions: positions)
        }
    }

    fileprivate static func padded(_ length: Int) -> Int { (length + 7) & ~7 }
}

/// A zone's part of an upstream.
package struct ZoneRange: Hashable, Sendable {
    /// Nil: the endpoints that name none.
    package var zone: String?
    /// Of this node's connections.
    package var share: Double
    /// Where its preferred endpoints stand among the snapshot's candidates.
    package var positions: Range<Int>
}

// MARK: - What a worker reads

/// A snapshot as a worker reads it once it has picked: plain values and unretained pointers.
///
/// Valid for as long as the ``UpstreamSet`` that holds the snapshot is kept alive for this worker; see
/// ``UpstreamPublication``.
@frozen
@usableFromInline
@unsafe
package struct SnapshotView {
    @usableFromInline package let records: UnsafeBufferPointer<EndpointRecord>
    @usableFromInline package let addressBytes: UnsafeRawBufferPointer
    @usableFromInline package let limits: PlacementLimits
    @usableFromInline package let connectTimeout: Duration
    @usableFromInline package let connectAttempts: Int
    /// What load probes call the service by; 0 where the upstream is of no service.
    @usableFromInline package let service: ServiceDigest

    package init(_ snapshot: UpstreamSnapshot) {
        unsafe records = snapshot.records
        unsafe addressBytes = snapshot.addressBytes
        unsafe limits = PlacementLimits(snapshot.options)
        unsafe connectTimeout = snapshot.options.connectTimeout
        unsafe connectAttempts = snapshot.options.connectAttempts
        unsafe service = ServiceDigest(of: snapshot.options.source)
    }

    /// The bytes that connect(2) takes to reach an endpoint.
    @inlinable
    package func address(of record: EndpointRecord) -> UnsafeRawBufferPointer {
        let start = Int(record.addressOffset)
        return unsafe UnsafeRawBufferPointer(rebasing: addressBytes[start..<start &+ Int(record.addressLength)])
    }

    /// The bytes that sendto(2) takes to ask for an endpoint's load; none where it does not report.
    package func probeAddress(of record: EndpointRecord) -> UnsafeRawBufferPointer {
        let start = Int(record.addressOffset) + UpstreamSnapshot.padded(Int(record.addressLength))
        return unsafe UnsafeRawBufferPointer(rebasing: addressBytes[start..<start + Int(record.probeLength)])
    }
}

/// All upstreams at one moment; what must agree is replaced together.
package final class UpstreamSet: Sendable {
    /// Goes up with every set that is published.
    package let version: UInt64
    /// An upstream keeps its place for as long as the process lives; listeners refer to it by that.
    package let upstreams: [UpstreamSnapshot]
    /// Nil: what gossip says of the fleet is believed.
    package let lastKnownGood: LastKnownGood.InForce?

    package init(version: UInt64, upstreams: [UpstreamSnapshot], lastKnownGood: LastKnownGood.InForce? = nil) {
        self.version = version
        self.upstreams = upstreams
        self.lastKnownGood = lastKnownGood
    }
}
