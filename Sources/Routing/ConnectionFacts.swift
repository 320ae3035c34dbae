// What is known of a client's connection before an endpoint is chosen for it. It starts with what the socket
// says; whatever is read ahead (`Preface`) replaces or adds to it. Everything that decides by the client, from
// `hash: {key: source_ip}` to the log, reads these facts and never asks the socket again.

package import Vocabulary

/// Who connected, and where to.
package struct ConnectionFacts: Hashable, Sendable {
    /// The client: the socket's peer, or the source that a PROXY header names. Nil for a unix socket that has no
    /// path, which is most clients of one.
    package var peer: SocketAddress?
    /// Where the client connected to: the socket's own end, or the destination that a PROXY header names.
    package var local: SocketAddress?
    /// What the client's first TLS message says, where the listener has read it.
    package var hello: ClientHello?
    /// The host that the sender of a PROXY header was asked for (its PP2_TYPE_AUTHORITY), in lower case.
    package var authority: String?
    /// The part of the first HTTP/1 request that the listener has looked for; nil where there is no such part.
    package var requestPart: [UInt8]?

    package init(
        peer: SocketAddress?, local: SocketAddress?, hello: ClientHello? = nil, authority: String? = nil,
        requestPart: [UInt8]? = nil
    ) {
        self.peer = peer
        self.local = local
        self.hello = hello
        self.authority = authority
        self.requestPart = requestPart
    }

    /// Where nobody wants to know who connected where, and the socket is not asked.
    package static let unasked = ConnectionFacts(peer: nil, local: nil)
}
