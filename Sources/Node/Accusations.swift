// Who accused a member, on what evidence, and what came of it, in sentences.
//
// The same words stand in the log, in `GET /events`, on `GET /members` and in `remora explain member`. What is kept longer
// than a moment has no ages in it: "3 s ago" is true once. `explain` is asked at a moment, and adds them.

import Gossip
import Vocabulary

extension Provenance {
    /// One sentence without ages: who accused it, and what came of that.
    /// - Parameter own: this node's name, which is "this node" to its own log.
    func summary(own: String) -> String {
        var clauses: [String] = []
        if let first = accusations.first {
            clauses.append("\(first.who(own)) accused it: \(first.evidence.words(ofOwn: first.isOwn(own)))")
            let confirmers = accusations.dropFirst().map { $0.who(own) }
            if !confirmers.isEmpty { clauses.append("\(confirmers.inWords) confirmed that") }
        }
        switch outcome {
        case .open: break
        case .cleared: clauses.append("it answered, and is alive")
        case .died(let by, _): clauses.append("\(by.who(own)) declared it dead")
        }
        return clauses.joined(separator: "; ") + "."
    }

    /// The whole story, a sentence a step, each with its age.
    func story(own: String, at now: Instant) -> [String] {
        var sentences = accusations.enumerated().map { number, accuser in
            let verb = number == 0 ? "accused it of being dead" : "confirmed that"
            let evidence = accuser.evidence.words(ofOwn: accuser.isOwn(own))
            return "\(accuser.who(own).capitalisedFirst) \(verb) \(accuser.time.ago(at: now)): \(evidence)."
        }
        switch outcome {
        case .open(let deadline):
            let left = max(.zero, deadline - now)
            sentences.append("Unless it answers, this node gives it up in \(left.inWords).")
        case .cleared(let time):
            sentences.append("It answered \(time.ago(at: now)), with a higher incarnation, and is alive.")
        case .died(let by, let time):
            let how = accusations.isEmpty ? ", without a suspicion that this node knew of" : ""
            sentences.append("\(by.who(own).capitalisedFirst) declared it dead \(time.ago(at: now))\(how).")
        }
        return sentences
    }
}

extension Accuser {
    fileprivate func isOwn(_ own: String) -> Bool { name.utf8.elementsEqual(own.utf8) }
    fileprivate func who(_ own: String) -> String { name.who(own) }
}

extension String {
    fileprivate func who(_ own: String) -> String { utf8.elementsEqual(own.utf8) ? "this node" : self }

    /// Only our own words begin a sentence in another way: a member's name stays as it is.
    fileprivate var capitalisedFirst: String { self == "this node" ? "This node" : self }
}

extension Evidence {
    /// What the accusation rests on; goes on after a colon.
    /// - Parameter isOwn: whether this node accuses.
    fileprivate func words(ofOwn isOwn: Bool) -> String {
        switch self {
        case .probe(let asked, let nacks, let streamTried):
            var words = "its ping got no answer"
            switch asked {
            case 0: words += ", and there was nobody to ask for help"
            case 1: words += ", nor did one member that was asked to ping it"
            default: words += ", nor did \(asked) members that were asked to ping it"
            }
            if asked > 0 { words += " (\(nacks) of \(asked) said so)" }
            return words + (streamTried ? ", nor did a ping by TCP" : "")
        case .gossip: return isOwn ? "this node said so itself, and was told of it" : "gossip brought the word"
        case .pushPull(let peer):
            return peer.map { "the view of \($0) had it for suspect or dead" }
                ?? "a peer's view had it for suspect or dead"
        }
    }
}

extension [String] {
    /// "a", "a and b", "a, b and c".
    var inWords: String {
        guard let last else { return "" }
        return count == 1 ? last : dropLast().joined(separator: ", ") + " and " + last
    }
}

extension Instant {
    /// How long ago this was; never of the future.
    func ago(at now: Instant) -> String { "\(max(.zero, now - self).inWords) ago" }
}
