// The keys of what connections are told apart by: what policies that hash go by, and routes by server name.

internal import Balancing
internal import Routing
internal import Upstreams
internal import Vocabulary

extension RemoraSchema {
    enum Hash {
        static let key = Key.hashKey(
            "key", or: .read("source_ip"),
            "What a connection is known by; header, cookie and path are those of its first HTTP/1 request head.")
        static let virtualNodes = Key.integer(
            "virtual_nodes", HashRing.virtualNodesRange, or: .read("160"),
            "Points on the ring of an endpoint of weight 100; ring_hash alone.")
        static let boundedLoad = Key.factor(
            "bounded_load", LoadBound.range, or: .read("0"),
            "How many times the mean an endpoint may carry before its keys go on to the next; 0: without bound.")

        static let section = Section("hash", [key.field, virtualNodes.field, boundedLoad.field])
    }

    enum Route {
        static let match = Key.serverName("match", "A server name, or *.NAME for all with one label before it.")
        static let upstream = Key.name("upstream", "The upstream that gets the connections to such names.")

        static let section = Section("a route", [match.field, upstream.field])
    }
}
