// What a quiet fleet sends and keeps: constant per member, whatever the size (SWIM §3.1).

import Gossip
import Vocabulary

extension Experiments {
    static func load(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let duration = options.duration ?? .seconds(60)
        let prediction = options.prediction(nodes: nodes)
        var (datagrams, bytes, streamBytes): ([Double], [Double], [Double]) = ([], [], [])
        var (state, perMember): ([Double], [Double]) = ([], [])
        for seed in options.seeds(of: .load, nodes: nodes) {
            try inWorld(options, nodes: nodes, seed: seed, into: &report) { world throws(Violation) in
                // The first seconds have what a start has to tell.
                try world.run(for: .seconds(10))
                let before = world.totalTraffic
                try world.run(for: duration)
                let sent = world.totalTraffic - before
                let nodeSeconds = duration.inSeconds * Double(nodes)
                datagrams.append(Double(sent.datagrams) / nodeSeconds)
                bytes.append(Double(sent.datagramBytes) / nodeSeconds)
                streamBytes.append(Double(sent.streamBytes) / nodeSeconds)
                let kept = (0..<nodes).reduce(0) { $0 + world.core(of: $1).stateBytes }
                state.append(Double(kept) / Double(nodes))
                perMember.append(Double(kept) / Double(nodes * nodes))
            }
        }
        let period = options.gossip.probeInterval.inSeconds
        report.add(
            .datagrams, of: .load, nodes: nodes, datagrams, predicted: prediction.datagramsPerPeriod / period,
            note: "a ping and an ack a period, SWIM §3.1")
        report.add(
            .bytes, of: .load, nodes: nodes, bytes,
            predicted: idleBytesPerPeriod(nodes: nodes, prediction) / period, note: "the same with a view's checksum")
        report.add(
            .streamBytes, of: .load, nodes: nodes, streamBytes,
            note: "a push-pull every \(prediction.pushPullInterval.inSeconds.written()) s")
        report.add(.stateBytes, of: .load, nodes: nodes, state, note: "records, shared by all, apart")
        report.add(.memberBytes, of: .load, nodes: nodes, perMember, predicted: 100, note: "at most")
    }

    /// Bytes that a quiet member sends in one probe interval, without loss: a ping with a view's checksum, and an ack.
    static func idleBytesPerPeriod(nodes: Int, _ prediction: Prediction) -> Double {
        let directory = Directory()
        // A name in the middle of the fleet, and a number that takes as many bytes as most do.
        let name = directory.intern("n\(nodes / 2)")
        let ping = Message.ping(Ping(sequence: 100, node: name)).encodedLength(in: directory)
        let ack = Message.ack(Ack(sequence: 100)).encodedLength(in: directory)
        let checksum =
            prediction.options.comparesViews
            ? Message.viewChecksum(0).encodedLength(in: directory) + WireSize.compoundOverhead
                + 2 * WireSize.partOverhead : 0
        return Double(ping + ack + checksum)
    }
}
