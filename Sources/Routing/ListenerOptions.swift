// What a config file says of one listener, once it has been read: every value here can run.

package import Vocabulary

/// Which version of the PROXY protocol (HAProxy's proxy-protocol.txt) is written ahead of a connection's bytes.
package enum ProxyProtocolVersion: String, CaseIterable, Sendable {
    case v1, v2
}

/// Where a listener's connections go.
package enum ListenerTarget: Hashable, Sendable {
    /// Outbound: to an endpoint of this upstream.
    case upstream(String)
    /// Inbound: to the local instance of this service.
    case service(String)

    /// The upstream that gets its connections; a service's local instance is one of its own, whose name no config can
    /// give to another.
    package var upstream: String {
        switch self {
        case .upstream(let name): name
        case .service(let name): "service:\(name)"
        }
    }

    /// Whether it is the local instance of a service.
    package var isInbound: Bool {
        switch self {
        case .upstream: false
        case .service: true
        }
    }
}

package struct ListenerOptions: Hashable, Sendable {
    package var name: String
    package var bind: SocketAddress
    package var target: ListenerTarget
    package var acceptProxyProtocol: Bool
    package var sendProxyProtocol: ProxyProtocolVersion?
    /// How long a connection may be silent in both directions.
    package var idleTimeout: Duration
    /// Of all workers together; nil is half of the descriptor limit.
    package var maxConnections: Int?
    /// Outbound and not terminating TLS: where connections go by the name that their TLS asks for. The first match
    /// counts; without one, and for what is no TLS, it is ``target``.
    package var serverNames: [ServerNameRoute] = []

    /// Most of a listener's routes: each connection is compared with all of them at worst.
    package static let mostServerNames = 256

    package init(
        name: String, bind: SocketAddress, target: ListenerTarget, acceptProxyProtocol: Bool = false,
        sendProxyProtocol: ProxyProtocolVersion? = nil, idleTimeout: Duration = .seconds(3600),
        maxConnections: Int? = nil
    ) {
        self.name = name
        self.bind = bind
        self.target = target
        self.acceptProxyProtocol = acceptProxyProtocol
        self.sendProxyProtocol = sendProxyProtocol
        self.idleTimeout = idleTimeout
        self.maxConnections = maxConnections
    }

    /// An outbound listener.
    package init(
        name: String, bind: SocketAddress, upstream: String, acceptProxyProtocol: Bool = false,
        sendProxyProtocol: ProxyProtocolVersion? = nil, idleTimeout: Duration = .seconds(3600),
        maxConnections: Int? = nil
    ) {
        self.init(
            name: name, bind: bind, target: .upstream(upstream), acceptProxyProtocol: acceptProxyProtocol,
            sendProxyProtocol: sendProxyProtocol, idleTimeout: idleTimeout, maxConnections: maxConnections)
    }

    /// The name of the upstream that gets its connections.
    package var upstream: String { target.upstream }
}
