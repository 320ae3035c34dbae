// One upstream at one moment: everything a worker needs for a pick, in plain memory.
//
// The control thread builds a snapshot, workers read it through `records` and
// `candidates` without retaining anything, and connections in flight hold no
// more of it than a load cell's index; so replacing a snapshot costs them nothing.

internal import Vocabulary

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
    @usableFromInline package var weight: UInt32
}

/// An immutable upstream.
///
/// `@unchecked`: the memory behind the pointers is written in `init` alone, before anyone else sees the snapshot.
@safe
package final class UpstreamSnapshot: @unchecked Sendable {
    package let options: UpstreamOptions
    package let endpoints: [Endpoint]
    /// Goes up with every new snapshot of the same upstream.
    package let version: UInt64

    /// One per endpoint, in the order of ``endpoints``.
    package let records: UnsafeBufferPointer<EndpointRecord>
    /// Indices into ``records`` of the endpoints that may be given connections.
    package let candidates: UnsafeBufferPointer<UInt32>
    /// The kernel's form of every address, each at a multiple of 8; see ``EndpointRecord/addressOffset``.
    package let addressBytes: UnsafeRawBufferPointer

    package init(options: UpstreamOptions, endpoints: [Endpoint], version: UInt64 = 0) {
        self.options = options
        self.endpoints = endpoints
        self.version = version
        let kernelForms = endpoints.map(\.identity.address.kernelForm)
        let fit = endpoints.indices.filter { endpoints[$0].fitness.state == .fit }
        let records = UnsafeMutableBufferPointer<EndpointRecord>.allocate(capacity: endpoints.count)
        let candidates = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: fit.count)
        let addressBytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: kernelForms.reduce(0) { $0 + Self.paddedCount($1) }, alignment: 8)
        var offset = 0
        for (index, (endpoint, form)) in zip(endpoints, kernelForms).enumerated() {
            unsafe UnsafeMutableRawBufferPointer(rebasing: addressBytes[offset...]).copyBytes(from: form)
            unsafe records.initializeElement(
                at: index,
                to: EndpointRecord(
                    addressOffset: UInt32(offset), addressLength: UInt16(form.count),
                    isLocal: endpoint.identity.address.isLocal, fate: endpoint.fate, cell: endpoint.cell,
                    weight: endpoint.weight.value))
            offset += Self.paddedCount(form)
        }
        for (position, index) in fit.enumerated() {
            unsafe candidates.initializeElement(at: position, to: UInt32(index))
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

    private static func paddedCount(_ form: [UInt8]) -> Int { (form.count + 7) & ~7 }
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

    package init(_ snapshot: UpstreamSnapshot) {
        unsafe records = snapshot.records
        unsafe addressBytes = snapshot.addressBytes
        unsafe limits = PlacementLimits(snapshot.options)
        unsafe connectTimeout = snapshot.options.connectTimeout
        unsafe connectAttempts = snapshot.options.connectAttempts
    }

    /// The bytes that connect(2) takes to reach an endpoint.
    @inlinable
    package func address(of record: EndpointRecord) -> UnsafeRawBufferPointer {
        let start = Int(record.addressOffset)
        return unsafe UnsafeRawBufferPointer(rebasing: addressBytes[start..<start &+ Int(record.addressLength)])
    }
}

/// All upstreams at one moment; what must agree is replaced together.
package final class UpstreamSet: Sendable {
    /// Goes up with every set that is published.
    package let version: UInt64
    /// An upstream keeps its place for as long as the process lives; listeners refer to it by that.
    package let upstreams: [UpstreamSnapshot]

    package init(version: UInt64, upstreams: [UpstreamSnapshot]) {
        self.version = version
        self.upstreams = upstreams
    }
}
