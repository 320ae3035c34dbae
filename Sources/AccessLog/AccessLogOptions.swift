/// Where the access log goes, and what it looks like.
package struct AccessLogOptions: Hashable, Sendable {
    package enum Format: String, CaseIterable, Sendable {
        /// A JSON object in each line.
        case json
        /// `key=value` in each line, the time first.
        case text
    }

    /// A file, which is made where there is none, a FIFO, `/dev/stdout` or `/dev/stderr`.
    package var path: String
    package var format: Format
    /// The part of all connections that have a line, 0 to 1; how they end makes no difference.
    package var sample: Double

    package init(path: String, format: Format = .json, sample: Double = 1) {
        self.path = path
        self.format = format
        self.sample = sample
    }
}
