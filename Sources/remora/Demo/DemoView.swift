// What the nodes with clients say of another node's endpoints, as a value: all of them, or nothing. One that does not
// answer has not said that an endpoint is gone.

import Stats

struct DemoView {
    /// By caller; those that it knows of.
    private let endpoints: [[DemoSubject: EndpointReport]]

    /// - Parameters:
    ///   - reports: of all callers; nil of one that has not answered.
    ///   - node: whose endpoints are looked for.
    /// - Returns: nil where somebody has not answered.
    init?(of node: Int, _ reports: [UpstreamsReport?]) {
        let answers = reports.compactMap(\.self)
        guard answers.count == reports.count else { return nil }
        endpoints = answers.map { report in
            var found: [DemoSubject: EndpointReport] = [:]
            for subject in DemoSubject.allCases {
                let upstream = report.upstreams.first { $0.name == subject.upstream }
                found[subject] = upstream?.endpoints.first { $0.member == DemoPlaces.name(node) }
            }
            return found
        }
    }

    /// Whether every caller knows both of its endpoints.
    var isWhole: Bool { endpoints.allSatisfy { $0.count == DemoSubject.allCases.count } }

    var isFitToNobody: Bool { !states.contains("fit") }

    /// All that they are to anybody.
    var states: Set<String> { Set(endpoints.flatMap { $0.values.map(\.state) }) }

    /// Those of all callers to one of its endpoints.
    func connections(of subject: DemoSubject) -> Int { endpoints.compactMap { $0[subject]?.connections }.reduce(0, +) }

    /// Nil where this caller knows of none.
    func endpoint(of subject: DemoSubject, at caller: Int) -> EndpointReport? { endpoints[caller][subject] }
}
