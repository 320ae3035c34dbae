import Testing

@testable import Stores

@Suite("Keys below a prefix")
struct EtcdRosterViewTests {
    private func key(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("Puts and deletes make the names; what is no name is counted")
    func names() throws {
        var view = EtcdRosterView(prefix: "/r/")
        for text in ["/r/a", "/r/b", "/r/a", "/r/x/y", "/r/", "/r/x/y", "/r/tab\t"] { try view.put(key(text)) }
        try view.put(key("/r/") + [0xFF])
        #expect(view.names == ["a", "b"])
        #expect(view.count == 6)
        for text in ["/r/a", "/r/never", "/r/x/y"] { try view.delete(key(text)) }
        #expect(view.names == ["b"] && view.count == 4)
    }

    @Test("Of two spellings of one text only the composed one is a name, and both are counted as the keys they are")
    func spellings() throws {
        var view = EtcdRosterView(prefix: "/r/")
        for text in ["/r/caf\u{E9}", "/r/cafe\u{301}"] { try view.put(key(text)) }
        #expect(view.count == 2 && view.names.map { Array($0.utf8) } == [key("caf\u{E9}")])
        try view.delete(key("/r/cafe\u{301}"))
        #expect(view.names.count == 1 && view.count == 1)
    }

    @Test("A key beside the prefix is nobody's")
    func foreign() {
        var view = EtcdRosterView(prefix: "/r/")
        #expect(throws: EtcdRosterView.Fault.foreignKey) { try view.put(key("/q/a")) }
        #expect(throws: EtcdRosterView.Fault.foreignKey) { try view.put(key("/r")) }
        #expect(throws: EtcdRosterView.Fault.foreignKey) { try view.delete(key("/s/a")) }
        #expect(view.count == 0)
    }

    @Test("65,536 keys are a roster, one more is a fault")
    func bound() throws {
        var view = EtcdRosterView(prefix: "")
        for number in 0..<RosterNames.most { try view.put(key(number.isMultiple(of: 2) ? "n\(number)" : "/\(number)")) }
        #expect(throws: EtcdRosterView.Fault.tooMany) { try view.put(key("more")) }
    }

    @Test("A range ends where the prefix does")
    func end() {
        #expect(EtcdRosterView.end(of: key("/r/")) == key("/r0"))
        #expect(EtcdRosterView.end(of: [0x61, 0xFF, 0xFF]) == [0x62])
        #expect(EtcdRosterView.end(of: [0xFF]) == [0])
        #expect(EtcdRosterView.end(of: []) == [0])
    }
}
