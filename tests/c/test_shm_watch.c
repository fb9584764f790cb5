// SPDX-License-Identifier: MIT
// pc_shm: watching a side of the ring without taking part. It sees what is there and what moves, sleeps no longer than
// a slice, takes nothing, and leaves no other sleeper behind.
#include "check.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"
#include "workload/pc_shm_layout.h"

static pc_shm *make(void)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(PC_SHM_MIN_BYTES, 7, &shm) == 0);
    return shm;
}

static int put(pc_shm *shm, size_t length)
{
    static const char zeros[PC_SHM_MIN_BYTES];
    size_t done;
    return pc_shm_put(shm, &(pc_shm_piece){zeros, length, 3}, 1, PC_SHM_SOON, &done);
}

static void get(pc_shm *shm)
{
    pc_shm_batch *batch = NULL;
    CHECK(pc_shm_get(shm, 1, PC_SHM_SOON, &batch) == 0);
    pc_free(batch);
}

static void test_what_is_there(void)
{
    pc_shm *shm = make();
    uint64_t putters = pc_shm_position(shm, true), getters = pc_shm_position(shm, false);
    int64_t begun_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
    CHECK(pc_shm_watch(shm, true, putters) == -EAGAIN);
    CHECK(pc_clock_now_ns(CLOCK_MONOTONIC) - begun_ns >= PC_SHM_SLICE_NS);
    CHECK(pc_shm_watch(shm, false, getters) == -EAGAIN);

    CHECK(put(shm, 100) == 0);
    CHECK(pc_shm_position(shm, true) != putters && pc_shm_position(shm, false) == getters);
    for (int i = 0; i < 3; i++)
        CHECK(pc_shm_watch(shm, true, putters) == 0); // it is there until somebody takes it
    get(shm);
    CHECK(pc_shm_position(shm, false) != getters);
    CHECK(pc_shm_watch(shm, false, getters) == 0);
    CHECK(pc_shm_watch(shm, true, putters) == -EAGAIN); // what counts is what is there, not what was
    CHECK(pc_shm_close(shm) == 0);
    CHECK(pc_shm_watch(shm, true, pc_shm_position(shm, true)) == 0);
    CHECK(pc_shm_watch(shm, false, pc_shm_position(shm, false)) == 0);
    pc_shm_detach(shm);
}

typedef struct work {
    pc_shm *shm;
    bool getting;
    uint64_t position;
    int status;
} work;

// Watch until it is worth trying, as a thread that looks out for others does.
static void *watch(void *argument)
{
    work *w = argument;
    while ((w->status = pc_shm_watch(w->shm, w->getting, w->position)) == -EAGAIN)
        ;
    return NULL;
}

static void *get_one(void *argument)
{
    work *w = argument;
    pc_shm_batch *batch = NULL;
    while ((w->status = pc_shm_get(w->shm, 1, PC_SHM_FOREVER, &batch)) == -EAGAIN)
        ;
    pc_free(batch);
    return NULL;
}

static void sleep_until_somebody_sleeps(const _Atomic uint32_t *sleepers)
{
    while (atomic_load(sleepers) == 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void test_what_comes(void)
{
    for (int i = 0; i < 20; i++) {
        pc_shm *shm = make();
        work getter = {shm, true, pc_shm_position(shm, true), 1}, taker = {shm, true, 0, 1};
        work putter = {shm, false, pc_shm_position(shm, false), 1};
        pthread_t threads[3];
        CHECK(pthread_create(&threads[0], NULL, watch, &getter) == 0);
        CHECK(pthread_create(&threads[1], NULL, watch, &putter) == 0);
        sleep_until_somebody_sleeps(&shm->header->put.sleepers);
        sleep_until_somebody_sleeps(&shm->header->get.sleepers);
        CHECK(put(shm, 8) == 0);
        CHECK(pthread_join(threads[0], NULL) == 0 && getter.status == 0);
        // Another one sleeps, and it is the one who watched that is woken: it passes that on.
        get(shm);
        CHECK(pthread_join(threads[1], NULL) == 0 && putter.status == 0);
        CHECK(pthread_create(&threads[2], NULL, get_one, &taker) == 0);
        sleep_until_somebody_sleeps(&shm->header->put.sleepers);
        CHECK(put(shm, 8) == 0);
        pc_shm_pass_on(shm, true);
        pc_shm_pass_on(shm, false);
        CHECK(pthread_join(threads[2], NULL) == 0 && taker.status == 0);
        CHECK(pc_shm_is_empty(shm));
        pc_shm_detach(shm);
    }
}

int main(void)
{
    test_what_is_there();
    test_what_comes();
    return CHECK_EXIT();
}
