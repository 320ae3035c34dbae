// The two sockets of a member: datagrams and streams, on one address and one port.

package import Gossip
package import Reactor
package import Vocabulary

/// Why a member got no sockets.
package struct GossipBindError: Error, CustomStringConvertible {
    package let address: SocketAddress
    package let cause: SystemError
    private let what: String

    init(_ what: String, _ address: SocketAddress, _ cause: SystemError) {
        self.what = what
        self.address = address
        self.cause = cause
    }

    package var description: String {
        let remedy =
            switch cause {
            case .addressInUse: "; another process is there: stop it, or choose another membership.bind"
            case .addressNotAvailable: "; this machine has no such address: choose another membership.bind"
            default: ""
            }
        return "membership cannot bind \(what) \(address): \(cause)\(remedy)"
    }
}

/// Bound and listening. Closed when let go.
package struct GossipSockets: ~Copyable, Sendable {
    /// Asked for; gossip comes in bursts (a push-pull's news, the death of many), and what is lost has to be said again.
    private static let receiveBuffer: Int32 = 2 << 20
    /// How many ports are tried where the kernel may choose: one that is free for TCP may be taken for UDP.
    private static let attempts = 32

    let datagrams: Int32
    let listener: Int32
    /// As bound: port 0 has become a real one.
    package let address: PeerAddress

    /// - Parameter address: of IP; with port 0 the kernel chooses one that is free for both.
    package init(binding address: SocketAddress) throws(GossipBindError) {
        var attempts = address.port == 0 ? GossipSockets.attempts : 1
        while true {
            attempts -= 1
            do throws(GossipBindError) {
                (datagrams, listener, self.address) = try GossipSockets.bind(address)
                return
            } catch {
                guard attempts > 0, error.cause == .addressInUse else { throw error }
            }
        }
    }

    deinit {
        Kernel.close(datagrams)
        Kernel.close(listener)
    }

    private static func bind(
        _ address: SocketAddress
    ) throws(GossipBindError) -> (datagrams: Int32, listener: Int32, address: PeerAddress) {
        var listener: Int32 = -1
        var bound = address
        do throws(SystemError) {
            listener = try Kernel.bind(address, sharingPort: false)
            try Kernel.listen(listener)
            bound = Kernel.localAddress(of: listener) ?? address
        } catch {
            if listener >= 0 { Kernel.close(listener) }
            throw GossipBindError("TCP", address, error)
        }
        guard let peer = PeerAddress(bound) else {
            Kernel.close(listener)
            throw GossipBindError("TCP", address, .invalid)
        }
        do throws(SystemError) {
            return (try Kernel.bindDatagrams(bound, receiveBuffer: receiveBuffer), listener, peer)
        } catch {
            Kernel.close(listener)
            throw GossipBindError("UDP", bound, error)
        }
    }
}
