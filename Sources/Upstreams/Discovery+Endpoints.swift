// Which endpoints a member has, and what becomes of each when something is learned about it.

internal import Vocabulary

// MARK: - From members to endpoints

extension Discovery {
    /// What a member offers to one upstream.
    private struct Offer {
        var address: SocketAddress
        var weight = Weight.standard
        var zone: String?
        var health = ServiceTag.Health.passing
        /// Where its load can be asked for.
        var probe: SocketAddress?
    }

    /// Brings an upstream's endpoint of a member in line with what the member says.
    mutating func derive(from name: String, for place: Int, at now: Instant) {
        guard let offer = offer(of: name, to: place) else {
            return withdraw(name, from: place, because: "Member \(name) does not offer it any more.")
        }
        let identity = EndpointIdentity(member: name, address: offer.address)
        if let endpoint = members[name]?.endpoints[place] {
            if endpoint.identity == identity {
                if endpoint.health != .passing, offer.health == .passing { lift(endpoint) }
                endpoint.weight = offer.weight
                endpoint.zone = offer.zone
                endpoint.health = offer.health
                endpoint.ask(at: offer.probe)
                if members[name]?.seen.state == .alive { endpoint.condemnation = nil }
                return refresh(endpoint, at: now)
            }
            withdraw(name, from: place, because: "Member \(name) offers it at \(offer.address) now.")
        }
        guard let cell = cells.allocate() else {
            if !isShortOfCells { desk.add(.noRoom(upstream: upstreams[place].options.name, endpoint: identity)) }
            isShortOfCells = true
            return
        }
        let endpoint = TrackedEndpoint(
            identity: identity, upstream: place, cell: cell, weight: offer.weight, zone: offer.zone,
            health: offer.health)
        endpoint.keyPlace = upstreams[place].keys.place(of: identity.keyName)
        endpoint.ask(at: offer.probe)
        upstreams[place].endpoints.insert(endpoint, at: position(of: name, in: place))
        members[name]?.endpoints[place] = endpoint
        endpointsByCell[cell] = endpoint
        refresh(endpoint, at: now)
    }

    /// Takes away an upstream's endpoint of a member, if there is one.
    mutating func withdraw(_ name: String, from place: Int, because reason: String) {
        guard let endpoint = members[name]?.endpoints.removeValue(forKey: place) else { return }
        upstreams[place].endpoints.remove(at: position(of: name, in: place))
        retire(endpoint, because: reason)
    }

    private mutating func offer(of name: String, to place: Int) -> Offer? {
        guard let member = members[name]?.seen else { return nil }
        let zone = member.tags["zone"]
        switch upstreams[place].options.source {
        case .fixed: return nil
        case .members(let tags, let port):
            guard tags.allSatisfy({ member.tags[$0.key] == $0.value }) else { return nil }
            return Offer(address: member.address.with(port: port), zone: zone)
        case .service(let service):
            let key = ServiceTag.key(for: service)
            guard let text = member.tags[key] else {
                members[name]?.unreadable[key] = nil
                return nil
            }
            do throws(ServiceTag.ParseError) {
                let tag = try ServiceTag(parsing: text)
                members[name]?.unreadable[key] = nil
                return Offer(
                    address: tag.address(of: member.address), weight: tag.weight, zone: tag.zone ?? zone,
                    health: tag.health,
                    probe: tag.reportsLoad ? RemoraTag.probeAddress(of: member.address, in: member.tags) : nil)
            } catch {
                // Once for each text: gossip repeats itself.
                if members[name]?.unreadable.updateValue(text, forKey: key) != text {
                    desk.add(.unreadableTag(member: name, tag: key, why: "The tag \(key) \(error.explanation)."))
                }
                return nil
            }
        }
    }

    /// Where a member's endpoint stands among an upstream's, or belongs.
    private func position(of name: String, in place: Int) -> Int {
        let endpoints = upstreams[place].endpoints
        var (low, high) = (0, endpoints.count)
        while low < high {
            let middle = (low + high) / 2
            if let other = endpoints[middle].identity.member, other < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: - From what is known to what is published

extension Discovery {
    /// Judges a member's endpoints anew.
    mutating func refreshEndpoints(of name: String, at now: Instant) {
        for place in upstreams.indices {
            if let endpoint = members[name]?.endpoints[place] { refresh(endpoint, at: now) }
        }
    }

    /// Lets an endpoint's watch take something in, and judges the endpoint anew.
    mutating func attend(
        _ endpoint: TrackedEndpoint, at now: Instant,
        _ change: (inout OutlierWatch, OutlierOptions, _ hasRoom: Bool) -> Void
    ) {
        // What it is ejected for is no obstacle to its next ejection.
        countEjection(of: endpoint, false)
        let upstream = upstreams[endpoint.upstream]
        change(&endpoint.watch, upstream.options.outlier, upstream.hasRoomForEjection)
        refresh(endpoint, at: now)
    }

    /// Forgets what was held against an endpoint; it is for the caller to judge it anew.
    mutating func lift(_ endpoint: TrackedEndpoint) {
        endpoint.watch.lift()
        endpoint.condemnation = nil
    }

    /// Judges an endpoint by all that is known of it; what comes out different is for the next set.
    mutating func refresh(_ endpoint: TrackedEndpoint, at now: Instant) {
        let place = endpoint.upstream
        let options = upstreams[place].options
        let judgement = endpoint.judgement(standing(of: endpoint), options: options)
        let last = endpoint.published
        let state = judgement.fitness.state
        if last?.fitness.state != state {
            account(for: endpoint, from: last?.fitness.state, to: state, at: now)
            desk.add(
                .endpoint(
                    EndpointChange(
                        upstream: options.name, endpoint: endpoint.identity, from: last?.fitness.state, to: state,
                        reason: judgement.fitness.reason)))
        }
        countEjection(of: endpoint, Self.isServing(state) && endpoint.watch.ejection?.isSoft == true)
        let ramp = endpoint.advanceRamp(over: options.slowStart, at: now)
        wakes.update(endpoint, to: [endpoint.watch.nextWake, ramp.next].compactMap { $0 }.min())
        if let last, last.fitness == judgement.fitness, last.fate == judgement.fate, last.cause == judgement.cause,
            last.isKept == judgement.isKept, last.isPresent == judgement.isPresent, last.weight == endpoint.weight,
            last.ramp == ramp.percent, last.zone == endpoint.zone, last.probeForm == endpoint.probeForm
        {
            return
        }
        if last?.isPresent != judgement.isPresent || last?.weight != endpoint.weight {
            upstreams[place].keys.isStale = true
        }
        endpoint.published = Endpoint(
            identity: endpoint.identity, zone: endpoint.zone, weight: endpoint.weight, ramp: ramp.percent,
            fitness: judgement.fitness, since: last?.fitness.state == state ? last?.since : now, fate: judgement.fate,
            cause: judgement.cause, isKept: judgement.isKept, isPresent: judgement.isPresent, cell: endpoint.cell,
            kernelForm: endpoint.kernelForm, probeForm: endpoint.probeForm)
        upstreams[place].isChanged = true
        isChanged = true
    }

    /// Forgets the connects that got no answer: it was we who could reach nobody.
    mutating func acquitUnanswered(at now: Instant) {
        for place in upstreams.indices {
            for endpoint in upstreams[place].endpoints where endpoint.condemnation == .unanswered {
                endpoint.condemnation = nil
                refresh(endpoint, at: now)
            }
        }
    }

    /// Takes leave of an endpoint that its upstream has no more.
    mutating func retire(_ endpoint: TrackedEndpoint, because reason: String) {
        countEjection(of: endpoint, false)
        wakes.update(endpoint, to: nil)
        endpointsByCell[endpoint.cell] = nil
        leaving.append(endpoint.cell)
        let state = endpoint.published?.fitness.state
        count(state, as: -1, in: endpoint.upstream)
        desk.add(
            .endpoint(
                EndpointChange(
                    upstream: upstreams[endpoint.upstream].options.name, endpoint: endpoint.identity, from: state,
                    to: nil, reason: reason)))
        upstreams[endpoint.upstream].keys.isStale = true
        upstreams[endpoint.upstream].isChanged = true
        isChanged = true
    }

    private mutating func countEjection(of endpoint: TrackedEndpoint, _ counts: Bool) {
        if counts != endpoint.isCountedEjected { upstreams[endpoint.upstream].softlyEjected += counts ? 1 : -1 }
        endpoint.isCountedEjected = counts
    }

    /// Keeps the upstream's counts, and begins or ends the endpoint's slow start.
    private mutating func account(
        for endpoint: TrackedEndpoint, from last: Fitness.State?, to state: Fitness.State, at now: Instant
    ) {
        let upstream = upstreams[endpoint.upstream]
        let slowStart = upstream.options.slowStart
        switch state {
        case .fit:
            // Among others that are new themselves there is nobody to shield it; after a suspicion it is not new.
            if slowStart > .zero, last != .suspect, upstream.fitCount > 0, let since = upstream.fitSince,
                now - since >= slowStart
            {
                endpoint.rampStart = now
            }
        case .suspect: break
        case .failing, .draining, .ejected, .full, .dead, .left, .unlisted: endpoint.rampStart = nil
        }
        count(last, as: -1, in: endpoint.upstream)
        count(state, as: 1, in: endpoint.upstream)
        if upstreams[endpoint.upstream].fitCount > 0, upstreams[endpoint.upstream].fitSince == nil {
            upstreams[endpoint.upstream].fitSince = now
        }
    }

    private mutating func count(_ state: Fitness.State?, as change: Int, in place: Int) {
        if state == .fit { upstreams[place].fitCount += change }
        if Self.isServing(state) { upstreams[place].servingCount += change }
        if upstreams[place].fitCount == 0 { upstreams[place].fitSince = nil }
    }

    /// Whether an endpoint is one of those of which a part may be ejected.
    private static func isServing(_ state: Fitness.State?) -> Bool {
        switch state {
        case .fit, .suspect, .failing, .ejected, .full: true
        case .draining, .dead, .left, .unlisted, nil: false
        }
    }
}

// MARK: - Slow start

extension TrackedEndpoint {
    /// The part of its weight that an endpoint is given: as much of it as of the window has passed since its slow start
    /// began, in whole tenths, of which the first is given at once. That is Envoy's formula with its defaults
    /// (`aggression` 1, `min_weight_percent` 10), in steps, as each step is a snapshot.
    ///
    /// A weight below 10 has fewer steps, and a weight of 1 has none. Once all is given, the slow start is over.
    /// - Returns: `next`: when it is given more; nil once it is given all.
    fileprivate func advanceRamp(over window: Duration, at now: Instant) -> (percent: Int, next: Instant?) {
        guard let start = rampStart, window > .zero else {
            rampStart = nil
            return (100, nil)
        }
        let whole = window.wholeNanoseconds
        let tenth = max(1, whole / 10)
        let tenths = max(1, (now - start).wholeNanoseconds / tenth)
        guard tenths < 10 else {
            rampStart = nil
            return (100, nil)
        }
        return (Int(tenths) * 10, start + .nanoseconds(tenth * (tenths + 1)))
    }
}
