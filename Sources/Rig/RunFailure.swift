/// What kept a run from showing anything, in words for whoever started it.
package struct RunFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}
