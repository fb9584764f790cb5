// link: -Wl,--wrap=posix_fallocate
// SPDX-License-Identifier: MIT
// pc_shm beside those who do not stop: a ring is opened while others move it all the time, between any two machine
// instructions (by ptrace); one is made under a timer whose signals interrupt that; and what is not done in a hurry.
// not under valgrind: it steps through machine instructions by ptrace.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
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

static void test_now_copies_no_long_message(void)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(PC_SHM_BATCH_BYTES * 4, 0, &shm) == 0);
    unsigned char *bytes = pc_alloc(1, PC_SHM_BATCH_BYTES);
    memset(bytes, 7, PC_SHM_BATCH_BYTES);
    const pc_shm_piece pieces[] = {
        {bytes, PC_SHM_BATCH_BYTES - PC_SHM_RECORD_BYTES, 1}, // the longest
        {bytes, PC_SHM_BATCH_BYTES, 2},
        {bytes, 5, 3},
    };
    size_t done = 0;
    CHECK(pc_shm_put(shm, pieces, 3, PC_SHM_NOW, &done) == 0 && done == 3);
    pc_shm_batch *batch = NULL;
    pc_shm_piece piece;
    CHECK(pc_shm_get(shm, 9, PC_SHM_NOW, &batch) == 0 && batch->count == 1);
    CHECK(pc_shm_batch_next(batch, &piece) && piece.kind == 1);
    for (size_t limit = 1; limit < 3; limit++) {
        CHECK(pc_shm_get(shm, limit, PC_SHM_NOW, &batch) == -EBUSY && !pc_shm_batch_next(batch, &piece));
        pc_shm_state state;
        pc_shm_look(shm, &state);
        CHECK(state.puts == 3 && state.gets == 1);
    }
    CHECK(pc_shm_get(shm, 9, PC_SHM_SOON, &batch) == 0 && batch->count == 1);
    CHECK(pc_shm_batch_next(batch, &piece) && piece.kind == 2 && piece.length == PC_SHM_BATCH_BYTES);
    CHECK(memcmp(piece.data, bytes, piece.length) == 0);
    CHECK(pc_shm_get(shm, 9, PC_SHM_NOW, &batch) == 0 && pc_shm_batch_next(batch, &piece) && piece.kind == 3);
    pc_free(bytes);
    pc_free(batch);
    pc_shm_detach(shm);
}

int main(void)
{
    test_a_busy_ring_is_opened();
    test_signals_do_not_end_the_making();
    test_now_copies_no_long_message();
    return CHECK_EXIT();
}
