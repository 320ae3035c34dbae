// From a file to a configuration, or to every fault in it.

package enum ConfigFile {
    /// Larger files are refused before they are parsed. 100,000 endpoints take about 3 MiB.
    package static let mostBytes = 16 << 20

    /// Reads a config, in YAML or JSON.
    ///
    /// O(n) in the length of the text; about a second for 100,000 endpoints.
    /// - Parameters:
    ///   - file: what faults call it.
    ///   - hostName: the default of `node.name`.
    ///   - inspection: asked of the files that the config names, whatever else is wrong with it; nil: they are not looked at.
    package static func parse(
        _ text: String, file: String, hostName: String, inspection: FileInspection? = nil
    ) throws(ConfigFaults) -> Configuration {
        var log = FaultLog(file: file)
        if text.utf8.count > mostBytes {
            log.add(tooLarge, at: .start)
            throw ConfigFaults(log)
        }
        guard let tree = Composition.tree(of: text, emptiness: emptiness, log: &log) else { throw ConfigFaults(log) }
        var check = SchemaCheck(log: log)
        guard let root = check.check(tree, as: RemoraSchema.root) else { throw ConfigFaults(check.log) }
        var assembly = Assembly(hostName: hostName, log: check.log)
        let configuration = assembly.configuration(from: root)
        if let inspection { assembly.inspect(inspection) }
        guard let configuration, assembly.log.isEmpty else { throw ConfigFaults(assembly.log) }
        return configuration
    }

    /// Reads a config from a file; `-` is standard input.
    ///
    /// A file that cannot be read, is larger than ``mostBytes`` or is no UTF-8 is a fault like any other.
    package static func load(path: String, hostName: String) throws(ConfigFaults) -> Configuration {
        try parse(try text(at: path), file: path, hostName: hostName)
    }

    /// What a file holds, as ``load(path:hostName:)`` reads it.
    package static func text(at path: String) throws(ConfigFaults) -> String {
        do throws(UnreadableFile) {
            return try String(contentsOf: path, atMost: mostBytes)
        } catch {
            var log = FaultLog(file: path)
            switch error {
            case .system(let problem): log.add("the file cannot be read: \(problem); name one that can", at: .start)
            case .tooLarge: log.add(tooLarge, at: .start)
            case .notUTF8(let place): log.add(NoUTF8.message, at: place)
            }
            throw ConfigFaults(log)
        }
    }

    private static let emptiness = "the file is empty; a config has at least one listener, and an upstream for it"
    private static let tooLarge = "the file is larger than \(mostBytes >> 20) MiB; a config is smaller"
}
