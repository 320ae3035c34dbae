import Reactor
import Vocabulary

/// Waits until something holds.
package enum Patience {
    /// - Returns: how long it took; nil: it did not hold in time.
    package static func wait(
        _ limit: Duration, asking period: Duration = .milliseconds(50), until holds: () async throws -> Bool
    ) async throws -> Duration? {
        let start = Kernel.now()
        while true {
            if try await holds() { return Kernel.now() - start }
            guard Kernel.now() - start < limit else { return nil }
            try await Task.sleep(for: period)
        }
    }
}
