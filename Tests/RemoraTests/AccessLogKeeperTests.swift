// What the access log's thread makes of orders that reach it together, and ends of keepers that never began.

import AccessLog
import Foundation
import Logging
import Proxy
import Reactor
import TLS
import Testing
import Upstreams
import Vocabulary

@testable import Admin
@testable import Node

@Suite("Keepers' ends and beginnings")
struct AccessLogKeeperTests {
    /// A data plane without listeners, which ends with `body`.
    private func withPlane(_ body: (DataPlane) throws -> Void) throws {
        let cells = LoadCells(capacity: 8)
        let discovery = try Discovery(upstreams: [], cells: cells, at: Kernel.now())
        let plane = try DataPlane(
            listeners: [], upstreams: discovery.current, cells: cells, workers: 1,
            limits: ProxyLimits(descriptors: 1024), seed: 1, noticesArrived: {})
        defer { plane.end() }
        try body(plane)
    }

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("A file that comes with a config and is asked for anew at once is opened anew")
    func adoptAndReopen() throws {
        let directory = try TestDirectory()
        let path = "\(directory.path)/access.log"
        try withPlane { plane in
            let keeper = AccessLogKeeper(nil, plane: plane, logger: logger)
            // Given both orders before the thread has seen one
            keeper.adopt(try OpenAccessLog(AccessLogOptions(path: path)))
            try FileManager.default.moveItem(atPath: path, toPath: "\(path).1")
            keeper.reopen()
            // When it sees them
            keeper.start()
            keeper.end()
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("A file that was to be opened anew before another came is left alone")
    func reopenAndAdopt() throws {
        let directory = try TestDirectory()
        let paths = ["\(directory.path)/a.log", "\(directory.path)/b.log"]
        try withPlane { plane in
            let keeper = AccessLogKeeper(
                try OpenAccessLog(AccessLogOptions(path: paths[0])), plane: plane, logger: logger)
            keeper.reopen()
            keeper.adopt(try OpenAccessLog(AccessLogOptions(path: paths[1])))
            for path in paths { try FileManager.default.removeItem(atPath: path) }
            keeper.start()
            keeper.end()
            for path in paths { #expect(!FileManager.default.fileExists(atPath: path), "\(path)") }
        }
    }

    @Test("Watching certificates that never began is not waited for")
    func certificates() throws {
        let keeper = try CertificateKeeper(TLSOptions(), events: EventHub(), logger: logger)
        let begin = Kernel.now()
        keeper.stop()
        // It would be given a second.
        #expect(Kernel.now() - begin < .milliseconds(900))
    }
}
