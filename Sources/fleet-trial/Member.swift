// One member of a fleet under test: a program, its place, and the process that is it now.

import Rig
import Vocabulary

final class Member {
    enum Program: String, Codable, CaseIterable {
        case remora, serf
    }

    enum Condition {
        case down
        case running(ChildProcess)
        case stopped(ChildProcess)
    }

    /// Among all members; also of its address.
    let number: Int
    let program: Program
    let name: String
    let host: String
    var condition = Condition.down

    init(number: Int, program: Program, host: String) {
        self.number = number
        self.program = program
        // One name is never the beginning of another.
        let digits = String(1000 + number).dropFirst()
        name = (program == .remora ? "r" : "s") + digits
        self.host = host
    }

    /// Where others reach it.
    var address: String { "\(host):7946" }
    /// A remora's admin port.
    var admin: SocketAddress? { try? SocketAddress(parsing: "\(host):9901") }
    /// Where an agent hears commands.
    var commands: String { "\(host):7373" }

    var process: ChildProcess? {
        switch condition {
        case .down: nil
        case .running(let process), .stopped(let process): process
        }
    }

    var isRunning: Bool {
        switch condition {
        case .running: true
        case .down, .stopped: false
        }
    }
}
