// The keys of what a fleet tells of itself and of what is made of it: services, the roster, outliers.

internal import HealthChecks
internal import Stores
internal import Upstreams
internal import Vocabulary

extension RemoraSchema {
    enum Telemetry {
        static let bytesPerSecond = Key.size(
            "bytes_per_second", ByteCount(0) ... .mebibytes(1), or: .read("2KiB"),
            "What this node sends of load reports, at least 1KiB; 0B: nothing.")

        static let section = Section("telemetry", [bytesPerSecond.field])
    }

    enum Roster {
        static let file = Key.path("file", "A YAML file with a list of members' names; watched.")
        static let etcd = Key.section("etcd", Etcd.section, or: .none, "A key per member in etcd; watched.")

        static let section = Section("roster", [file.field, etcd.field], alternatives: [[file.field, etcd.field]])
    }

    enum Etcd {
        static let endpoints = Key.origins(
            "endpoints", count: 1...16, element: "endpoint", or: .refused, "Where etcd answers; tried in turn.")
        static let prefix = Key.keyPrefix(
            "prefix", or: .read("/remora/roster/"), "What each key begins with; a member's name follows.")
        static let username = Key.text("username", 1...255, "Whom this node is to etcd. Default: nobody.")
        static let passwordFile = Key.path("password_file", "The file with that user's password.")
        static let ca = Key.path("ca", "PEM file of authorities for https. Default: the system's.")
        static let certificate = Key.path("certificate", "PEM file of this node's certificate. Default: none.")
        static let key = Key.path("key", "PEM file of the certificate's key.")

        static let section = Section(
            "etcd",
            [
                endpoints.field, prefix.field, username.field, passwordFile.field, ca.field, certificate.field,
                key.field,
            ],
            companions: [
                Companion(username.field, needs: passwordFile.field),
                Companion(passwordFile.field, needs: username.field),
                Companion(certificate.field, needs: key.field),
                Companion(key.field, needs: certificate.field),
            ])
    }

    enum Service {
        static let name = Key.name("name", "What the fleet calls it: its tag is svc.NAME; unique among services.")
        static let address = Key.address("address", portZero: false, "Where the local instance listens.")
        static let advertise = Key.peer(
            "advertise", portZero: false, or: .none,
            "Where others reach it. Default: its inbound listener, else the node's address with the instance's port.")
        static let weight = Key.weight(
            "weight", or: .read(String(Weight.standard.value)), "Its share of the traffic relative to its peers.")
        static let health = Key.section(
            "health", Health.section, or: .none,
            "How the instance is asked whether it is well. Default: none, it counts as passing.")

        static let section = Section(
            "a service", [name.field, address.field, advertise.field, weight.field, health.field])
    }

    enum Health {
        private static let checks = 1...100

        static let http = Key.requestPath("http", "The path that is to answer with a status of 200 to 299.")
        static let tcp = Key.mark("tcp", "That a connection is accepted is enough.")
        static let interval = Key.duration(
            "interval", .milliseconds(100) ... .seconds(3_600), or: .read("2s"), "Between the beginnings of two checks."
        )
        static let timeout = Key.duration(
            "timeout", .milliseconds(10) ... .seconds(60), or: .read("500ms"),
            "How long a check may take; no longer than interval.")
        static let fall = Key.integer(
            "fall", checks, or: .read("3"), "Failed checks in a row after which the service is failing.")
        static let rise = Key.integer(
            "rise", checks, or: .read("2"), "Passed checks in a row after which it is passing again.")

        static let section = Section(
            "health", [http.field, tcp.field, interval.field, timeout.field, fall.field, rise.field],
            alternatives: [[http.field, tcp.field]])
    }

    enum Members {
        static let tags = Key.table(
            "tags", entries: 64, text: 0...255,
            "The tags that a member bears to be an endpoint. Default: none, any member.")
        static let port = Key.integer("port", 1...65_535, or: .refused, "The endpoint's port, at the member's address.")

        static let section = Section("members", [tags.field, port.field])
    }

    enum Outlier {
        static let consecutiveFailures = Key.integer(
            "consecutive_failures", 1...1_000_000, or: .read("5"),
            "Time-outs and early resets in a row, without an answer between them.")
        static let failurePercent = Key.integer(
            "failure_percent", 1...100, or: .read("10"),
            "Of the connections of an interval; 100: never for this.")
        static let interval = Key.duration(
            "interval", .seconds(1) ... .seconds(3_600), or: .read("30s"),
            "What failure_percent is counted over.")
        static let ejection = Key.duration(
            "ejection", .seconds(1) ... .seconds(86_400), or: .read("60s"),
            "How long the first ejection lasts; each further one is longer by as much.")
        static let maxEjectedPercent = Key.integer(
            "max_ejected_percent", 0...100, or: .read("50"),
            "Of an upstream's endpoints at once.")

        static let section = Section(
            "outlier",
            [
                consecutiveFailures.field, failurePercent.field, interval.field, ejection.field,
                maxEjectedPercent.field,
            ])
    }
}
