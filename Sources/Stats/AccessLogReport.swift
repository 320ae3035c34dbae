/// How the access log fares: part of `GET /stats`; named and encoded as in `Report.swift`.
package struct AccessLogReport: Codable, Hashable, Sendable {
    package var path: String
    /// Lines that are whole in the file, of all files since the start.
    package var writtenTotal: UInt64
    /// Lines that are not, as the file took none or connections ended faster than lines could be written.
    package var droppedTotal: UInt64
    /// Why the file took none when it was last written to; nil where it did.
    package var fault: String?

    package init(path: String, writtenTotal: UInt64 = 0, droppedTotal: UInt64 = 0, fault: String? = nil) {
        self.path = path
        self.writtenTotal = writtenTotal
        self.droppedTotal = droppedTotal
        self.fault = fault
    }

    /// Writes `fault` as null where there is none, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encode(writtenTotal, forKey: .writtenTotal)
        try container.encode(droppedTotal, forKey: .droppedTotal)
        try container.encode(fault, forKey: .fault)
    }
}
