// The last known roster on disk: for a start while its source is silent.

import Foundation

/// What the file holds, as JSON.
struct KeptRoster: Codable, Equatable {
    /// Whose roster it is. A copy of another source would list members of another fleet.
    struct Source: Codable, Equatable {
        /// Of a file.
        var path: String?
        /// Of etcd.
        var prefix: String?
        var endpoints: [String]?

        init(_ options: RosterOptions) {
            switch options {
            case .file(let path): self.path = path
            case .etcd(let etcd):
                prefix = etcd.prefix
                endpoints = etcd.endpoints.map(\.description)
            }
        }

        /// Whether a copy of this source may stand in for `other`: the same file, or the same prefix with at least one
        /// endpoint in common, so that endpoints can be replaced one by one.
        func isSame(as other: Source) -> Bool {
            guard path == other.path, prefix == other.prefix else { return false }
            guard let endpoints, let others = other.endpoints else { return path != nil }
            return !Set(endpoints).isDisjoint(with: others)
        }
    }

    static let fileName = "roster.json"
    static let format = 1
    /// 65,536 names of 128 bytes, each byte escaped.
    static let longest = 64 << 20

    var format = Self.format
    var source: Source
    var revision: Int64?
    /// When the source was known to say so, in seconds since 1970.
    var confirmed: Int64
    /// In order, so that the same roster is the same file.
    var names: [String]

    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(self)) } catch { preconditionFailure("text and numbers are JSON") }
    }

    /// Nil for anything but a whole roster in today's format.
    init?(_ bytes: [UInt8]) {
        guard let stored = try? JSONDecoder().decode(KeptRoster.self, from: Data(bytes)),
            stored.format == Self.format, stored.names.count <= RosterNames.most,
            stored.names.allSatisfy(RosterNames.isName)
        else { return nil }
        self = stored
    }

    init(_ copy: RosterKeeper.Copy, of source: Source, confirmed: Int64) {
        self.source = source
        revision = copy.revision
        self.confirmed = confirmed
        names = copy.names.sorted()
    }
}

extension EtcdOptions.Endpoint: CustomStringConvertible {
    package var description: String {
        "\(isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
