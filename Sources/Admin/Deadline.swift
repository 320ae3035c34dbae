// A bound in time for work that can be cancelled.

struct DeadlineExceeded: Error {}

/// What `work` returns, if it does so within `limit`; otherwise `work` is cancelled.
///
/// Returns only once `work` has ended: on a socket nothing may be left waiting when its descriptor is closed,
/// for the number is given out again at once and the pool of sockets knows them by number.
/// - Throws: ``DeadlineExceeded``, or what `work` throws.
func within<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else { throw DeadlineExceeded() }
        return value
    }
}
