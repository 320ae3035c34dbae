// The section `membership`: what its values say together, and with the node's.

internal import Gossip
internal import GossipWire
internal import Stores
internal import Vocabulary

extension Assembly {
    private typealias Keys = RemoraSchema.Membership

    /// - Parameter node: whose tags it will bear; nil if they could not be read.
    mutating func membership(_ section: CheckedSection, of node: CheckedSection?) -> MembershipOptions? {
        let options = gossipOptions(section)
        let label = self.label(section)
        let tags = node.flatMap { self.tags($0) }
        let join = section[Keys.join] ?? []
        if let bind = section[Keys.bind] {
            refuseOtherFamily(section, of: bind)
            refuseUnknownWhere(section, bind)
        }
        let roster = section[Keys.roster].map { self.roster($0) }
        let budget = section[Keys.telemetry].flatMap { telemetryBudget($0) }
        guard let bind = section[Keys.bind], var options, let label, let tags, let budget else { return nil }
        options.seeds = join.compactMap { PeerAddress($0) }
        return MembershipOptions(
            bind: bind, advertise: section[Keys.advertise].flatMap { PeerAddress($0) }, join: options.seeds,
            gossip: options, keys: section[Keys.keys] ?? [], label: label, tags: tags,
            telemetryBytesPerSecond: budget, roster: roster ?? nil)
    }

    /// Below a KiB the longest report is not sure to fit.
    private mutating func telemetryBudget(_ section: CheckedSection) -> ByteCount? {
        typealias Telemetry = RemoraSchema.Telemetry
        guard let budget = section[Telemetry.bytesPerSecond] else { return nil }
        if budget.bytes > 0, budget < .kibibytes(1) {
            log.add(
                "bytes_per_second \(budget.written) leaves no room for a report; write 1KiB or more, or 0B to send none",
                at: section.place(of: Telemetry.bytesPerSecond))
        }
        return budget
    }

    /// Nil for one with a fault: then there is no configuration.
    private mutating func roster(_ section: CheckedSection) -> RosterOptions? {
        if let path = section[RemoraSchema.Roster.file] { return .file(path: path) }
        typealias Etcd = RemoraSchema.Etcd
        guard let etcd = section[RemoraSchema.Roster.etcd] else { return nil }
        if let endpoints = etcd[Etcd.endpoints], !endpoints.isEmpty, !endpoints.contains(where: \.isSecure) {
            for key in [Etcd.ca, Etcd.certificate] where etcd.gives(key) {
                log.add(
                    "\(key.field.key) is for https, and no endpoint has it; write https://, or remove \(key.field.key)",
                    at: etcd.place(of: key))
            }
        }
        guard let endpoints = etcd[Etcd.endpoints], let prefix = etcd[Etcd.prefix] else { return nil }
        return .etcd(
            EtcdOptions(
                endpoints: endpoints, prefix: prefix, username: etcd[Etcd.username],
                passwordFile: etcd[Etcd.passwordFile], ca: etcd[Etcd.ca], certificate: etcd[Etcd.certificate],
                key: etcd[Etcd.key]))
    }

    /// The profile's, as tuned.
    private mutating func gossipOptions(_ section: CheckedSection) -> GossipOptions? {
        typealias Tuning = RemoraSchema.Tuning
        guard let profile = section[Keys.profile], let reclaimAfter = section[Keys.reclaimAfter],
            let tuning = section[Keys.tuning]
        else { return nil }
        var options = profile.options
        options.reclaimAfter = reclaimAfter
        if let value = tuning[Tuning.probeInterval] { options.probeInterval = value }
        if let value = tuning[Tuning.probeTimeout] { options.probeTimeout = value }
        if let value = tuning[Tuning.indirectChecks] { options.indirectChecks = value }
        if let value = tuning[Tuning.suspicionMultiplier] { options.suspicionMultiplier = value }
        if let value = tuning[Tuning.gossipInterval] { options.gossipInterval = value }
        if let value = tuning[Tuning.gossipNodes] { options.gossipNodes = value }
        if let value = tuning[Tuning.pushPullInterval] { options.pushPullInterval = value }
        if options.probeTimeout > options.probeInterval {
            let isWritten = tuning.gives(Tuning.probeTimeout)
            log.add(
                "probe_timeout \(options.probeTimeout.written) is longer than probe_interval \(options.probeInterval.written); write a shorter one",
                at: isWritten ? tuning.place(of: Tuning.probeTimeout) : tuning.place(of: Tuning.probeInterval))
        }
        return options
    }

    private mutating func label(_ section: CheckedSection) -> Label? {
        guard let text = section[Keys.label] else {
            return section.gives(Keys.label) ? nil : Label.none
        }
        guard let label = Label(text) else {
            log.add(
                "label has \(text.utf8.count) bytes in UTF-8; at most \(Label.longest) fit, so choose a shorter one",
                at: section.place(of: Keys.label))
            return nil
        }
        return label
    }

    /// One UDP socket reaches one family.
    private mutating func refuseOtherFamily(_ section: CheckedSection, of bind: SocketAddress) {
        let remedy = "; write an address of \(bind.familyName), or bind to one of the other"
        if let advertise = section[Keys.advertise], advertise.family != bind.family {
            log.add(
                "advertise \(advertise) is \(advertise.familyName) and bind is \(bind.familyName)\(remedy)",
                at: section.place(of: Keys.advertise))
        }
        if let other = (section[Keys.join] ?? []).first(where: { $0.family != bind.family }) {
            log.add(
                "join has \(other), which is \(other.familyName), and bind is \(bind.familyName)\(remedy)",
                at: section.place(of: Keys.join))
        }
    }

    /// Others must be told an address that leads here.
    private mutating func refuseUnknownWhere(_ section: CheckedSection, _ bind: SocketAddress) {
        guard !section.gives(Keys.advertise) else {
            if let advertise = section[Keys.advertise], advertise.isUnspecified {
                log.add(
                    "advertise \(advertise) leads nowhere; write the address at which others reach this node",
                    at: section.place(of: Keys.advertise))
            }
            return
        }
        if bind.isUnspecified {
            log.add(
                "bind \(bind) is every address of this machine; add advertise, the one at which others reach it",
                at: section.place(of: Keys.bind))
        }
    }

    /// What the others will see of this node.
    private mutating func tags(_ node: CheckedSection) -> SerfTags? {
        typealias Node = RemoraSchema.Node
        guard let own = node[Node.tags] else { return nil }
        let place = node.place(of: Node.tags)
        var tags = SerfTags()
        // Every one has a place of its own there, so in any order.
        for (name, value) in own { tags[name] = value }
        if own[MemberTag.remora] != nil {
            log.add("the tag remora is for remora itself; choose another name", at: place)
        }
        if let zone = node[Node.zone] {
            if let other = own[MemberTag.zone], other != zone {
                log.add("the tag zone says \(other.quoted) and zone says \(zone.quoted); remove one", at: place)
            }
            tags[MemberTag.zone] = zone
        }
        let length = tags.longestMeta(with: [])
        guard length <= MemberRecord.longestMeta else {
            log.add(
                "the tags of this node take \(length) bytes, zone and remora's own included; gossip carries \(MemberRecord.longestMeta), so shorten them",
                at: place)
            return nil
        }
        tags[MemberTag.remora] = MemberTag.remoraValue(probePort: 0)
        return tags
    }
}

extension SocketAddress {
    var isUnspecified: Bool {
        switch self {
        case .ipv4(let ip, _): ip.bits == 0
        case .ipv6(let ip, _): ip.high == 0 && ip.low == 0
        case .unix: false
        }
    }

    fileprivate var familyName: String {
        switch self {
        case .ipv4: "IPv4"
        case .ipv6: "IPv6"
        case .unix: "a path"
        }
    }
}
