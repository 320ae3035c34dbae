// The sections `tls`: what their values say, and what they leave open that has to be said.
//
// Files are only named here; whether they hold what they should is found by whoever reads them.

internal import TLS
internal import Vocabulary

extension Assembly {
    mutating func tls(of root: CheckedSection) -> TLSOptions {
        var options = TLSOptions()
        for section in root[RemoraSchema.listeners] ?? [] {
            guard let tls = section[RemoraSchema.Listener.tls] else { continue }
            let termination = termination(tls)
            // Who has no name has a fault of its own.
            if let name = section[RemoraSchema.Listener.name], let termination {
                options.listeners[name] = termination
                noteFiles(ofTermination: tls, .listener(name))
            }
        }
        for section in root[RemoraSchema.upstreams] ?? [] {
            guard let tls = section[RemoraSchema.Upstream.tls] else { continue }
            let origination = origination(tls, of: section)
            if let name = section[RemoraSchema.Upstream.name], let origination {
                options.upstreams[name] = origination
                noteFiles(ofOrigination: tls, .upstream(name))
            }
        }
        files.tls = options
        return options
    }

    // MARK: Places

    private mutating func noteFiles(ofTermination section: CheckedSection, _ owner: FileFault.Owner) {
        typealias Keys = RemoraSchema.Termination
        typealias Pair = RemoraSchema.CertificateFile
        files.name(owner, at: section.place)
        for pair in section[Keys.certificates] ?? [] { notePair(pair, Pair.certificate, Pair.key, owner) }
        notePair(section, Keys.certificate, Keys.key, owner)
        noteAuthorities(section, Keys.clientCA, owner)
    }

    private mutating func noteFiles(ofOrigination section: CheckedSection, _ owner: FileFault.Owner) {
        typealias Keys = RemoraSchema.Origination
        files.name(owner, at: section.place)
        notePair(section, Keys.certificate, Keys.key, owner)
        noteAuthorities(section, Keys.ca, owner)
    }

    private mutating func notePair(
        _ section: CheckedSection, _ certificate: Key<String>, _ key: Key<String>, _ owner: FileFault.Owner
    ) {
        guard let path = section[certificate] else { return }
        files.name(
            .pair(certificate: path, key: section[key]), by: owner, at: section.place(of: certificate),
            key: section[key].map { _ in section.place(of: key) })
    }

    private mutating func noteAuthorities(
        _ section: CheckedSection, _ key: Key<String>, _ owner: FileFault.Owner
    ) {
        guard let path = section[key] else { return }
        files.name(.authorities(path), by: owner, at: section.place(of: key))
    }

    // MARK: Sections

    private mutating func termination(_ section: CheckedSection) -> TerminationOptions? {
        typealias Keys = RemoraSchema.Termination
        let allowed = (section[Keys.allowSAN] ?? []).compactMap { pattern($0) }
        refuseRepeated(section[Keys.alpn] ?? [], noun: "protocol")
        refuseLong(section[Keys.alpn] ?? [])
        let pairs = section[Keys.certificates].map({ certificates($0) }) ?? certificate(section).map { [$0] }
        guard let pairs, !pairs.isEmpty, let minimumVersion = section[Keys.minVersion] else { return nil }
        return TerminationOptions(
            certificates: pairs, clientAuthorities: section[Keys.clientCA],
            clientRule: section[Keys.clientAuth] ?? .required, allowedNames: allowed,
            applicationProtocols: section[Keys.alpn]?.map(\.text) ?? [], minimumVersion: minimumVersion)
    }

    private func certificate(_ section: CheckedSection) -> CertificateFiles? {
        typealias Keys = RemoraSchema.Termination
        return section[Keys.certificate].map { CertificateFiles(certificate: $0, key: section[Keys.key]) }
    }

    private mutating func certificates(_ sections: [CheckedSection]) -> [CertificateFiles] {
        typealias Keys = RemoraSchema.CertificateFile
        var places: [CertificateFiles: Place] = [:]
        return sections.compactMap { section in
            guard let path = section[Keys.certificate] else { return nil }
            let files = CertificateFiles(certificate: path, key: section[Keys.key])
            if let first = places[files] {
                log.add("this certificate stands here already, on line \(first.line); remove one", at: section.place)
            }
            places[files] = section.place
            return files
        }
    }

    private mutating func pattern(_ text: CheckedText) -> NamePattern? {
        do throws(NamePattern.Fault) {
            return try NamePattern(text.text)
        } catch {
            log.add("this pattern of allow_san \(error)", at: text.place)
            return nil
        }
    }

    private mutating func refuseRepeated(_ texts: [CheckedText], noun: String) {
        var seen: [String: Place] = [:]
        for text in texts {
            if let first = seen[text.text] {
                log.add(
                    "the \(noun) \(text.text.quoted) stands here already, on line \(first.line); remove one",
                    at: text.place)
            }
            seen[text.text] = text.place
        }
    }

    /// RFC 7301 counts bytes, and there is room for 65,535 of them with their lengths.
    private mutating func refuseLong(_ protocols: [CheckedText]) {
        for text in protocols where text.text.utf8.count > 255 {
            log.add("this protocol's name has more than 255 bytes; write a shorter one", at: text.place)
        }
    }

    private mutating func origination(_ section: CheckedSection, of upstream: CheckedSection) -> OriginationOptions? {
        typealias Keys = RemoraSchema.Origination
        var name: ServerName?
        if let text = section[Keys.serverName] {
            do throws(ServerName.Fault) {
                name = try ServerName(text)
            } catch {
                log.add("server_name \(error)", at: section.place(of: Keys.serverName))
            }
        } else {
            refuseNameless(upstream[RemoraSchema.Upstream.endpoints] ?? [])
        }
        return OriginationOptions(
            authorities: section[Keys.ca], serverName: name,
            certificate: section[Keys.certificate].map { CertificateFiles(certificate: $0, key: section[Keys.key]) })
    }

    private mutating func refuseNameless(_ endpoints: [CheckedSection]) {
        for endpoint in endpoints {
            guard let address = endpoint[RemoraSchema.Endpoint.address], ServerName(of: address) == nil else {
                continue
            }
            log.add(
                "no certificate can name the endpoint \(address); write the name it bears as tls.server_name",
                at: endpoint.place(of: RemoraSchema.Endpoint.address))
        }
    }
}
