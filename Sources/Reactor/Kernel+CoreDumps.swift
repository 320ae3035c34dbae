// Keeping keys out of core dumps.
//
// A private key lies in memory for as long as the process runs, so whoever gets a dump of it has the key. Two things are
// done, since neither does it alone. A limit of zero keeps the kernel from writing a file, but not from handing the dump
// to a program (`|` in core_pattern(5), as systemd-coredump has it). An undumpable process (prctl(2)) is handed to
// nobody, nor may others of its user trace it or read its memory; but a program that it starts is dumpable again, and the
// limit is what that one inherits. What is paid: gdb, strace and perf need root, or CAP_SYS_PTRACE, and the files under
// /proc/PID become root's. Those that anybody may read (stat, status, cmdline) stay so, and a process may still look at
// its own descriptors.
//
// Not taken: madvise(MADV_DONTDUMP) for the pages of keys, which OpenSSL copies to places of its own. Nor is it an
// option: who must have a dump takes the keys out of the config first.

internal import CEpoll

extension Kernel {
    /// From now on and for good, nothing dumps this process's memory. To be called before the first key is read.
    /// - Throws: where the kernel refuses; then no key is to be read.
    package static func forbidCoreDumps() throws(SystemError) {
        try Outcome(remora_forbid_core_dumps()).get()
    }

    /// Whether the kernel would dump this process's memory, but for the limit of its size.
    package static var isDumpable: Bool { remora_is_dumpable() != 0 }
}
