// The start of a process that ends with the thread that starts it.
//
// posix_spawn(3) cannot ask for that (PR_SET_PDEATHSIG is the child's own to set), and Swift cannot call fork(2). Not
// taken: setpriv of util-linux between, which is one more program that has to be there, and leaves a moment in which the
// child is nobody's.
#pragma once
#include <stdint.h>

/// Starts a program, found in PATH unless it has a slash, in a process group of its own, with every signal as it is by
/// default; it is killed when the calling thread ends, whatever ends it. Not so a program whose file gives it capabilities
/// or another user that the caller lacks: the kernel drops the request with its exec (prctl(2), PR_SET_PDEATHSIG).
///
/// - words: its arguments, the first of them its name, and NULL at the end.
/// - input: becomes its stdin; -1: /dev/null.
/// - output: becomes its stdout and stderr; -1: it has ours.
///
/// Returns its id, or -errno.
int64_t remora_start_process(const char *program, char *const words[], int input, int output);
