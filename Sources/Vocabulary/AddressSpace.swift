// Address space reserved once and resident as it is used: slabs, counters and load cells lie in it, so that none of them
// ever moves while a thread reads it.
//
// A refusal ends the process. It comes where a process starts, before there is anything to lose, and from settings that
// only an operator can change; to pass it up through every initialiser would help nobody.

import Glibc

/// Anonymous memory that is zero, and takes room page by page as it is touched.
package enum AddressSpace {
    /// Reserves at least one page. Where the kernel refuses, the process ends with exit code 70 and says what to change.
    /// - Parameter purpose: what it is for, in a few words for the operator.
    /// - Returns: page-aligned; to be given back to ``release(_:bytes:)`` with the same size.
    package static func reserve(bytes: Int, for purpose: StaticString) -> UnsafeMutableRawPointer {
        let mapping = unsafe mmap(
            nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            refuse(bytes, purpose, errno)
        }
        return unsafe mapping
    }

    package static func release(_ memory: UnsafeMutableRawPointer, bytes: Int) {
        unsafe munmap(memory, max(bytes, 1))
    }

    private static func refuse(_ bytes: Int, _ purpose: StaticString, _ reason: Int32) -> Never {
        let text = """
            remora: error: the kernel refuses \(bytes) bytes of address space for \(purpose) (errno \(reason)); \
            raise the limit on address space (ulimit -v), or set vm.overcommit_memory to 0 or 1: \
            it is reserved, and takes memory only as it is used

            """
        unsafe text.utf8CString.withUnsafeBufferPointer { unsafe _ = write(2, $0.baseAddress, $0.count - 1) }
        exit(70)
    }
}
