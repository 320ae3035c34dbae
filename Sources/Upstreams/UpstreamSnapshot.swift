// One upstream at one moment: everything a worker needs for a pick, in plain memory.
//
// The control thread builds a snapshot, workers read it through `records` and
// `candidates` without retaining anything, and connections in flight hold no
// more of it than a load cell's index; so replacing a snapshot costs them nothing.

package import Vocabulary

/// What a worker reads of an endpoint: plain values, no references.
@frozen
package struct EndpointRecord: Sendable {
    /// Where its `sockaddr` lies in the snapshot's address bytes.
    package var addressOffset: UInt32
    package var addressLength: UInt16
    /// Whether connecting takes no longer than a system call (loopback or unix).
    package var isLocal: Bool
    package var cell: LoadCells.Index
    package var weight: UInt32
}

/// An immutable upstream.
///
/// `@unchecked`: the memory behind the pointers is written in `init` alone.
@safe
package final class UpstreamSnapshot: @unchecked Sendable {
    package let options: UpstreamOptions
    package let endpoints: [Endpoint]
    /// Goes up with every new snapshot of the same upstream.
    package let version: UInt64

    /// One per endpoint, in the order of ``endpoints``.
    package let records: UnsafeMutableBufferPointer<EndpointRecord>
    /// Indices into ``records`` of the endpoints that may be given connections.
    package let candidates: UnsafeMutableBufferPointer<UInt32>
    /// The kernel's form of every address; see ``EndpointRecord/addressOffset``.
    package let addressBytes: UnsafeMutableRawBufferPointer

    package init(options: UpstreamOptions, endpoints: [Endpoint], version: UInt64 = 0) {
        self.options = options
        self.endpoints = endpoints
        self.version = version
        let kernelForms = endpoints.map(\.identity.address.kernelForm)
        let fit = endpoints.indices.filter { endpoints[$0].fitness.state == .fit }
        unsafe records = .allocate(capacity: endpoints.count)
        unsafe candidates = .allocate(capacity: fit.count)
        unsafe addressBytes = .allocate(byteCount: kernelForms.reduce(0) { $0 + $1.count }, alignment: 8)
        var offset = 0
        for (index, (endpoint, form)) in zip(endpoints, kernelForms).enumerated() {
            unsafe UnsafeMutableRawBufferPointer(rebasing: addressBytes[offset...]).copyBytes(from: form)
            unsafe records.initializeElement(
                at: index,
                to: EndpointRecord(
                    addressOffset: UInt32(offset), addressLength: UInt16(form.count),
                    isLocal: endpoint.identity.address.isLocal, cell: endpoint.cell, weight: endpoint.weight.value))
            offset += form.count
        }
        for (position, index) in fit.enumerated() {
            unsafe candidates.initializeElement(at: position, to: UInt32(index))
        }
    }

    deinit {
        unsafe records.deallocate()
        unsafe candidates.deallocate()
        unsafe addressBytes.deallocate()
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
