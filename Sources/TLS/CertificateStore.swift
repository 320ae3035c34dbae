// The certificates and authorities that a config names, as they are on the disk now, or were when they were last good.
//
// It is told when to look, looks, and says what has changed; making contexts of that is its owner's business. Looking
// and reading block on the disk, so it lives on a thread that may wait. A file that has become bad changes nothing but
// the log: what was good before stays, until something good comes.

package import Vocabulary

/// What is read together.
package enum CertificateSource: Hashable, Sendable {
    /// `key` is nil where it stands in the certificate's file.
    case pair(certificate: String, key: String?)
    case authorities(String)

    var paths: [String] {
        switch self {
        case .pair(let certificate, let key): [certificate] + (key.map { [$0] } ?? [])
        case .authorities(let path): [path]
        }
    }
}

/// What was read.
package enum CertificateMaterial: Sendable {
    case pair(CertificatePair)
    case authorities(TrustAnchors)

    init(_ source: CertificateSource) throws(CertificateFault) {
        switch source {
        case .pair(let certificate, let key): self = .pair(try CertificatePair(certificate: certificate, key: key))
        case .authorities(let path): self = .authorities(try TrustAnchors(file: path))
        }
    }

    /// When it becomes too old, in seconds since 1970.
    package var expiry: Int64 {
        switch self {
        case .pair(let pair): pair.expiry
        case .authorities(let anchors): anchors.expiry ?? .max
        }
    }
}

/// For one thread, which may wait for the disk.
package struct CertificateStore: ~Copyable {
    /// A certificate that ends sooner is warned about.
    package static let warning = Duration.seconds(14 * 86400)

    package enum Event: Sendable {
        /// It was read, and differs from what was used so far.
        case replaced(CertificateSource, CertificateMaterial)
        /// It has changed and is no good; what was used so far is still used. Said once for each change.
        case refused(CertificateSource, CertificateFault)
        /// It ends within ``warning``, or has ended where `seconds` is negative. Said once a day.
        case expiring(CertificateSource, seconds: Int64)
    }

    private struct Entry {
        var material: CertificateMaterial
        var watch: FileWatch
        /// Seconds since 1970.
        var warned: Int64 = .min
    }

    /// In the order of their first mention.
    private var sources: [CertificateSource] = []
    private var entries: [CertificateSource: Entry] = [:]

    package init() {}

    /// Reads a source for the first time; one that is known already is handed out as it is.
    package mutating func add(_ source: CertificateSource) throws(CertificateFault) -> CertificateMaterial {
        if let entry = entries[source] { return entry.material }
        let marks = source.paths.map { FileMark($0) }
        let material = try CertificateMaterial(source)
        sources.append(source)
        entries[source] = Entry(material: material, watch: FileWatch(read: marks))
        return material
    }

    /// What is in use, in the order of their first mention.
    package var materials: [(source: CertificateSource, material: CertificateMaterial)] {
        sources.compactMap { source in entries[source].map { (source, $0.material) } }
    }

    /// Looks at all files and reads what has changed and come to rest.
    /// - Parameter wallClock: seconds since 1970.
    /// - Returns: what is new, and when to look again.
    package mutating func look(
        at now: Instant, wallClock: Int64
    ) -> (events: [Event], next: Instant) {
        var events: [Event] = []
        var next = now + FileWatch.interval
        for source in sources {
            guard var entry = entries[source] else { continue }
            let marks = source.paths.map { FileMark($0) }
            let step = entry.watch.look(marks, at: now)
            switch step {
            case .unchanged:
                break
            case .wait(let time):
                next = min(next, time)
            case .read:
                entry.watch.didRead(marks)
                do throws(CertificateFault) {
                    entry.material = try CertificateMaterial(source)
                    entry.warned = .min
                    events.append(.replaced(source, entry.material))
                } catch {
                    events.append(.refused(source, error))
                }
            }
            let left = entry.material.expiry.subtractingSaturating(wallClock)
            if left < Self.warning.components.seconds, entry.warned.addingSaturating(86400) <= wallClock {
                entry.warned = wallClock
                events.append(.expiring(source, seconds: left))
            }
            entries[source] = entry
        }
        return (events, next)
    }
}
