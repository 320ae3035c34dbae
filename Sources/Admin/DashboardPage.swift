// `GET /`: the dashboard, one page that needs nothing but this port.
//
// The page holds no data: it asks for everything with the token that its reader gives it and that stays in the browser's
// tab. So where a token is missing the answer is 401, as everywhere, and its body is the page, which asks for the token: a
// browser shows it, where a bare 401 would be the end.
//
// Names come from other machines. Beside showing them as text only, the page is under a policy that runs no script
// without this answer's nonce, loads nothing, asks nobody but this port, and lets no other page frame it.

import FlyingFox
import Foundation

struct DashboardPage: Sendable {
    /// The page around its nonces.
    private let pieces: [String]

    /// - Parameter asksForToken: whether data is behind a token.
    init(asksForToken: Bool) {
        let page = Self.text(PackageResources.page_html)
            .replacing("{{style}}", with: Self.text(PackageResources.style_css))
            .replacing("{{script}}", with: Self.text(PackageResources.script_js))
            .replacing("{{locked}}", with: asksForToken ? "true" : "false")
        pieces = page.split(separator: "{{nonce}}", omittingEmptySubsequences: false).map(String.init)
    }

    func response(_ status: HTTPStatusCode) -> HTTPResponse {
        var random = SystemRandomNumberGenerator()
        let nonce = (0..<2).map { _ in String(random.next(), radix: 36) }.joined()
        var response = HTTPResponse.answer(
            status, type: "text/html; charset=utf-8", Data(pieces.joined(separator: nonce).utf8))
        response.headers[HTTPHeader("Content-Security-Policy")] =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            + "require-trusted-types-for 'script'"
        response.headers[HTTPHeader("Referrer-Policy")] = "no-referrer"
        return response
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
