// A network for one run: its own loopback, on which no other process sends, with a count of what each address sends.
//
// The kernel counts per source address, so both programs are measured the same way and from outside; a program's own
// counters are its own word. The namespaces, of processes as well, end with the program: whatever ends it, nothing that
// it started is left (unshare and setpriv of util-linux see to it).

import Foundation
import Glibc
import Rig

enum OwnNetwork {
    /// Runs this program again in namespaces of its own, with the same arguments and `flag`.
    /// - Returns: its exit code.
    static func run(with flag: String, in processes: RunningProcesses) throws -> Int32 {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let rights = geteuid() == 0 ? [] : ["--map-root-user"]
        let namespaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        // Even SIGKILL of this process reaches them; the thread that starts it waits for it, so it does not end before.
        let words = ["--pdeathsig", "KILL", "--", "unshare"] + rights + namespaces + ["--", program]
        return try processes.run("setpriv", words + CommandLine.arguments.dropFirst() + [flag])
    }

    /// Brings loopback up and begins to count; to be called within.
    static func begin(_ processes: RunningProcesses) throws {
        let rules = """
            add table inet trial
            add set inet trial sent { type ipv4_addr; flags dynamic; size 65535; counter; }
            add chain inet trial out { type filter hook output priority 0; }
            add rule inet trial out meta l4proto udp update @sent { ip saddr counter }
            """.split(separator: "\n").joined(separator: "; ")
        for (program, arguments) in [("ip", ["link", "set", "lo", "up"]), ("nft", [rules])] {
            guard try processes.output(of: program, arguments) != nil else {
                throw RunFailure(
                    description: "\(program) \(arguments.joined(separator: " ")) failed; it takes the packages "
                        + "iproute2 and nftables, and root or user namespaces")
            }
        }
    }
}

/// What each address has sent by UDP.
struct SentDatagrams {
    struct Count {
        var datagrams = 0
        /// Payload: without the 28 bytes of the heads of IP and UDP.
        var bytes = 0
    }

    /// By host.
    private(set) var counts: [String: Count] = [:]

    init(_ processes: RunningProcesses) throws {
        guard let text = try processes.output(of: "nft", ["-j", "list", "set", "inet", "trial", "sent"]) else {
            throw RunFailure(description: "the kernel's counters cannot be read")
        }
        try self.init(json: text)
    }

    /// - Parameter json: nft's list of the set.
    init(json: String) throws {
        for item in try JSONDecoder().decode(Listing.self, from: Data(json.utf8)).nftables {
            for element in item.set?.elem ?? [] {
                let counter = element.elem.counter
                counts[element.elem.val] = Count(
                    datagrams: counter.packets, bytes: counter.bytes - 28 * counter.packets)
            }
        }
    }

    private struct Listing: Decodable {
        struct Item: Decodable { let set: Elements? }
        struct Elements: Decodable { let elem: [Element]? }
        struct Element: Decodable { let elem: Counted }
        struct Counted: Decodable {
            let val: String
            let counter: Counter
        }
        struct Counter: Decodable {
            let packets: Int
            let bytes: Int
        }
        let nftables: [Item]
    }

    /// What these hosts have sent in all.
    func total(of hosts: some Sequence<String>) -> Count {
        hosts.reduce(into: Count()) { total, host in
            guard let count = counts[host] else { return }
            total.datagrams += count.datagrams
            total.bytes += count.bytes
        }
    }
}
