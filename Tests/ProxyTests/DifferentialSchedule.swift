// What two peers do to a connection through a proxy: a random list of steps, the
// same for the same seed, whatever the proxy is made of.

import Testing
import Vocabulary

/// One of the two ends that talk through the proxy.
enum ScheduleSide: Int, CaseIterable {
    case client, server

    var other: ScheduleSide { self == .client ? .server : .client }
}

/// What the two halves of a connection are made of.
enum RelayKind: String, CaseIterable, CustomTestStringConvertible {
    case tcpToTCP, tcpToUnix, unixToTCP
    /// To an address that the proxy cannot know to be this machine's, so that it waits for the connect to succeed.
    case tcpToDistantTCP

    var clientIsTCP: Bool { self != .unixToTCP }
    var serverIsTCP: Bool { self != .tcpToUnix }
    var testDescription: String { rawValue }
}

struct Schedule {
    enum Step: Hashable {
        /// As many bytes more are to be written, now or as soon as there is room for them.
        case write(ScheduleSide, Int)
        /// One byte more, as urgent data (TCP).
        case urgent(ScheduleSide)
        /// A pause of the writers until this many bytes more have arrived, or all that were written.
        case read(ScheduleSide, Int)
        /// No further bytes.
        case halfClose(ScheduleSide)
        /// The connection is torn down: a reset, where there is such a thing.
        case abort(ScheduleSide)
    }

    /// No direction carries more, so that one pattern serves them all.
    static let mostBytes = 4 << 20

    private(set) var steps: [Step] = []
    /// Both peers' socket buffers, in bytes; nil leaves them to the kernel, which lets them grow until nobody blocks.
    /// With less than a segment, which is 64 KiB on loopback, the kernel would wait for its timers.
    let socketBuffer: Int32?
    /// Who tears the connection down, if anybody does.
    let aborter: ScheduleSide?

    /// - Parameter aborts: the last step is an abort; otherwise both sides half-close at some point.
    init(seed: UInt64, kind: RelayKind, aborts: Bool) {
        var random = SeededRandom(seed: seed)
        aborter = aborts ? ScheduleSide.allCases[Int(random.below(2))] : nil
        socketBuffer = random.below(3) == 0 ? 100_000 : nil
        let scales = ScheduleSide.allCases.map { _ in
            [2_000, 30_000, 300_000, 300_000, 1_200_000][Int(random.below(5))]
        }
        var written = [0, 0]
        var isOpen = [true, true]
        for _ in 0..<(4 + random.below(10)) {
            let side = ScheduleSide.allCases[Int(random.below(2))]
            switch random.below(20) {
            case 0...10 where isOpen[side.rawValue]:
                let count = 1 + Int(random.below(UInt32(scales[side.rawValue])))
                guard written[side.rawValue] + count < Self.mostBytes else { continue }
                written[side.rawValue] += count
                steps.append(.write(side, count))
            case 11, 12:
                // Only a listener keeps urgent bytes in the stream from the first on.
                guard kind.clientIsTCP, isOpen[0], written[0] + 1 < Self.mostBytes else { continue }
                written[0] += 1
                steps.append(.urgent(.client))
            case 13...15: steps.append(.read(side, 1 + Int(random.below(UInt32(scales[side.other.rawValue])))))
            case 16...18: steps.append(.read(side, .max))
            default:
                guard isOpen[side.rawValue], side != aborter else { continue }
                isOpen[side.rawValue] = false
                steps.append(.halfClose(side))
            }
        }
        if let aborter {
            steps.append(.abort(aborter))
        } else {
            for side in ScheduleSide.allCases where isOpen[side.rawValue] { steps.append(.halfClose(side)) }
        }
    }
}
