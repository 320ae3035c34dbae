// `remora demo`: a small fleet on this machine, and what becomes of its requests while nodes fall ill, die and drain.
//
//     this process: story, clients, instances ──► remoras n1 … n6: `remora run --config -`, a process each
//
// The remoras are started as an operator would start them, and asked at their admin ports; nothing of the demo is in
// them. They end with this process, even if it is killed (``ChildProcess``, which names the one exception), and leave no
// file.

import ArgumentParser
import Reactor
import Rig
import Vocabulary

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a small fleet on loopback, and tell what becomes of its requests while nodes fail.",
        discussion: """
            Needs no config and no rights: six remoras, tiny services beside them, and the same requests balanced by \
            the fleet's load and by round robin. A story of a minute, of what is seen, and then traffic until Ctrl-C.

            Ends with 70 where something that is told of every time was not seen, or a request failed that should not; \
            with 73 where it cannot listen.
            """)

    @Option(help: ArgumentHelp("End by itself after so many seconds, 20 or more.", valueName: "N"))
    var seconds: Int?

    func validate() throws {
        if let seconds, seconds < Int(DemoPace.shortest.components.seconds) {
            throw ValidationError(
                "--seconds \(seconds) is too short for the story; write \(DemoPace.shortest.components.seconds) or more"
            )
        }
    }

    func run() async throws {
        _ = Kernel.raiseDescriptorLimit()
        let screen = DemoScreen()
        do {
            try await RunningProcesses.with(
                interrupted: { _ in
                    screen.say("All that was started has ended.")
                    return 0
                }
            ) { processes in
                var story = DemoStory(
                    try DemoFleet(processes), on: screen, length: seconds.map { .seconds($0) })
                try await story.play()
            }
        } catch {
            screen.show([])
            StandardStreams.complain("error: \(error)")
            throw (error is DemoFleet.NoPlace ? ExitStatus.cannotCreate : .broken).code
        }
        screen.say("All that was started has ended.")
    }
}
