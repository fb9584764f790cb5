// link: -Wl,--wrap=posix_fallocate
// SPDX-License-Identifier: MIT
// pc_shm beside those who do not stop: a ring is opened while others move it all the time, between any two machine
// instructions (by ptrace); and one is made under a timer whose signals interrupt that.
// not under valgrind: it steps through machine instructions by ptrace.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload/pc_shm_layout.h"

enum { INTERRUPTIONS = 5 };

// Let others go round the ring, more than once.
static void go_round(pc_shm *shm)
{
    for (int i = 0; i < 3; i++) {
        atomic_fetch_add(&shm->header->put.position, shm->capacity);
        atomic_fetch_add(&shm->header->get.position, shm->capacity);
    }
}

static void test_a_busy_ring_is_opened(void)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(1, 0, &shm) == 0);
    pid_t child = fork();
    if (child == 0) {
        pc_shm *other = NULL;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(0);
        (void)raise(SIGSTOP);
        _exit(-pc_shm_attach(pc_shm_fd(shm), &other));
    }
    int status = 0;
    long steps = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    for (; WIFSTOPPED(status); steps++) {
        go_round(shm);
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0 || waitpid(child, &status, 0) != child)
            break;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (steps == 0)
        printf("this system forbids ptrace: no busy ring was opened\n");
    pc_shm_detach(shm);
}

int __real_posix_fallocate(int fd, off_t offset, off_t length);
int __wrap_posix_fallocate(int fd, off_t offset, off_t length);

static int interruptions;
static bool was_blocked = true;

int __wrap_posix_fallocate(int fd, off_t offset, off_t length)
{
    sigset_t now;
    was_blocked = was_blocked && pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGALRM) == 1;
    return interruptions > 0 && interruptions-- > 0 ? EINTR : __real_posix_fallocate(fd, offset, length);
}

static void test_signals_do_not_end_the_making(void)
{
    sigset_t before, after;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    interruptions = INTERRUPTIONS;
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(1, 0, &shm) == 0 && interruptions == 0 && was_blocked);
    interruptions = 0;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    CHECK(sigismember(&before, SIGALRM) == 0 && sigismember(&after, SIGALRM) == 0);
    if (shm != NULL)
        pc_shm_detach(shm);
}

int main(void)
{
    test_a_busy_ring_is_opened();
    test_signals_do_not_end_the_making();
    return CHECK_EXIT();
}
