// The one place that says which remora this is: `--version` and `GET /stats` both read it.

package enum Version {
    package static let current = "0.1.0"
}
