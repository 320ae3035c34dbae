// What a config file says of one listener, once it has been read: every value here can run.

package import Vocabulary

/// Which version of the PROXY protocol (HAProxy's proxy-protocol.txt) is written ahead of a connection's bytes.
package enum ProxyProtocolVersion: String, CaseIterable, Sendable {
    case v1, v2
}

package struct ListenerOptions: Hashable, Sendable {
    package var name: String
    package var bind: SocketAddress
    /// The name of the upstream that gets its connections.
    package var upstream: String
    package var acceptProxyProtocol: Bool
    package var sendProxyProtocol: ProxyProtocolVersion?
    /// How long a connection may be silent in both directions.
    package var idleTimeout: Duration
    /// Of all workers together; nil is half of the descriptor limit.
    package var maxConnections: Int?

    package init(
        name: String, bind: SocketAddress, upstream: String, acceptProxyProtocol: Bool = false,
        sendProxyProtocol: ProxyProtocolVersion? = nil, idleTimeout: Duration = .seconds(3600),
        maxConnections: Int? = nil
    ) {
        self.name = name
        self.bind = bind
        self.upstream = upstream
        self.acceptProxyProtocol = acceptProxyProtocol
        self.sendProxyProtocol = sendProxyProtocol
        self.idleTimeout = idleTimeout
        self.maxConnections = maxConnections
    }
}
