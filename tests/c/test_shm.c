// SPDX-License-Identifier: MIT
// pc_shm: order and counts round the end, limits, every allocation failing once, and threads that put and get at once.
// Built with -fsanitize=thread it is the stress of the ring's order.
#include "failing_malloc.h"
#include "shm_numbers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"

static int64_t soon(int64_t ns)
{
    return pc_clock_now_ns(CLOCK_MONOTONIC) + ns;
}

// Messages of all lengths, so that records begin and end everywhere and go round the end again and again.
static void test_order(void)
{
    pc_shm *shm = make(1);
    CHECK(shm->capacity == PC_SHM_MIN_BYTES && pc_shm_tag(shm) == 7);
    pc_shm_batch *batch = NULL;
    static unsigned char bytes[PC_SHM_MIN_BYTES];
    bool right = true;
    uint64_t in = 0, out = 0;
    while (out < 20000) {
        while (true) {
            size_t length = in * 37 % 701;
            memset(bytes, (int)(in % 251), length);
            int status = put(shm, bytes, length, PC_SHM_NOW);
            right = right && (status == 0 || status == -EAGAIN);
            if (status != 0)
                break;
            in++;
        }
        right = right && pc_shm_get(shm, 1 + out % 5, PC_SHM_NOW, &batch) == 0;
        pc_shm_piece piece;
        for (; pc_shm_batch_next(batch, &piece); out++) {
            right = right && piece.length == out * 37 % 701 && piece.kind == 3;
            for (size_t at = 0; at < piece.length; at++)
                right = right && ((const unsigned char *)piece.data)[at] == out % 251;
        }
        right = right && batch->at == batch->end && batch->count == 0 && items_in(shm) == in - out;
    }
    CHECK(right);
    pc_free(batch);
    pc_shm_detach(shm);
}

static void test_limits(void)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(PC_SHM_MAX_BYTES + 1, 0, &shm) == -EINVAL && shm == NULL);
    shm = make(PC_SHM_MIN_BYTES);
    pc_shm_batch *batch = NULL;
    static unsigned char bytes[PC_SHM_MIN_BYTES];
    CHECK(put(shm, bytes, PC_SHM_MIN_BYTES - 7, PC_SHM_NOW) == -EMSGSIZE);
    CHECK(pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == -EAGAIN && batch == NULL);
    CHECK(pc_shm_get(shm, 1, PC_SHM_SOON, &batch) == -EAGAIN && pc_shm_get(shm, 1, soon(1000), &batch) == -ETIMEDOUT);
    for (int i = 0; i < 3; i++) { // the whole ring is one message, from any place
        CHECK(put(shm, bytes, PC_SHM_MIN_BYTES - 8, PC_SHM_NOW) == 0);
        CHECK(put(shm, bytes, 0, PC_SHM_NOW) == -EAGAIN && put(shm, bytes, 0, soon(1000)) == -ETIMEDOUT);
        CHECK(pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == 0 && batch->end == PC_SHM_MIN_BYTES);
        CHECK(put(shm, bytes, 9, PC_SHM_NOW) == 0 && pc_shm_get(shm, 9, PC_SHM_NOW, &batch) == 0);
    }
    pc_shm_piece pieces[300];
    for (size_t i = 0; i < 300; i++)
        pieces[i] = (pc_shm_piece){bytes, 8, 1};
    size_t done = 0;
    CHECK(pc_shm_put(shm, pieces, 300, PC_SHM_NOW, &done) == 0 && done == PC_SHM_MIN_BYTES / 16);
    CHECK(pc_shm_close(shm) == 0 && put(shm, bytes, 1, PC_SHM_FOREVER) == -EPIPE);
    CHECK(pc_shm_get(shm, SIZE_MAX, PC_SHM_FOREVER, &batch) == 0 && batch->count == done);
    CHECK(pc_shm_get(shm, SIZE_MAX, PC_SHM_FOREVER, &batch) == -EPIPE && pc_shm_close(shm) == 0);
    pc_free(batch);
    pc_shm_detach(shm);
}

static void test_failing_allocations(void)
{
    long failed = 0;
    for (long at = 0;; at++) {
        pc_shm *shm = NULL;
        pc_shm_batch *batch = NULL;
        uint64_t number = 0;
        fail_at = at;
        int status = pc_shm_create(1, 0, &shm);
        if (status == 0) {
            CHECK(put_number(shm, 5, PC_SHM_NOW) == 0);
            status = get_number(shm, &batch, PC_SHM_NOW, &number);
            if (status < 0) // it is still in
                CHECK(get_number(shm, &batch, PC_SHM_NOW, &number) == 0);
            CHECK(number == 5 && items_in(shm) == 0);
            pc_shm_detach(shm);
        }
        pc_free(batch);
        bool done = fail_at >= 0;
        fail_at = -1;
        if (done)
            break;
        CHECK(status == -ENOMEM);
        failed++;
    }
    CHECK(failed == 2);
}

// --- threads ---

enum { THREADS = 3, NUMBERS = 8000 };

typedef struct work {
    pc_shm *shm;
    uint64_t first;
    unsigned char *seen; // how often each number was got
    bool sound;
} work;

static void *put_all(void *argument)
{
    work *w = argument;
    for (uint64_t i = 0; i < NUMBERS;) {
        uint64_t numbers[5];
        pc_shm_piece pieces[5];
        size_t count = 0, done = 0;
        for (; count < 1 + i % 5 && i + count < NUMBERS; count++) {
            numbers[count] = w->first + i + count;
            pieces[count] = (pc_shm_piece){&numbers[count], sizeof *numbers, 3};
        }
        int status = pc_shm_put(w->shm, pieces, count, PC_SHM_FOREVER, &done);
        if (status == 0)
            i += done;
        else if (status != -EAGAIN)
            w->sound = false;
        if (!w->sound)
            break;
    }
    return NULL;
}

static void *get_all(void *argument)
{
    work *w = argument;
    pc_shm_batch *batch = NULL;
    int status;
    uint64_t last[THREADS] = {0};
    while ((status = pc_shm_get(w->shm, 4, PC_SHM_FOREVER, &batch)) == 0 || status == -EAGAIN) {
        pc_shm_piece piece;
        while (status == 0 && pc_shm_batch_next(batch, &piece)) {
            uint64_t number;
            memcpy(&number, piece.data, sizeof number);
            uint64_t *before = &last[number / NUMBERS];
            w->sound = w->sound && number < THREADS * NUMBERS && number + 1 > *before;
            *before = number + 1; // each putter's come in order
            w->seen[number]++;    // no other thread has the same
        }
    }
    w->sound = w->sound && status == -EPIPE;
    pc_free(batch);
    return NULL;
}

static void test_threads(void)
{
    pc_shm *shm = make(PC_SHM_MIN_BYTES);
    unsigned char *seen = calloc(THREADS, NUMBERS);
    CHECK(seen != NULL);
    if (seen == NULL)
        return;
    work works[2 * THREADS];
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < 2 * THREADS; i++) {
        works[i] = (work){shm, (uint64_t)(i % THREADS) * NUMBERS, seen, true};
        CHECK(pthread_create(&threads[i], NULL, i < THREADS ? put_all : get_all, &works[i]) == 0);
    }
    for (int i = 0; i < 2 * THREADS; i++) {
        if (i == THREADS)
            CHECK(pc_shm_close(shm) == 0);
        CHECK(pthread_join(threads[i], NULL) == 0 && works[i].sound);
    }
    bool once = true;
    for (size_t i = 0; i < THREADS * NUMBERS; i++)
        once = once && seen[i] == 1;
    CHECK(once);
    free(seen);
    pc_shm_detach(shm);
}

int main(void)
{
    test_order();
    test_limits();
    test_failing_allocations();
    test_threads();
    return CHECK_EXIT();
}
