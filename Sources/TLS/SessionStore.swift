// Sessions that servers gave us, by where they resume.
//
// One store for a worker: no lock, and a session never changes hands. A session of TLS 1.3 serves once (RFC 8446,
// appendix C.4: used twice it tells an onlooker that both were the same client), so it is taken out; one of TLS 1.2 stays
// until a newer comes. Each destination keeps two, since a burst of connections wants more than one, and the
// destinations that were longest without a new session make room for others.

import COpenSSL

/// Sessions to be resumed, for one thread.
@safe
package final class SessionStore {
    /// Sessions of one destination.
    static let perDestination = 2

    /// Whoever verified a server vouches only for itself: a session belongs to the context that made it.
    struct Destination: Hashable {
        var context: UInt64
        var endpoint: UInt64
    }

    private struct Entry {
        /// The newest last.
        var sessions: [LibraryObject] = []
        /// When it was last added to.
        var age: UInt64 = 0
    }

    private var entries: [Destination: Entry] = [:]
    private var additions: UInt64 = 0
    /// Destinations whose sessions are kept.
    private let capacity: Int

    /// - Parameter capacity: destinations; a session takes one to two kilobytes.
    package init(capacity: Int = 1024) {
        precondition(capacity > 0, "a store for nothing")
        self.capacity = capacity
    }

    deinit { removeAll() }

    /// Destinations that have a session.
    package var count: Int { entries.count }

    package func removeAll() {
        for entry in entries.values {
            for session in entry.sessions { unsafe SSL_SESSION_free(session.raw) }
        }
        entries = [:]
    }

    /// Keeps a session, which is the store's to free.
    func add(_ session: OpaquePointer, for destination: Destination) {
        if entries[destination] == nil, entries.count >= capacity { removeOldest() }
        additions += 1
        var entry = entries[destination] ?? Entry()
        entry.age = additions
        unsafe entry.sessions.append(LibraryObject(session))
        if entry.sessions.count > Self.perDestination {
            unsafe SSL_SESSION_free(entry.sessions.removeFirst().raw)
        }
        entries[destination] = entry
    }

    /// The newest session for a destination, which is the caller's to free.
    func take(for destination: Destination) -> OpaquePointer? {
        guard var entry = entries[destination], let session = entry.sessions.popLast() else { return nil }
        if unsafe SSL_SESSION_get_protocol_version(session.raw) < TLS1_3_VERSION {
            unsafe SSL_SESSION_up_ref(session.raw)
            entry.sessions.append(session)
        }
        entries[destination] = entry.sessions.isEmpty ? nil : entry
        return unsafe session.raw
    }

    /// A walk over all, which a store that is full takes for a new destination; a microsecond per hundred.
    private func removeOldest() {
        guard let oldest = entries.min(by: { $0.value.age < $1.value.age })?.key else { return }
        for session in entries[oldest]?.sessions ?? [] { unsafe SSL_SESSION_free(session.raw) }
        entries[oldest] = nil
    }
}
