#include "cepoll.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int64_t remora_accept(int fd) {
    return remora_result(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int64_t remora_pipe(int ends[2], int capacity) {
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -(int64_t)errno;
    int size = fcntl(ends[1], F_SETPIPE_SZ, capacity);
    if (size >= capacity) return size;
    int failure = errno;
    close(ends[0]);
    close(ends[1]);
    return -(int64_t)failure;
}

int64_t remora_splice(int from, int into, size_t count, int more) {
    return remora_result(
        splice(from, NULL, into, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0)));
}

static int signal_pipe_end = -1;

/// Runs on whichever thread the kernel interrupts; calls only what signal-safety(7) allows.
static void note_signal(int number) {
    int failure = errno;
    unsigned char byte = (unsigned char)number;
    // A full pipe loses the signal: thousands of unread ones have said enough.
    ssize_t ignored = write(signal_pipe_end, &byte, 1);
    (void)ignored;
    errno = failure;
}

int64_t remora_signal_pipe(const int *signals, int count) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -(int64_t)errno;
    signal_pipe_end = ends[1];
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < count; i++)
        if (sigaction(signals[i], &action, NULL) < 0) return -(int64_t)errno;
    return ends[0];
}

int64_t remora_unblock_signals(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    return -(int64_t)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int64_t remora_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : CPU_COUNT(&set);
}

void remora_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int64_t remora_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -(int64_t)errno;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -(int64_t)errno : (int64_t)limit.rlim_cur;
}

int64_t remora_forbid_core_dumps(void) {
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0) return -(int64_t)errno;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -(int64_t)errno : 0;
}

int64_t remora_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0; }
