// The buffers between sockets and OpenSSL: one pair for a worker, none for a connection.
//
// OpenSSL reads a record in two pieces and writes it in one, and a plain socket BIO makes system calls of them. Here a
// BIO only copies from and to the worker's two buffers: a pipe receives once into the one and lets OpenSSL read until it
// is empty, and sends the other once, with all the records that have gathered in it. What is left of a record that has
// not come whole stays in OpenSSL's own buffer of that connection; so the worker's are empty between two calls, and any
// connection may use them next.
//
// Not taken: memory BIOs (each keeps a buffer per connection), read_ahead (its buffer holds one record, and what is
// behind it must be asked for again), and kTLS, which wants the socket's own BIO: where a kernel has it, that is to be
// another kind of pipe.

import COpenSSL

/// One worker's buffers for encrypted bytes. For one thread; it must outlive its pipes.
@safe
package final class Wire {
    /// Encrypted bytes that one receive asks for at most: what a buffer of 256 KiB has room for beside ``slack``.
    package static let largestRead = 239 << 10
    /// Plain bytes that are encrypted before a send: sixteen records. Each send has its receive, its turn of the loop
    /// and its segments; as measured, half as much at once cost some 8 % more per byte, and twice as much no less.
    package static let largestWrite = 256 << 10
    /// What decrypted bytes may exceed received ones by: a record whose beginning came before.
    package static let slack = 17 << 10
    /// The outgoing buffer grows up to this, for certificates that are long; whoever makes us write more is cut off.
    static let largestOutbox = 1 << 20

    let state: UnsafeMutablePointer<State>

    /// What the BIO's callbacks see.
    @unsafe
    struct State {
        /// Received and not yet read by OpenSSL: from `inboxStart` to `inboxEnd`.
        var inbox: UnsafeMutableRawPointer
        var inboxStart = 0
        var inboxEnd = 0
        /// Written by OpenSSL and not yet sent: the first `outboxCount`.
        var outbox: UnsafeMutableRawPointer
        var outboxCount = 0
        var outboxCapacity: Int
        /// Pipes that use these buffers.
        var pipes = 0
        /// What all of them keep.
        var keptBytes = 0
    }

    package init() {
        unsafe state = UnsafeMutablePointer.allocate(capacity: 1)
        // Records are some bytes longer than what is in them, and a message of the handshake may go along.
        let capacity = Wire.largestWrite + (16 << 10)
        unsafe state.initialize(
            to: State(
                inbox: .allocate(byteCount: Wire.largestRead, alignment: 64),
                outbox: .allocate(byteCount: capacity, alignment: 64), outboxCapacity: capacity))
    }

    deinit {
        precondition(unsafe state.pointee.pipes == 0, "a pipe outlives its wire")
        unsafe state.pointee.inbox.deallocate()
        unsafe state.pointee.outbox.deallocate()
        unsafe state.deallocate()
    }

    /// Pipes that use it now.
    package var pipes: Int { unsafe state.pointee.pipes }
    /// Encrypted bytes that its pipes keep for sockets without room.
    package var keptBytes: Int { unsafe state.pointee.keptBytes }

    /// A new BIO over these buffers; nil without memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = unsafe bufferMethod.raw, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, state)
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }
}

// MARK: - The BIO

/// Made once for the process and never changed.
@unsafe
private struct Method: @unchecked Sendable {
    let raw: OpaquePointer?
}

private let bufferMethod: Method = {
    let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
    guard kind != -1, let method = unsafe BIO_meth_new(kind, "remora's wire") else { return unsafe Method(raw: nil) }
    unsafe BIO_meth_set_read_ex(method, readFromInbox)
    unsafe BIO_meth_set_write_ex(method, writeToOutbox)
    unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
        // Everything else is a question about what this BIO does not have.
        command == CInt(BIO_CTRL_FLUSH) ? 1 : 0
    }
    return unsafe Method(raw: method)
}()

private func readFromInbox(
    _ bio: OpaquePointer?, _ into: UnsafeMutablePointer<CChar>?, _ wanted: Int, _ count: UnsafeMutablePointer<Int>?
) -> CInt {
    guard let state = unsafe BIO_get_data(bio)?.assumingMemoryBound(to: Wire.State.self), let into = unsafe into,
        let count = unsafe count
    else { return 0 }
    let available = unsafe state.pointee.inboxEnd - state.pointee.inboxStart
    guard available > 0 else {
        unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
        return 0
    }
    unsafe BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
    let taken = min(available, wanted)
    unsafe UnsafeMutableRawPointer(into).copyMemory(
        from: state.pointee.inbox + state.pointee.inboxStart, byteCount: taken)
    unsafe state.pointee.inboxStart += taken
    unsafe count.pointee = taken
    return 1
}

private func writeToOutbox(
    _ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ offered: Int, _ count: UnsafeMutablePointer<Int>?
) -> CInt {
    guard let state = unsafe BIO_get_data(bio)?.assumingMemoryBound(to: Wire.State.self), let bytes = unsafe bytes,
        let count = unsafe count
    else { return 0 }
    unsafe BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
    let needed = unsafe state.pointee.outboxCount + offered
    if unsafe needed > state.pointee.outboxCapacity {
        // Without the flag to retry, this ends the stream.
        guard needed <= Wire.largestOutbox else { return 0 }
        unsafe state.pointee.growOutbox(to: min(Wire.largestOutbox, needed * 2))
    }
    unsafe (state.pointee.outbox + state.pointee.outboxCount).copyMemory(from: bytes, byteCount: offered)
    unsafe state.pointee.outboxCount = needed
    unsafe count.pointee = offered
    return 1
}

extension Wire.State {
    mutating fileprivate func growOutbox(to capacity: Int) {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        unsafe larger.copyMemory(from: outbox, byteCount: outboxCount)
        unsafe outbox.deallocate()
        unsafe outbox = unsafe larger
        unsafe outboxCapacity = capacity
    }
}
