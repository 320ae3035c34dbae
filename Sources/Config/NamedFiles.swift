// Files that a config names and that others read, with their places: certificates, keys, authorities, the access log.
//
// Whether they hold what they should is found by whoever reads them, not here. But what is found is a fault of the config
// like any other, at the line that names the file, among the others in the order of the text. So `ConfigFile` asks a
// `FileInspection` while it still knows the places; a `Configuration` that kept them would differ from one that says the
// same on other lines.

package import AccessLog
package import TLS

/// Finds what is wrong with the files that a config names, as far as that could be read.
package typealias FileInspection = (_ tls: TLSOptions, _ accessLog: AccessLogOptions?) -> [FileFault]

/// Why a file that a config names is of no use.
package struct FileFault: Hashable, Sendable {
    /// Who names it.
    package enum Owner: Hashable, Sendable {
        case listener(String)
        case upstream(String)
        case accessLog
    }

    package let owner: Owner
    /// Nil: it is more than one that go together badly, or none.
    package let source: CertificateSource?
    /// The file, where it is one.
    package let path: String?
    /// What is wrong; what would be right.
    package let message: String

    package init(owner: Owner, source: CertificateSource? = nil, path: String? = nil, message: String) {
        self.owner = owner
        self.source = source
        self.path = path
        self.message = message
    }
}

/// What one config says of files, and where.
struct NamedFiles {
    private struct Mention {
        var source: CertificateSource
        /// Of the certificate's path, or of the authorities'.
        var place: Place
        /// Of the key's path, where that has its own.
        var key: Place?

        func place(of path: String?) -> Place? {
            switch source {
            case .pair(_, let file?) where file == path: key
            case .pair(let certificate, _): certificate == path ? place : nil
            case .authorities(let authorities): authorities == path ? place : nil
            }
        }
    }

    var tls = TLSOptions()
    private(set) var accessLog: AccessLogOptions?
    private var mentions: [FileFault.Owner: [Mention]] = [:]
    /// Of their sections.
    private var places: [FileFault.Owner: Place] = [:]

    mutating func name(_ owner: FileFault.Owner, at place: Place) { places[owner] = place }

    mutating func name(_ source: CertificateSource, by owner: FileFault.Owner, at place: Place, key: Place? = nil) {
        mentions[owner, default: []].append(Mention(source: source, place: place, key: key))
    }

    mutating func name(_ log: AccessLogOptions?, at place: Place) {
        accessLog = log
        places[.accessLog] = place
    }

    /// Where it stands: wherever its owner names that file, else at the owner's section.
    func places(of fault: FileFault) -> [Place] {
        let named = (mentions[fault.owner] ?? []).compactMap { mention -> Place? in
            guard let source = fault.source else { return mention.place(of: fault.path) }
            return source == mention.source ? mention.place(of: fault.path) ?? mention.place : nil
        }
        return named.isEmpty ? [places[fault.owner] ?? .start] : named
    }
}
