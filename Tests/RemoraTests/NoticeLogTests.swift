import Glibc
import TLS
import Testing
import Upstreams
import Vocabulary

@testable import Node
@testable import Proxy

@Suite("Workers' notices as log lines")
struct NoticeLogTests {
    private let start = Instant(nanoseconds: 0)
    private let interval = RateLimiter<String>.interval
    private let lines = Lines()
    private let set: UpstreamSet

    init() throws {
        let upstream = UpstreamOptions(
            name: "web", endpoints: [8001, 8002].map { StaticEndpoint(address: .ipv4(.loopback, port: $0)) })
        set = try Discovery(upstreams: [upstream], cells: LoadCells(capacity: 8), at: start).current
    }

    private func log() -> NoticeLog { NoticeLog(logger: lines.logger) { ["edge", "side"][$0] } }

    private func notice(_ kind: Notice.Kind, listener: UInt32 = 0, endpoint: Int = 0, detail: Int32 = 0) -> Notice {
        Notice(
            kind: kind, listener: listener, upstream: 0, cell: set.upstreams[0].endpoints[endpoint].cell, detail: detail
        )
    }

    private func tls(
        _ kind: Notice.Kind, _ fault: PipeFault?, endpoint: Int = 0, of peer: SocketAddress? = nil
    ) -> Notice {
        var notice = notice(kind, endpoint: endpoint)
        (notice.fault, notice.peer) = (fault, peer)
        return notice
    }

    @Test("Each kind has its line: who, what happened, and why")
    func everyKind() {
        let cases: [(Notice, String)] = [
            (
                notice(.connectFailed, endpoint: 1, detail: ECONNREFUSED),
                "warning upstream web: 127.0.0.1:8002 did not accept a connection: Connection refused"
            ),
            (
                notice(.endpointReset, endpoint: 1),
                "warning upstream web: 127.0.0.1:8002 reset a connection before it had answered"
            ),
            (
                notice(.instanceRefused, listener: 1, detail: ECONNREFUSED),
                "error listener side: the local instance did not accept a connection: Connection refused; callers are refused until it does"
            ),
            (
                notice(.listenFailed, detail: EADDRINUSE),
                "error listener edge cannot accept again: Address already in use"
            ),
            (
                notice(.noEndpoint, listener: 1),
                "error upstream web: no endpoint could be given to a client of listener side; it was closed"
            ),
            (
                notice(.listenerFull),
                "warning listener edge: a client was closed: the listener has max_connections already"
            ),
            (
                notice(.badPreface),
                "warning listener edge: a client was closed: it sent no valid PROXY header first"
            ),
            (
                notice(.badPreface, detail: ETIMEDOUT),
                "warning listener edge: a client was closed: its PROXY header did not come in time"
            ),
            (
                tls(
                    .handshakeRefused,
                    .certificate(reason: "none of its names is allowed", names: "URI spiffe://elsewhere/web"),
                    of: .ipv4(.loopback, port: 7)),
                "warning listener edge: a client was closed in the TLS handshake: the peer's certificate is refused: none of its names is allowed; it is for URI spiffe://elsewhere/web (client 127.0.0.1:7)"
            ),
            (
                tls(.handshakeRefused, nil),
                "warning listener edge: a client was closed in the TLS handshake: it did not come to an end in time"
            ),
            (
                tls(.handshakeFailed, .alert(.unknownCA), endpoint: 1),
                "warning upstream web: no TLS with 127.0.0.1:8002: the peer sent the TLS alert \"unknown CA\""
            ),
            (
                notice(.heldBytesExhausted),
                "error listener edge: a connection was aborted: no memory is left to hold bytes for slow readers"
            ),
            (
                notice(.acceptPaused, detail: EMFILE),
                "error accepting pauses: Too many open files; raise the limit (ulimit -n) or lower max_connections"
            ),
        ]
        var log = log()
        for (notice, _) in cases { log.write(notice, of: set, at: start) }
        #expect(lines.all == cases.map(\.1))
    }

    @Test("An endpoint that has gone meanwhile is not taken for another")
    func goneEndpoint() {
        var log = log()
        var notice = notice(.connectFailed, detail: ECONNREFUSED)
        notice.cell = 7
        log.write(notice, of: set, at: start)
        #expect(
            lines.all == [
                "warning upstream web: an endpoint that is gone did not accept a connection: Connection refused"
            ])
    }

    @Test("Of a thousand alike the first is written, and after an interval how many there were")
    func rate() {
        var log = log()
        // Through whichever listener: it is the endpoint that is in trouble.
        for number: UInt32 in 0..<1000 {
            log.write(notice(.connectFailed, listener: number % 2, detail: ECONNREFUSED), of: set, at: start)
        }
        log.writeLeftOut(of: set, at: start + interval)
        let line = "warning upstream web: 127.0.0.1:8001 did not accept a connection: Connection refused"
        #expect(lines.all == [line, "\(line) (999 more times since)"])
    }

    @Test("Different endpoints, causes and listeners have lines of their own")
    func apart() {
        var log = log()
        log.write(notice(.connectFailed, endpoint: 0, detail: ECONNREFUSED), of: set, at: start)
        log.write(notice(.connectFailed, endpoint: 1, detail: ECONNREFUSED), of: set, at: start)
        log.write(notice(.connectFailed, endpoint: 1, detail: ETIMEDOUT), of: set, at: start)
        log.write(notice(.listenerFull, listener: 0), of: set, at: start)
        log.write(notice(.listenerFull, listener: 1), of: set, at: start)
        #expect(lines.all.count == 5)
    }

    @Test("One shortage is one line, however many workers tell of it, and one when the last has recovered")
    func shortage() {
        var log = log()
        for worker: UInt32 in 0..<2 {
            log.write(notice(.acceptPaused, listener: worker, detail: EMFILE), of: set, at: start)
        }
        log.write(notice(.acceptResumed), of: set, at: start)
        log.writeLeftOut(of: set, at: start + interval)
        #expect(lines.all.count == 1)
        log.writeRecovery()
        log.writeRecovery()
        #expect(lines.all.count == 2)
        #expect(lines.all.last == "notice accepting goes on: no shortage of descriptors or memory for a while")
        // The next one is news again.
        log.write(notice(.acceptPaused, detail: ENFILE), of: set, at: start)
        #expect(lines.all.count == 3)
    }
}
