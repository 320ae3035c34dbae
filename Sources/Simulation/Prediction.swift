// What the formulas say of a fleet, to stand beside what its simulation measured.
//
// Nothing here was fitted: each figure follows from the options, the size and the loss. Where a formula is of another
// protocol than ours (SWIM's periods are in step, memberlist's members each have a phase of their own), the
// documentation says in which direction it errs.

package import Gossip
import Glibc

/// A healthy fleet of members that all have the same options and lose the same share of datagrams.
package struct Prediction: Sendable {
    /// Listed members, N of every formula; at least 1.
    package let nodes: Int
    package let options: GossipOptions
    /// The share of datagrams lost, 0...1; streams lose none.
    package let loss: Double

    /// - Precondition: `nodes` is at least 1 and `loss` within 0...1.
    package init(nodes: Int, options: GossipOptions, loss: Double) {
        precondition(nodes >= 1 && (0...1).contains(loss))
        (self.nodes, self.options, self.loss) = (nodes, options, loss)
    }

    private var size: Double { Double(nodes) }
}

// MARK: - Detection

extension Prediction {
    /// Probe intervals from a crash to the start of the first probe that notices it: 1/(1 − e^−q), with q the share
    /// of members that are alive; e/(e − 1) ≈ 1.58 for one crash in a large fleet, whatever its size (SWIM §3.1).
    /// For the first of several that crash at once q is that many times as large.
    ///
    /// SWIM counts whole periods that all members begin together. Where each has a phase of its own, as here, the
    /// probes of one target are spread evenly and the mean is 1/q, which is less.
    package func periodsToFirstProbe(crashed: Int = 1) -> Double { 1 / (1 - exp(-probesPerPeriod(crashed: crashed))) }

    /// q: how many of one period's probes go to those that crashed.
    private func probesPerPeriod(crashed: Int) -> Double { Double(crashed) * Double(nodes - crashed) / size }

    /// From a crash to the first suspicion: ``periodsToFirstProbe(crashed:)``, then the whole interval that the probe
    /// waits for helpers and stream before its verdict (memberlist's probe).
    package func firstSuspicion(crashed: Int = 1) -> Duration {
        options.probeInterval * (periodsToFirstProbe(crashed: crashed) + 1)
    }

    /// From a crash to the first verdict of death, in a fleet that is otherwise well: the suspicion is confirmed by
    /// those who probe the same target, and lasts hardly longer than its minimum (Lifeguard §IV-B).
    package func firstDetection(crashed: Int = 1) -> Duration {
        firstSuspicion(crashed: crashed) + suspicionMinimum
    }

    /// From a crash until every member knows of every death: the last of those that crashed was found, its suspicion
    /// ran out, and the verdict spread as any other change does.
    ///
    /// The last of k is found (1/2 + … + 1/k) periods after one alone would be, as the longest of k equal waits is.
    package func fullDetection(crashed: Int = 1) -> Duration {
        let one = probesPerPeriod(crashed: crashed) / Double(crashed)
        let others = crashed > 1 ? (2...crashed).reduce(0) { $0 + 1 / Double($1) } / one : 0
        return firstSuspicion(crashed: 1) + options.probeInterval * others + suspicionMinimum + convergence
    }

    /// The shortest suspicion: the multiplier times log₁₀ N, at least 1, in probe intervals (Lifeguard §IV-B).
    package var suspicionMinimum: Duration {
        FleetSize(nodes).shortestSuspicion(multiplier: options.suspicionMultiplier, interval: options.probeInterval)
    }

    /// How long a suspicion lasts that nobody confirms.
    package var suspicionMaximum: Duration { suspicionMinimum * options.suspicionMaximumMultiplier }

    /// Probe intervals within which a member probes each other one, whatever the shuffle: 2N − 1 (SWIM §4.3).
    package var worstPeriodsBetweenProbes: Int { 2 * nodes - 1 }
}

// MARK: - Accusing the living

extension Prediction {
    /// The chance that one probe of a healthy member fails: ping or ack is lost, and so is one of the four datagrams
    /// of every indirect path (SWIM §3.1); none where streams are used for pings, as those lose nothing.
    package var failedProbeProbability: Double {
        options.usesStreamPing ? 0 : directFailure * pow(indirectFailure, Double(helpers))
    }

    /// Suspicions of members that are well, in one hour of one member.
    package var falseSuspicionsPerNodeHour: Double {
        guard nodes > 1 else { return 0 }
        return 3600 / options.probeInterval.inSeconds * failedProbeProbability
    }

    /// Ping and ack, both needed.
    private var directFailure: Double { 1 - pow(1 - loss, 2) }
    /// The request, the helper's ping, its ack, and the relayed ack.
    private var indirectFailure: Double { 1 - pow(1 - loss, 4) }
    private var helpers: Int { max(min(options.indirectChecks, nodes - 2), 0) }
}

// MARK: - Dissemination

extension Prediction {
    /// How many members each informed one tells in one gossip interval, β of the epidemic: the fanout, and the ping
    /// and the ack on which news ride too; lost ones tell nothing.
    package var contactRate: Double {
        let fanout = Double(min(options.gossipNodes, nodes - 1))
        let piggyback = nodes > 1 ? 2 * (options.gossipInterval.inSeconds / options.probeInterval.inSeconds) : 0
        return (fanout + piggyback) * (1 - loss)
    }

    /// Members that know, `rounds` gossip intervals after one did: N / (1 + (N − 1) e^−βt), the logistic curve of
    /// epidemics (SWIM §4.1).
    ///
    /// A mean field: chance in the first rounds makes the average of many runs lag behind it.
    package func aware(afterRounds rounds: Double) -> Double {
        size / (1 + (size - 1) * exp(-contactRate * rounds))
    }

    /// Mean gossip intervals until all know: Σ (N − 1) / (β i (N − i)) over i informed members, which is
    /// 2 (N − 1) / (β N) · H(N − 1), about 2 ln N / β (the simple epidemic; SWIM §4.1 has its O(log N)).
    package var roundsToAll: Double {
        guard nodes > 1 else { return 0 }
        let harmonic = (1..<nodes).reduce(0) { $0 + 1 / Double($1) }
        return 2 * (size - 1) / (contactRate * size) * harmonic
    }

    /// ``roundsToAll`` as time.
    package var convergence: Duration { options.gossipInterval * roundsToAll }

    /// How often a member sends one piece of news: the multiplier times ⌈log₁₀(N + 1)⌉ (memberlist's limit).
    package var transmissionLimit: Int { FleetSize(nodes).transmissions(multiplier: options.retransmitMultiplier) }

    /// Members that gossip alone leaves uninformed, on average: N^−(2λ−2) after λ ln N transmissions by each (SWIM
    /// §4.1); anti-entropy tells them.
    package var uninformed: Double {
        guard nodes > 1 else { return 0 }
        let lambda = Double(transmissionLimit) * (1 - loss) / log(size)
        return min(pow(size, -(2 * lambda - 2)), size - 1)
    }

    /// The same for the last to be told: the chance to get none of the N copies that each transmission puts out is
    /// e^−1, so N e^−L after L transmissions. More than SWIM's figure, which counts the answers of those told.
    package var missed: Double { min(size * exp(-Double(transmissionLimit) * (1 - loss)), size - 1) }
}

// MARK: - Anti-entropy and load

extension Prediction {
    /// The time between two push-pulls of one member (memberlist's scale).
    package var pushPullInterval: Duration { FleetSize(nodes).pushPullInterval(options.pushPullInterval) }

    /// Datagrams that one member sends in one probe interval while nothing happens: its ping and the ack that it owes
    /// (SWIM §3.1: constant in N), and with loss what helpers are asked and answer.
    package var datagramsPerPeriod: Double {
        guard nodes > 1 else { return 0 }
        let arrives = 1 - loss
        // A helper that was reached pings, is answered if that arrives, and sends an ack or a nack in any case.
        let perHelper = 1 + arrives * (1 + arrives + 1)
        return 1 + arrives + directFailure * Double(helpers) * perHelper
    }

    /// The longest until two halves of a fleet that were apart longer than every timer are one view again: one member
    /// has contacted one of its dead, which each does at most one and a half intervals apart, on the push-pull's
    /// scale; then the accusations that both brought home spread, the refutations do, and an exchange of views
    /// reaches whom they missed.
    package var healBound: Duration {
        FleetSize(nodes).pushPullInterval(options.contactInterval) * 3 / 2
            + (convergence * 3 + options.probeInterval * 2)
    }
}
