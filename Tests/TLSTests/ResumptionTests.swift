import TLS
import Testing
import Vocabulary

@Suite("Resumed sessions")
struct ResumptionTests {
    let certificates: Certificates
    let start = Instant(nanoseconds: 0)

    init() throws { certificates = try Certificates.shared.get() }

    /// One connection to its end.
    private func isResumed(
        _ client: ClientContext, _ server: ServerContext, _ sessions: SessionStore, endpoint: UInt64 = 0
    ) throws -> Bool {
        let conversation = try Conversation(
            client, server, sessions: sessions, endpoint: endpoint, wires: (Wire(), Wire()))
        conversation.server.outgoing = [1]
        try conversation.finish()
        #expect(conversation.parties.allSatisfy { $0.end == .ended && $0.handle.fault == nil })
        let resumed = conversation.client.handle.terms.isResumed
        #expect(conversation.server.handle.terms.isResumed == resumed)
        return resumed
    }

    @Test("A session resumes at any context with the same keys, as after a reload or at another worker")
    func acrossContexts() throws {
        let tickets = try TicketKeys(at: start)
        let (first, second) = (try certificates.server(tickets: tickets), try certificates.server(tickets: tickets))
        let stranger = try certificates.server()
        let (client, sessions) = (try certificates.client(), SessionStore())
        #expect(try !isResumed(client, first, sessions))
        #expect(try isResumed(client, second, sessions))
        // A resumed connection brings the next ticket.
        #expect(try isResumed(client, first, sessions))
        #expect(try !isResumed(client, stranger, sessions))
    }

    @Test("A ticket serves once, and each handshake brings one")
    func singleUse() throws {
        let server = try certificates.server()
        let (client, sessions) = (try certificates.client(), SessionStore())
        #expect(try !isResumed(client, server, sessions))
        #expect(sessions.count == 1)
        // Given two connections at once with the one ticket that there is
        let pair = try (0..<2).map { _ in
            try Conversation(client, server, sessions: sessions, wires: (Wire(), Wire()))
        }
        #expect(sessions.count == 0)
        for conversation in pair { try conversation.finish() }
        #expect(pair.map { $0.client.handle.terms.isResumed } == [true, false])
        #expect(sessions.count == 1)
    }

    @Test("Tickets outlive two rotations of the keys, and no more")
    func rotation() throws {
        let tickets = try TicketKeys(at: start)
        let server = try certificates.server(tickets: tickets)
        let client = try certificates.client()
        for (rotations, resumes) in [(1, true), (2, true), (3, false)] {
            let sessions = SessionStore()
            #expect(try !isResumed(client, server, sessions))
            for _ in 0..<rotations { #expect(tickets.rotate(at: tickets.nextRotation)) }
            #expect(try isResumed(client, server, sessions) == resumes, "after \(rotations)")
            #expect(try isResumed(client, server, sessions), "by a ticket of the newest key")
        }
    }

    @Test("Keys are replaced when they are due and not before")
    func due() throws {
        let tickets = try TicketKeys(at: start)
        #expect(tickets.nextRotation == start + .seconds(3600))
        #expect(!tickets.rotate(at: start + .seconds(3599)))
        #expect(tickets.rotate(at: start + .seconds(3600)))
        #expect(tickets.nextRotation == start + .seconds(7200))
        #expect("\(tickets)" == "ticket keys (not shown)")
    }

    @Test("A session is worth nothing where more is asked of its client")
    func scopes() throws {
        let tickets = try TicketKeys(at: start)
        let anchors = try certificates.authorities()
        let contexts = [
            try certificates.server(tickets: tickets),
            try certificates.server(tickets: tickets, scope: "other"),
            try certificates.server(clients: .optional(anchors), tickets: tickets),
            try certificates.server(clients: .required(anchors), tickets: tickets),
            try certificates.server(clients: .required(anchors), allowed: ["spiffe://edge/*"], tickets: tickets),
        ]
        let client = try certificates.client(certificate: "client")
        for (first, from) in contexts.enumerated() {
            for (second, to) in contexts.enumerated() {
                let sessions = SessionStore()
                _ = try isResumed(client, from, sessions)
                #expect(try isResumed(client, to, sessions) == (first == second), "\(first) to \(second)")
            }
        }
    }

    @Test("Who a resumed client is, is still known")
    func namesOfResumed() throws {
        let server = try certificates.server(
            clients: .required(certificates.authorities()), allowed: ["spiffe://edge/*"])
        let (client, sessions) = (try certificates.client(certificate: "client"), SessionStore())
        #expect(try !isResumed(client, server, sessions))
        let conversation = try Conversation(client, server, sessions: sessions, wires: (Wire(), Wire()))
        try conversation.finish()
        #expect(conversation.server.handle.terms.isResumed)
        #expect(conversation.server.handle.peerNames.contains(.uri("spiffe://edge/web")))
    }

    @Test("A session belongs to its endpoint and to the context that verified the server")
    func destinations() throws {
        let server = try certificates.server()
        let (client, sessions) = (try certificates.client(), SessionStore())
        #expect(try !isResumed(client, server, sessions, endpoint: 1))
        #expect(try !isResumed(client, server, sessions, endpoint: 2))
        #expect(try !isResumed(certificates.client(), server, sessions, endpoint: 1))
        #expect(try isResumed(client, server, sessions, endpoint: 2))
    }

    @Test("A store keeps as many destinations as it was told, the newest")
    func bounded() throws {
        let server = try certificates.server()
        let (client, sessions) = (try certificates.client(), SessionStore(capacity: 2))
        for endpoint in 1...3 as ClosedRange<UInt64> {
            #expect(try !isResumed(client, server, sessions, endpoint: endpoint))
        }
        #expect(sessions.count == 2)
        #expect(try isResumed(client, server, sessions, endpoint: 3))
        #expect(try !isResumed(client, server, sessions, endpoint: 1))
    }

    @Test("A stream that was cut off leaves its session, one that has failed does not")
    func afterAbort() throws {
        let server = try certificates.server()
        let (client, sessions) = (try certificates.client(), SessionStore())
        do {
            let conversation = try Conversation(client, server, sessions: sessions, wires: (Wire(), Wire()))
            conversation.server.outgoing = [1]
            try run(conversation.parties) { conversation.client.received == [1] }
        }
        #expect(try isResumed(client, server, sessions))
    }
}
