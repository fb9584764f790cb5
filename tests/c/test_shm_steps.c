// SPDX-License-Identifier: MIT
// pc_shm: what a process leaves that is killed after any machine instruction of a put or a get. ptrace steps one
// through; whenever the shared memory has changed, a copy of it is taken, as the kernel would leave it to the others,
// and must be a ring that goes on: the message was put (got) whole or not at all, once, and counted right. Some of
// those deaths are then died, by SIGKILL.
// not under valgrind: it steps through machine instructions by ptrace.
// not under thread: the same.
#include "check.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "workload/pc_shm_layout.h"

enum { FIRST = 10, SECOND = 11, THIRD = 12, STATES = 1000, KILLS = 5 };

static int put_number(pc_shm *shm, uint64_t number)
{
    size_t done;
    return pc_shm_put(shm, &(pc_shm_piece){&number, sizeof number, 3}, 1, PC_SHM_NOW, &done);
}

// The next number, 0 when there is none.
static uint64_t get_number(pc_shm *shm)
{
    pc_shm_batch *batch = NULL;
    pc_shm_piece piece;
    uint64_t number = 0;
    if (pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == 0 && pc_shm_batch_next(batch, &piece) && piece.length == 8)
        memcpy(&number, piece.data, sizeof number);
    pc_free(batch);
    return number;
}

static pc_shm *make(void)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(1, 0, &shm) == 0);
    CHECK(put_number(shm, FIRST) == 0);
    return shm;
}

// Start a child that stops, and then puts or gets with a sleeper to wake. 0 where ptrace is forbidden.
static pid_t start(pc_shm *shm, bool getting)
{
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(9);
        (void)raise(SIGSTOP);
        atomic_store(getting ? &shm->header->get.sleepers : &shm->header->put.sleepers, 1);
        if (getting)
            (void)get_number(shm);
        else
            (void)put_number(shm, SECOND);
        _exit(0);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSTOPPED(status) ? child : 0;
}

// One instruction. False when the child has ended.
static bool step(pid_t child)
{
    int status = 0;
    return ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child &&
           WIFSTOPPED(status);
}

static void end(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

// Use the ring that somebody left; whether its message was put or got.
static bool check_ring(pc_shm *shm, bool getting, bool *inherited)
{
    CHECK(put_number(shm, THIRD) == 0);
    uint64_t number = get_number(shm);
    bool moved = getting && number == THIRD;
    CHECK(moved || number == FIRST);
    if (!moved) {
        number = get_number(shm);
        moved = !getting && number == SECOND;
        CHECK(number == THIRD || (moved && get_number(shm) == THIRD));
    }
    CHECK(get_number(shm) == 0);
    pc_shm_state state;
    pc_shm_look(shm, &state);
    CHECK(state.puts == state.gets && state.puts == (uint64_t)(!getting && moved ? 3 : 2));
    *inherited = state.recoveries > 0;
    return moved;
}

// What the kernel does with a robust lock of a dead thread (futex(2), get_robust_list(2)).
static void die_with(pthread_mutex_t *lock, pid_t child)
{
    unsigned int word;
    memcpy(&word, lock, sizeof word);
    if ((word & FUTEX_TID_MASK) == (unsigned int)child)
        word = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    memcpy(lock, &word, sizeof word);
}

static void test_states(bool getting)
{
    pc_shm *shm = make();
    const size_t bytes = shm->mapped_bytes - shm->capacity;
    unsigned char *last = pc_alloc_zero(bytes, 1);
    static long steps_of[STATES];
    long steps = 0, states = 0, recoveries = 0, before = 0;
    pid_t child = start(shm, getting);
    for (; child > 0 && last != NULL && states < STATES && step(child); steps++) {
        if (memcmp(last, shm->header, bytes) == 0)
            continue;
        memcpy(last, shm->header, bytes);
        steps_of[states++] = steps + 1;
        pc_shm *copy = make();
        memcpy(copy->header, last, bytes);
        die_with(&copy->header->put.lock, child);
        die_with(&copy->header->get.lock, child);
        bool inherited;
        bool moved = check_ring(copy, getting, &inherited);
        CHECK(moved || before == states - 1); // what is done stays done
        before += !moved;
        recoveries += inherited;
        pc_shm_detach(copy);
    }
    CHECK(states > 10 && states < STATES && before > 3 && before < states - 3 && recoveries > 5);
    pc_free(last);
    pc_shm_detach(shm);
    printf("%s: %ld instructions, %ld states, %ld before it was done, %ld with the lock held\n",
           getting ? "get" : "put", steps, states, before, recoveries);

    for (long i = 0; i < KILLS; i++) {
        shm = make();
        child = start(shm, getting);
        for (long at = steps_of[states * i / KILLS]; at > 0 && child > 0; at--)
            CHECK(step(child));
        end(child);
        bool inherited;
        (void)check_ring(shm, getting, &inherited);
        pc_shm_detach(shm);
    }
}

int main(void)
{
    // A step is a switch to the child and back, which is faster on one processor.
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    pc_shm *shm = make();
    pid_t child = start(shm, false);
    pc_shm_detach(shm);
    if (child > 0) {
        end(child);
        test_states(false);
        test_states(true);
    } else {
        printf("this system forbids ptrace: nothing was tried\n");
    }
    return CHECK_EXIT();
}
