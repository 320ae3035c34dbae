// Listening sockets that stop for a while, and what others may do with their address meanwhile.

import Testing
import Vocabulary

@testable import Reactor

@Suite("Listening")
struct ListeningTests {
    @Test("A socket that could not listen again keeps its address from strangers still")
    func listenAgainFails() throws {
        // Given two sockets on one address, both bound before either listens, of which the other then does
        let socket = try Kernel.bind(.ipv4(.loopback, port: 0), sharingPort: false)
        defer { Kernel.close(socket) }
        let address = try #require(Kernel.localAddress(of: socket))
        let other = try Kernel.bind(address, sharingPort: false)
        try Kernel.listen(other)
        // When this one cannot
        #expect(throws: SystemError.addressInUse) { try Kernel.listenAgain(socket) }
        Kernel.close(other)
        // Then nobody else comes in between, and it can later
        #expect(throws: SystemError.addressInUse) {
            Kernel.close(try Kernel.bind(address, sharingPort: false))
        }
        try Kernel.listenAgain(socket)
        #expect(Kernel.isListening(socket))
    }
}
