// The file of a roster: the names of those who belong to the fleet.
//
//     [edge-001, edge-002]          or          members: [edge-001, edge-002]
//
// YAML or JSON, read by the same stages as a config, so that its faults have the same form. An empty file is refused:
// one that was cut short while it was written must not declare the whole fleet strangers. `[]` does, for whoever means
// it. A name that stands twice is a fault as well: one of the two was meant to be another. What a name is, and how much
// there may be, is the same wherever a roster comes from.

internal import Stores

package enum RosterFile {
    private static let members = Key.texts(
        "members", of: 1...RosterNames.longest, element: "name", count: 0...RosterNames.most,
        "Names of members, as gossip knows them.")

    private static let section = Section("the roster", [members.field], shorthand: members.field)

    /// Reads a roster from a file's bytes. O(n), in the time that as many endpoints of a config take.
    ///
    /// - Parameter file: what faults call it.
    package static func parse(_ bytes: [UInt8], file: String) throws(ConfigFaults) -> Set<String> {
        var log = FaultLog(file: file)
        // Before it is parsed.
        guard bytes.count <= RosterNames.longestFile else {
            log.add("the file is larger than \(RosterNames.longestFile >> 20) MiB; a roster is smaller", at: .start)
            throw ConfigFaults(log)
        }
        let text: String
        do throws(NoUTF8) {
            text = try String(utf8: bytes)
        } catch {
            log.add(NoUTF8.message, at: error.place)
            throw ConfigFaults(log)
        }
        return try parse(text, log: log)
    }

    private static func parse(_ text: String, log: FaultLog) throws(ConfigFaults) -> Set<String> {
        var log = log
        let emptiness = "the file is empty; write [] for a roster without members"
        guard let tree = Composition.tree(of: text, emptiness: emptiness, log: &log) else { throw ConfigFaults(log) }
        var check = SchemaCheck(log: log)
        let root = check.check(tree, as: section)
        log = check.log
        var places: [String: Place] = [:]
        for member in root?[members] ?? [] {
            if let fault = RosterNames.fault(in: member.text) {
                log.add("name \(member.text.quoted) \(fault)", at: member.place)
            }
            if let first = places[member.text] {
                log.add(
                    "the name \(member.text.quoted) stands in this roster already, on line \(first.line); remove one",
                    at: member.place)
            } else {
                places[member.text] = member.place
            }
        }
        guard log.isEmpty else { throw ConfigFaults(log) }
        return Set(places.keys)
    }
}
