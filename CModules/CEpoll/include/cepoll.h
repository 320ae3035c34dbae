// The system calls of remora's event loop, one thin inline function each.
//
// Every function that can fail answers -errno, so that no caller reads `errno`
// (which Swift sees through a function call, and too late). They are static
// inline so that they vanish into the Swift that calls them. The few that need
// _GNU_SOURCE are in cepoll.c: with it, glibc's headers would define types
// otherwise than Swift's own view of them does, and the two would clash.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline int64_t remora_result(int64_t result) { return result < 0 ? -(int64_t)errno : result; }

// The calls of every event go through syscall(2): glibc's own wrappers of them are
// points of thread cancellation, which nobody here uses and which costs 50
// instructions a call in a process with threads.

// epoll

enum {
    REMORA_READABLE = EPOLLIN,
    REMORA_WRITABLE = EPOLLOUT,
    REMORA_URGENT = EPOLLPRI,
    REMORA_PEER_CLOSED = EPOLLRDHUP,
    REMORA_ERROR = EPOLLERR,
    REMORA_HUNG_UP = EPOLLHUP,
};
/// Flags without a fixed sign in the headers, as plain numbers.
static const uint32_t remora_edge_triggered = EPOLLET, remora_exclusive = EPOLLEXCLUSIVE;

typedef struct epoll_event remora_event;

static inline int64_t remora_epoll_create(void) { return remora_result(epoll_create1(EPOLL_CLOEXEC)); }

static inline int64_t remora_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return remora_result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static inline int64_t remora_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return remora_result(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
}

static inline int64_t remora_epoll_remove(int epoll, int fd) {
    return remora_result(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

/// Waits `milliseconds` at most, -1 for ever.
static inline int64_t remora_epoll_wait(int epoll, remora_event *events, int capacity, int milliseconds) {
    return remora_result(syscall(SYS_epoll_pwait, epoll, events, capacity, milliseconds, (void *)0, (size_t)8));
}

/// Waits `nanoseconds` at most, -1 for ever; rounded up to milliseconds where the kernel is older than 5.11 (ENOSYS), or
/// a sandbox's filter of system calls is (EPERM, which the call itself never answers).
static inline int64_t remora_epoll_wait_precisely(int epoll, remora_event *events, int capacity, int64_t nanoseconds) {
#ifdef SYS_epoll_pwait2
    // As the kernel has it, whatever libc calls a timespec.
    struct { int64_t seconds, nanoseconds; } time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    void *limit = nanoseconds < 0 ? (void *)0 : &time;
    int64_t result = remora_result(syscall(SYS_epoll_pwait2, epoll, events, capacity, limit, (void *)0, (size_t)8));
    if (result != -ENOSYS && result != -EPERM) return result;
#endif
    int64_t milliseconds = nanoseconds < 0 ? -1 : nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
    return remora_epoll_wait(epoll, events, capacity, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds);
}

// The struct is packed on x86-64, which Swift cannot express; so it is read here.
static inline uint32_t remora_event_mask(const remora_event *events, int64_t at) { return events[at].events; }
static inline uint64_t remora_event_token(const remora_event *events, int64_t at) { return events[at].data.u64; }

// Descriptors

static inline int64_t remora_close(int fd) { return remora_result(close(fd)); }

/// Non-blocking, and not handed on to programs this process starts.
static inline int64_t remora_adopt(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -(int64_t)errno;
    return remora_result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static inline int64_t remora_eventfd(void) { return remora_result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

static inline int64_t remora_eventfd_signal(int fd) {
    uint64_t one = 1;
    return remora_result(write(fd, &one, sizeof one));
}

static inline int64_t remora_eventfd_clear(int fd) {
    uint64_t count;
    return remora_result(read(fd, &count, sizeof count));
}

/// Has the given signals written to a pipe, a byte with the number each, and answers its read end. Once per process.
int64_t remora_signal_pipe(const int *signals, int count);

/// Lets the given signals interrupt the calling thread, whatever mask it was started with.
int64_t remora_unblock_signals(const int *signals, int count);

/// The number of the next signal, or -EAGAIN.
static inline int64_t remora_signal_pipe_read(int fd) {
    unsigned char number;
    ssize_t n = read(fd, &number, 1);
    return n < 0 ? -(int64_t)errno : n == 0 ? -(int64_t)EAGAIN : number;
}

static inline void remora_ignore_signal(int signal_number) { signal(signal_number, SIG_IGN); }

// Sockets

static inline int64_t remora_socket(int family) {
    return remora_result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static inline int64_t remora_connect(int fd, const void *address, uint32_t length) {
    return remora_result(connect(fd, (const struct sockaddr *)address, length));
}

static inline int64_t remora_bind(int fd, const void *address, uint32_t length) {
    return remora_result(bind(fd, (const struct sockaddr *)address, length));
}

static inline int64_t remora_listen(int fd, int backlog) { return remora_result(listen(fd, backlog)); }

/// The address a socket is bound to; answers its length.
static inline int64_t remora_local_address(int fd, void *into, uint32_t capacity) {
    socklen_t length = capacity;
    return getsockname(fd, (struct sockaddr *)into, &length) < 0 ? -(int64_t)errno : length;
}

static inline int64_t remora_peer_address(int fd, void *into, uint32_t capacity) {
    socklen_t length = capacity;
    return getpeername(fd, (struct sockaddr *)into, &length) < 0 ? -(int64_t)errno : length;
}

static inline int64_t remora_set_option(int fd, int level, int name, int value) {
    return remora_result(setsockopt(fd, level, name, &value, sizeof value));
}

static inline int64_t remora_get_option(int fd, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) < 0 ? -(int64_t)errno : value;
}

static inline int64_t remora_receive(int fd, void *into, size_t capacity) {
    return remora_result(syscall(SYS_recvfrom, fd, into, capacity, 0, (void *)0, (void *)0));
}

/// `more`: further bytes or the end follow at once, so that they may share a segment.
static inline int64_t remora_send(int fd, const void *bytes, size_t count, int more) {
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    return remora_result(syscall(SYS_sendto, fd, bytes, count, flags, (void *)0, (socklen_t)0));
}

static inline int64_t remora_datagram_socket(int family) {
    return remora_result(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// Takes one datagram and writes its sender's address; `*length` is the room for that, then its length.
static inline int64_t remora_receive_from(int fd, void *into, size_t capacity, void *address, uint32_t *length) {
    return remora_result(syscall(SYS_recvfrom, fd, into, capacity, 0, address, length));
}

static inline int64_t remora_send_to(int fd, const void *bytes, size_t count, const void *address, uint32_t length) {
    return remora_result(syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL, address, (socklen_t)length));
}

static inline int64_t remora_shutdown_read(int fd) { return remora_result(shutdown(fd, SHUT_RD)); }

static inline int64_t remora_shutdown_write(int fd) { return remora_result(shutdown(fd, SHUT_WR)); }

/// Bytes that the peer of a stream has not acknowledged (tcp(7)) or, over a unix socket, not read.
static inline int64_t remora_unacknowledged(int fd) {
    int count = 0;
    return ioctl(fd, TIOCOUTQ, &count) < 0 ? -(int64_t)errno : count;
}

/// Closes so that a TCP peer sees a reset and not an end.
static inline int64_t remora_abort(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return remora_result(close(fd));
}

// Needing _GNU_SOURCE (cepoll.c)

int64_t remora_accept(int fd);

/// Makes a pipe of at least `capacity` bytes; answers its true capacity.
int64_t remora_pipe(int ends[2], int capacity);

/// Moves up to `count` bytes; one of the two descriptors is a pipe.
int64_t remora_splice(int from, int into, size_t count, int more);

/// Processors that this process may run on, 1 at least.
int64_t remora_processors(void);

/// Names the calling thread, in at most 15 bytes, for ps(1) and the like.
void remora_name_thread(const char *name);

/// Raises the soft limit of open descriptors to the hard one, and answers it.
int64_t remora_raise_descriptor_limit(void);

/// Sets both limits of a core file's size to nothing, and makes the process undumpable.
int64_t remora_forbid_core_dumps(void);

/// Whether the kernel would dump this process's memory, or let others of its user look into it.
int64_t remora_is_dumpable(void);

// Time

/// CLOCK_MONOTONIC in nanoseconds.
static inline int64_t remora_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
