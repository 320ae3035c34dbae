// What a quiet fleet sends and keeps: constant per member, whatever the size (SWIM §3.1).

import Gossip
import Vocabulary

extension Experiments {
    static func load(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let prediction = options.prediction(nodes: nodes)
        // The first push-pulls come one scaled interval and up to a plain one after a start: the same time for all
        // sizes, so that their sequence numbers are of one length. Large fleets are not watched for that long; it
        // would take minutes.
        let hasStreams = nodes <= 1000
        let settling: Duration = hasStreams ? options.gossip.pushPullInterval * 7 : .seconds(10)
        let duration = options.duration ?? (hasStreams ? prediction.pushPullInterval : .seconds(60))
        var (datagrams, bytes, streamBytes): ([Double], [Double], [Double]) = ([], [], [])
        var (state, perMember): ([Double], [Double]) = ([], [])
        var view = 0
        for seed in options.seeds(of: .load, nodes: nodes) {
            try inWorld(options, nodes: nodes, seed: seed, into: &report) { world throws(Violation) in
                try world.run(for: settling)
                let before = world.totalTraffic
                try world.run(for: duration)
                let sent = world.totalTraffic - before
                let nodeSeconds = duration.inSeconds * Double(nodes)
                datagrams.append(Double(sent.datagrams) / nodeSeconds)
                bytes.append(Double(sent.datagramBytes) / nodeSeconds)
                if hasStreams { streamBytes.append(Double(sent.streamBytes) / nodeSeconds) }
                view = viewLength(in: world)
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
            predicted: idleBytesPerPeriod(nodes: nodes, after: settling, prediction) / period,
            note: "the same with a view's checksum")
        report.add(
            .streamBytes, of: .load, nodes: nodes, streamBytes,
            predicted: Double(2 * view) / prediction.pushPullInterval.inSeconds,
            note: "a push-pull every \(prediction.pushPullInterval.inSeconds.written()) s, both ways \(view) B"
                + (hasStreams ? "" : "; not measured above 1000 members"))
        report.add(.stateBytes, of: .load, nodes: nodes, state, note: "records, shared by all, apart")
        report.add(.memberBytes, of: .load, nodes: nodes, perMember, predicted: 100, note: "at most")
    }

    /// Bytes of all that one member knows, as a push-pull tells it.
    private static func viewLength(in world: World) -> Int {
        var claims: [MemberClaim] = []
        world.core(of: 0).forEachMember { view in
            claims.append(
                MemberClaim(node: view.id, incarnation: view.incarnation, state: view.state, record: view.record))
        }
        let exchange = StreamMessage.pushPull(PushPull(isJoin: false, members: claims, userState: []))
        return exchange.encodedLength(in: world.directory)
    }

    /// Bytes that a quiet member sends in one probe interval, without loss: a ping with a view's checksum, and an ack.
    /// - Parameter time: since the start; sequence numbers grow with it.
    static func idleBytesPerPeriod(nodes: Int, after time: Duration, _ prediction: Prediction) -> Double {
        let directory = Directory()
        // A name in the middle of the fleet.
        let name = directory.intern("n\(nodes / 2)")
        let sequence = UInt32(time / prediction.options.probeInterval)
        let ping = Message.ping(Ping(sequence: sequence, node: name)).encodedLength(in: directory)
        let ack = Message.ack(Ack(sequence: sequence)).encodedLength(in: directory)
        let checksum =
            prediction.options.comparesViews
            ? Message.viewChecksum(0).encodedLength(in: directory) + WireSize.compoundOverhead
                + 2 * WireSize.partOverhead : 0
        return Double(ping + ack + checksum)
    }
}
