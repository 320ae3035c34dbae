#include "cprocess.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Makes a descriptor one of the standard ones; one that has its number already is to outlive the exec as well.
static int place(int descriptor, int number) {
    return descriptor == number ? fcntl(number, F_SETFD, 0) : dup2(descriptor, number);
}

/// In the child of a process with threads, where only what signal-safety(7) allows may be called, and execvp, whose
/// search glibc does without the heap.
static void become(pid_t parent, const char *program, char *const words[], int input, int output) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return;
    // It may have ended before it could be told of.
    if (getppid() != parent) _exit(127);
    if (setpgid(0, 0) < 0) return;
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return;
    if (input < 0) input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0 || place(input, STDIN_FILENO) < 0) return;
    if (output >= 0 && (place(output, STDOUT_FILENO) < 0 || place(output, STDERR_FILENO) < 0)) return;
    execvp(program, words);
}

int64_t remora_start_process(const char *program, char *const words[], int input, int output) {
    // What is written here is why it did not start; the pipe closes when it does.
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -(int64_t)errno;
    pid_t parent = getpid();
    // No handler of ours may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    int failure = errno;
    if (child == 0) {
        become(parent, program, words, input, output);
        failure = errno;
        ssize_t ignored = write(report[1], &failure, sizeof failure);
        (void)ignored;
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (child > 0) {
        ssize_t count;
        do count = read(report[0], &failure, sizeof failure);
        while (count < 0 && errno == EINTR);
        if (count == sizeof failure) {
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
            child = -1;
        }
    }
    close(report[0]);
    return child > 0 ? child : -(int64_t)failure;
}
