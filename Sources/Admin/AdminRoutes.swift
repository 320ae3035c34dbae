// What the admin port answers, path by path, behind one gate.
//
// A table, not FlyingFox's pattern routes: paths here are few, exact and without
// parameters, and the table also answers what it cannot match: 405 with the
// methods there are, 404 with the paths there are.

import FlyingFox
import Foundation
internal import Stats

struct AdminRoute: Sendable {
    var path: String
    /// HEAD is answered wherever GET is.
    var method: HTTPMethod = .GET
    var answer: @Sendable (HTTPRequest) async throws -> HTTPResponse
    /// The body of the 401 for whoever bears no token; nil: a line that says what is missing.
    var locked: (@Sendable () -> HTTPResponse)?

    init(
        path: String, method: HTTPMethod = .GET, locked: (@Sendable () -> HTTPResponse)? = nil,
        answer: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) {
        (self.path, self.method) = (path, method)
        (self.locked, self.answer) = (locked, answer)
    }
}

struct AdminRoutes: HTTPHandler {
    private let gate: AdminGate
    private let table: [AdminRoute]

    init(gate: AdminGate, table: [AdminRoute]) {
        self.gate = gate
        self.table = table
    }

    /// - Parameter request: any; what is not allowed, not there or goes wrong is an answer too.
    func handleRequest(_ request: HTTPRequest) async -> HTTPResponse {
        let refusal = gate.refusal(
            host: request.headers[.host], origin: request.headers[HTTPHeader("origin")],
            authorization: request.headers[.authorization], fetch: FetchMetadata(request))
        let path = request.target.path()
        let method = request.method == .HEAD ? .GET : request.method
        if let refusal {
            let page = refusal.isOfToken ? table.first { $0.path == path && $0.method == method }?.locked : nil
            return .refusing(refusal, with: page?())
        }
        let matches = table.filter { $0.path == path }
        guard let route = matches.first(where: { $0.method == method }) else {
            return matches.isEmpty ? notFound(path) : notAllowed(matches)
        }
        do {
            return try await route.answer(request)
        } catch is ReportDesk.Busy {
            return .text(.serviceUnavailable, "\(ReportDesk.depth) reports are being waited for already; ask again")
        } catch {
            return .text(.internalServerError, "\(path) failed: \(error)")
        }
    }

    private func notFound(_ path: String) -> HTTPResponse {
        var paths: [String] = []
        for route in table where !paths.contains(route.path) { paths.append(route.path) }
        return .text(.notFound, "nothing at \(path); there are \(paths.joined(separator: ", "))")
    }

    private func notAllowed(_ routes: [AdminRoute]) -> HTTPResponse {
        let methods = routes.flatMap { $0.method == .GET ? [.GET, .HEAD] : [$0.method] }.map(\.rawValue)
        let allowed = methods.joined(separator: ", ")
        var response = HTTPResponse.text(.methodNotAllowed, "\(routes[0].path) takes \(allowed)")
        response.headers[HTTPHeader("Allow")] = allowed
        return response
    }
}

extension FetchMetadata {
    fileprivate init(_ request: HTTPRequest) {
        self.init(
            site: request.headers[HTTPHeader("sec-fetch-site")], mode: request.headers[HTTPHeader("sec-fetch-mode")])
    }
}

// MARK: - The paths there are

extension AdminRoutes {
    /// The paths of a running remora; what comes later adds a line here.
    /// - Parameter asksForToken: whether the gate does.
    static func table(for source: AdminSource, asksForToken: Bool) -> [AdminRoute] {
        let desk = ReportDesk()
        let page = DashboardPage(asksForToken: asksForToken)
        return [
            AdminRoute(path: "/", locked: { page.response(.unauthorized) }) { _ in page.response(.ok) },
            AdminRoute(path: "/stats") { _ in
                try await .json(desk.report { try ReportJSON.encode(source.stats()) })
            },
            AdminRoute(path: "/listeners") { _ in
                try await .json(desk.report { try ReportJSON.encode(["listeners": source.stats().listeners]) })
            },
            AdminRoute(path: "/upstreams") { _ in
                try await .json(
                    desk.report { try ReportJSON.encode(UpstreamsReport(upstreams: source.stats().upstreams)) })
            },
            AdminRoute(path: "/members") { _ in
                try await .json(desk.report { try ReportJSON.encode(MembersReport(members: source.members())) })
            },
            AdminRoute(path: "/explain") { request in
                guard let (subject, name) = ExplanationReport.Subject.asked(of: request.query) else {
                    return .text(
                        .badRequest, "ask for one thing: /explain, /explain?member=NAME or /explain?upstream=NAME")
                }
                let body = try await desk.report {
                    guard var report = source.explain(subject, name) else { return Data() }
                    (report.changes, report.coversSeconds) = source.events.changes(of: subject, name)
                    return try ReportJSON.encode(report)
                }
                guard !body.isEmpty else {
                    let kind = subject.rawValue
                    return .text(.notFound, "there is no \(kind) of that name; /\(kind)s lists them")
                }
                return .json(body)
            },
            AdminRoute(path: "/config") { _ in
                try await .json(desk.report { Data(source.configuration().utf8) })
            },
            AdminRoute(path: "/metrics") { _ in
                let (ready, live) = (source.readiness().ready, source.liveness().live)
                let body = try await desk.report {
                    Data(Metrics(source.stats(), isReady: ready, isLive: live).text.utf8)
                }
                return .answer(.ok, type: Exposition.contentType, body)
            },
            AdminRoute(path: "/events") { request in
                if request.query.contains(where: { $0.name == "recent" }) {
                    return try await .json(desk.report { try ReportJSON.encode(source.events.recent()) })
                }
                guard let events = source.events.listen() else {
                    return .text(
                        .serviceUnavailable, "\(EventHub.listeners) clients listen to events already; end one of them")
                }
                return .events(events)
            },
            AdminRoute(path: "/live") { _ in
                let (live, line) = source.liveness()
                return .text(live ? .ok : .serviceUnavailable, line)
            },
            AdminRoute(path: "/ready") { _ in
                let (ready, line) = source.readiness()
                return .text(ready ? .ok : .serviceUnavailable, line)
            },
            AdminRoute(path: "/log-level", method: .POST) { request in
                guard request.query.count == 1, request.query[0].name == "level",
                    source.setLogLevel(request.query[0].value)
                else {
                    let choices = source.logLevels.map { "/log-level?level=\($0)" }
                    return .text(.badRequest, "ask for one of: \(choices.joined(separator: ", "))")
                }
                return .text(.ok, "the log level is \(request.query[0].value)")
            },
        ] + commands(for: source)
    }

    /// What is asked for by POST alone: a page that somebody looks at, or fetches ahead, changes nothing.
    private static func commands(for source: AdminSource) -> [AdminRoute] {
        AdminCommand.allCases.map { command in
            AdminRoute(path: "/\(command.rawValue)", method: .POST) { _ in
                let report = await source.command(command)
                return .json(try ReportJSON.encode(report), status: HTTPStatusCode(report.outcome))
            }
        }
    }
}

extension HTTPStatusCode {
    fileprivate init(_ outcome: CommandReport.Outcome) {
        switch outcome {
        case .done: self = .ok
        case .refused: self = .unprocessableContent
        case .unavailable: self = .serviceUnavailable
        }
    }
}

extension ExplanationReport.Subject {
    /// The one thing that a query asks for; the node itself where it asks for nothing.
    fileprivate static func asked(of query: [HTTPRequest.QueryItem]) -> (Self, name: String)? {
        guard !query.isEmpty else { return (.node, "") }
        guard query.count == 1, let subject = Self(rawValue: query[0].name), subject != .node, !query[0].value.isEmpty
        else { return nil }
        return (subject, query[0].value)
    }
}

// MARK: - Answers

extension HTTPResponse {
    /// One line of text; line ends within it become spaces.
    static func text(_ status: HTTPStatusCode, _ line: String) -> HTTPResponse {
        let line = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        return answer(status, type: "text/plain; charset=utf-8", Data("\(line)\n".utf8))
    }

    static func json(_ body: Data, status: HTTPStatusCode = .ok) -> HTTPResponse {
        answer(status, type: "application/json", body)
    }

    static func events(_ events: AsyncStream<EventHub.Numbered>) -> HTTPResponse {
        answer(
            .ok, type: "text/event-stream",
            HTTPBodySequence(
                from: EventBody(events: events), suggestedBufferSize: AdminConnection.pieceBytes))
    }

    /// - Parameter page: what to say it with.
    static func refusing(_ refusal: AdminGate.Refusal, with page: HTTPResponse? = nil) -> HTTPResponse {
        switch refusal {
        case .foreignHost, .foreignOrigin, .foreignPage:
            return .text(.forbidden, refusal.explanation)
        case .tokenMissing, .tokenWrong:
            var response = page ?? HTTPResponse.text(.unauthorized, refusal.explanation)
            response.headers[HTTPHeader("WWW-Authenticate")] = "Bearer realm=\"remora\""
            return response
        }
    }

    static func refusing(_ fault: MessageFault) -> HTTPResponse {
        let status: HTTPStatusCode =
            switch fault {
            case .malformed: .badRequest
            case .headTooLong: .requestHeaderFieldsTooLarge
            case .bodyTooLong: .payloadTooLarge
            case .transferEncoding: .notImplemented
            case .version: .httpVersionNotSupported
            case .tooSlow: .requestTimeout
            }
        return .text(status, fault.explanation)
    }

    static func answer(_ status: HTTPStatusCode, type: String, _ body: Data) -> HTTPResponse {
        answer(
            status, type: type, HTTPBodySequence(data: body, suggestedBufferSize: AdminConnection.pieceBytes))
    }

    private static func answer(_ status: HTTPStatusCode, type: String, _ body: HTTPBodySequence) -> HTTPResponse {
        HTTPResponse(
            statusCode: status,
            headers: [
                .contentType: type,
                .cacheControl: "no-store",
                HTTPHeader("X-Content-Type-Options"): "nosniff",
                HTTPHeader("Cross-Origin-Resource-Policy"): "same-origin",
            ],
            body: body)
    }
}
