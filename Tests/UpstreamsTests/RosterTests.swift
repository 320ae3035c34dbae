import Testing

@testable import Upstreams

@Suite("The roster")
struct RosterTests {
    @Test("It lists the names it was given, and no other spelling of one")
    func spellings() {
        let roster = Roster(["a", "caf\u{E9}"])
        #expect(roster.lists("a") && roster.lists("caf\u{E9}"))
        #expect(!roster.lists("b") && !roster.lists("cafe\u{301}"))
    }
}
