import GossipWire
import Testing

@Suite("Keyring")
struct KeyringTests {
    @Test("A key is changed without a packet lost")
    func rotation() throws {
        let (old, new) = (try ScriptedCipher(key: keyOf16), try ScriptedCipher(key: keyOf32))
        var a = try Layers(key: keyOf16)
        var b = try Layers(key: keyOf16)
        func understandEachOther() throws {
            #expect(try a.unwrapped(b.wrapped([8, 1])) == [8, 1])
            #expect(try b.unwrapped(a.wrapped([8, 2])) == [8, 2])
        }
        try a.keyring?.add(new)
        try understandEachOther()
        try b.keyring?.add(new)
        try a.keyring?.use(new)
        try understandEachOther()
        try b.keyring?.use(new)
        try a.keyring?.remove(old)
        try understandEachOther()
        try b.keyring?.remove(old)
        try understandEachOther()
        var late = try Layers(key: keyOf16)
        let datagram = try a.wrapped([8, 3])
        #expect(throws: LayerFault.noKeyOpens) { try late.unwrapped(datagram) }
    }

    @Test("The first key seals, and keys are tried in their order")
    func order() throws {
        let keys = try (1...3).map { try ScriptedCipher(key: [UInt8](repeating: $0, count: 16)) }
        var ring = Keyring(primary: keys[0])
        try ring.add(keys[1])
        try ring.add(keys[2])
        #expect(identities(ring.ciphers) == identities(keys))
        try ring.use(keys[2])
        #expect(ring.primary === keys[2])
        #expect(identities(ring.ciphers) == identities([keys[2], keys[0], keys[1]]))
        try ring.remove(keys[0])
        #expect(identities(ring.ciphers) == identities([keys[2], keys[1]]))
    }

    @Test("A key is known by its bytes, and adding it again changes nothing")
    func again() throws {
        var ring = Keyring(primary: try ScriptedCipher(key: keyOf16))
        try ring.add(ScriptedCipher(key: keyOf16))
        #expect(ring.ciphers.count == 1)
    }

    @Test("What cannot be is refused, and changes nothing")
    func refusals() throws {
        var ring = Keyring(primary: try ScriptedCipher(key: keyOf16))
        #expect(throws: KeyringFault.primaryKey) { try ring.remove(ScriptedCipher(key: keyOf16)) }
        #expect(throws: KeyringFault.unknownKey) { try ring.remove(ScriptedCipher(key: keyOf32)) }
        #expect(throws: KeyringFault.unknownKey) { try ring.use(ScriptedCipher(key: keyOf32)) }
        for byte in 1..<UInt8(Keyring<ScriptedCipher>.bound) {
            try ring.add(ScriptedCipher(key: [UInt8](repeating: byte, count: 24)))
        }
        #expect(ring.ciphers.count == Keyring<ScriptedCipher>.bound)
        #expect(throws: KeyringFault.full) { try ring.add(ScriptedCipher(key: keyOf32)) }
        #expect(ring.ciphers.count == Keyring<ScriptedCipher>.bound)
    }
}

private func identities(_ ciphers: [ScriptedCipher]) -> [ObjectIdentifier] { ciphers.map(ObjectIdentifier.init) }
