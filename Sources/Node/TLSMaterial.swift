// From a config's TLS to the contexts that workers make their pipes by: everything is read, or nothing is.

import Config
import Proxy
import TLS
import Vocabulary

/// What is read for the TLS of one config, and what comes of it. For one thread, which may wait for the disk.
struct TLSMaterial: ~Copyable {
    let options: TLSOptions
    private var store: CertificateStore
    private let tickets: TicketKeys
    /// Nil where nobody needs them.
    private let system: TrustAnchors?
    /// Files that have changed and are no good, and why; what they held before is still used.
    private(set) var refusals: [CertificateSource: CertificateFault] = [:]

    /// Reads all files.
    /// - Parameter tickets: of the material before, so that sessions outlive a reload.
    /// - Throws: the first file that cannot be used.
    init(_ options: TLSOptions, tickets: TicketKeys) throws(CertificateFault) {
        var store = CertificateStore()
        for source in options.sources { _ = try store.add(source) }
        let trustsSystem = options.upstreams.values.contains { $0.authorities == nil }
        system = trustsSystem ? try TrustAnchors(system: ()) : nil
        self.options = options
        self.tickets = tickets
        self.store = store
    }

    /// Of which nothing is read yet.
    private init(unread options: TLSOptions, tickets: TicketKeys) {
        store = CertificateStore()
        let trustsSystem = options.upstreams.values.contains { $0.authorities == nil }
        // Without memory for it, contexts that need it say so.
        system = trustsSystem ? try? TrustAnchors(system: ()) : nil
        self.options = options
        self.tickets = tickets
    }

    /// All for which ``init(_:tickets:)`` and ``contexts()`` would throw, in an order that does not change.
    static func faults(of options: TLSOptions, tickets: TicketKeys) -> [FileFault] {
        var material = TLSMaterial(unread: options, tickets: tickets)
        var unusable: [CertificateSource: CertificateFault] = [:]
        for source in options.sources {
            do throws(CertificateFault) { _ = try material.store.add(source) } catch { unusable[source] = error }
        }
        var faults: [FileFault] = []
        for owner in options.owners {
            let unread = options.sources(of: owner).compactMap { source in
                unusable[source].map { fault in
                    FileFault(owner: owner, source: source, path: fault.path, message: "tls: \(fault)")
                }
            }
            faults += unread
            guard unread.isEmpty else { continue }
            do throws(CertificateFault) { try material.tryContext(of: owner) } catch {
                faults.append(FileFault(owner: owner, path: error.path, message: "tls: \(error)"))
            }
        }
        return faults
    }

    /// What is in use, in an order that does not change.
    var materials: [(source: CertificateSource, material: CertificateMaterial)] { store.materials }

    /// What has changed on the disk; see ``CertificateStore/look(at:wallClock:)``.
    mutating func look(
        at now: Instant, wallClock: Int64
    ) -> (events: [CertificateStore.Event], next: Instant) {
        let look = store.look(at: now, wallClock: wallClock)
        for event in look.events {
            switch event {
            case .replaced(let source, _): refusals[source] = nil
            case .refused(let source, let fault): refusals[source] = fault
            case .expiring: break
            }
        }
        return look
    }

    // MARK: Contexts

    /// - Throws: where OpenSSL will not have what was read, a key that is too short, say.
    mutating func contexts() throws(CertificateFault) -> TLSContexts {
        var contexts = TLSContexts()
        for (name, options) in options.listeners {
            contexts.listeners[name] = ListenerTLS(context: try context(of: name, options))
        }
        for (name, options) in options.upstreams {
            contexts.upstreams[name] = UpstreamTLS(context: try context(options), serverName: options.serverName)
        }
        return contexts
    }

    private mutating func context(of listener: String, _ options: TerminationOptions) throws(CertificateFault)
        -> ServerContext
    {
        var pairs: [CertificatePair] = []
        for files in options.certificates { pairs.append(try pair(files)) }
        let authentication: ClientAuthentication
        if let path = options.clientAuthorities {
            let anchors = try authorities(path)
            switch options.clientRule {
            case .required: authentication = .required(anchors)
            case .optional: authentication = .optional(anchors)
            }
        } else {
            authentication = .none
        }
        return try ServerContext(
            ServerOptions(
                certificates: pairs, clientAuthentication: authentication, allowedNames: options.allowedNames,
                applicationProtocols: options.applicationProtocols, minimumVersion: options.minimumVersion,
                scope: listener),
            tickets: tickets)
    }

    private mutating func context(_ options: OriginationOptions) throws(CertificateFault) -> ClientContext {
        let trusted: TrustAnchors
        if let path = options.authorities {
            trusted = try authorities(path)
        } else if let system {
            trusted = system
        } else {
            throw .unavailable
        }
        var shown: CertificatePair?
        if let files = options.certificate { shown = try pair(files) }
        return try ClientContext(ClientOptions(trusted: trusted, certificate: shown))
    }

    private mutating func tryContext(of owner: FileFault.Owner) throws(CertificateFault) {
        switch owner {
        case .listener(let name): if let options = options.listeners[name] { _ = try context(of: name, options) }
        case .upstream(let name): if let options = options.upstreams[name] { _ = try context(options) }
        case .accessLog: break
        }
    }

    private mutating func pair(_ files: CertificateFiles) throws(CertificateFault) -> CertificatePair {
        guard case .pair(let pair) = try store.add(files.source) else { throw .unavailable }
        return pair
    }

    private mutating func authorities(_ path: String) throws(CertificateFault) -> TrustAnchors {
        guard case .authorities(let anchors) = try store.add(.authorities(path)) else { throw .unavailable }
        return anchors
    }
}

extension TLSOptions {
    /// Who speaks TLS, in an order that does not change.
    var owners: [FileFault.Owner] {
        listeners.keys.sorted().map { .listener($0) } + upstreams.keys.sorted().map { .upstream($0) }
    }

    fileprivate func sources(of owner: FileFault.Owner) -> [CertificateSource] {
        switch owner {
        case .listener(let name): listeners[name]?.sources ?? []
        case .upstream(let name): upstreams[name]?.sources ?? []
        case .accessLog: []
        }
    }
}

extension CertificateFault {
    /// The file that is to be mended, where it is one.
    fileprivate var path: String? {
        switch self {
        case .unreadable(let path, _), .tooLarge(let path), .noCertificate(let path), .noKey(let path),
            .malformed(let path, _), .encryptedKey(let path), .refused(let path, _):
            path
        case .mismatch(_, let key): key
        case .unavailable: nil
        }
    }
}
