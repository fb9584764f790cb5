// SPDX-License-Identifier: MIT
// pc_shm: order and counts round the end, limits, names and their end, damage, death with a lock held at each step,
// every allocation failing once, and threads that put and get at once. Built with -fsanitize=thread it is the stress of
// the ring's order.
#include "check.h"
#include "failing_malloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"
#include "workload/pc_shm_layout.h"

static pc_shm *make(size_t capacity)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(capacity, 7, &shm) == 0);
    return shm;
}

static int put(pc_shm *shm, const void *data, size_t length, int64_t deadline_ns)
{
    size_t done;
    return pc_shm_put(shm, &(pc_shm_piece){data, length, 3}, 1, deadline_ns, &done);
}

static int put_number(pc_shm *shm, uint64_t number, int64_t deadline_ns)
{
    return put(shm, &number, sizeof number, deadline_ns);
}

// Get one message that is a number; -1 when it is none.
static int get_number(pc_shm *shm, pc_shm_batch **batch, int64_t deadline_ns, uint64_t *number)
{
    int status = pc_shm_get(shm, 1, deadline_ns, batch);
    pc_shm_piece piece;
    if (status < 0)
        return status;
    if (!pc_shm_batch_next(*batch, &piece) || piece.length != sizeof *number || piece.kind != 3)
        return -1;
    memcpy(number, piece.data, sizeof *number);
    return 0;
}

static int64_t soon(int64_t ns)
{
    return pc_clock_now_ns(CLOCK_MONOTONIC) + ns;
}

static uint64_t items_in(const pc_shm *shm)
{
    pc_shm_state state;
    pc_shm_look(shm, &state);
    return state.puts - state.gets;
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

static void name_of(char name[64], const char *what)
{
    (void)snprintf(name, 64, "test.c-%d-%s", (int)getpid(), what);
}

static bool is_there(const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof path, "/dev/shm/perfcore-ring-%s", name);
    return access(path, F_OK) == 0;
}

static void test_names(void)
{
    pc_shm *first = NULL, *second = NULL;
    const char *bad[] = {"", "a/b", "a b", "\xc3\xa4"};
    for (size_t i = 0; i < 4; i++)
        CHECK(pc_shm_open(bad[i], 1, 0, &first) == -EINVAL);
    char longest[PC_SHM_NAME_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    CHECK(pc_shm_open(longest, 1, 0, &first) == -EINVAL);

    char name[64];
    name_of(name, "name");
    CHECK(pc_shm_open(name, 1, 1, &first) == 0 && pc_shm_open(name, 99999, 2, &second) == 0);
    CHECK(second->capacity == first->capacity && pc_shm_tag(second) == 1 && strcmp(pc_shm_name(second), name) == 0);
    pid_t users[PC_SHM_USERS];
    CHECK(pc_shm_users(first, users) == 2 && users[0] == getpid() && users[1] == getpid());
    pc_shm_batch *batch = NULL;
    uint64_t number = 0;
    CHECK(put_number(first, 42, PC_SHM_NOW) == 0 && get_number(second, &batch, PC_SHM_NOW, &number) == 0);
    CHECK(number == 42);
    pc_shm_detach(first);
    CHECK(is_there(name) && pc_shm_users(second, users) == 1);

    int fd = dup(pc_shm_fd(second)); // as a spawned child has it
    CHECK(pc_shm_attach(fd, &first) == 0);
    pc_shm_detach(second);
    CHECK(is_there(name));
    CHECK(put_number(first, 43, PC_SHM_NOW) == 0);
    pc_shm_release(first); // the end of a process: the memory stays for its threads
    CHECK(!is_there(name) && pc_shm_fd(first) == -1);
    CHECK(get_number(first, &batch, PC_SHM_NOW, &number) == 0 && number == 43);
    pc_shm_detach(first);
    pc_free(batch);
}

// Let a child be killed at a point of its own choosing; `before` runs in it.
static void in_killed_child(void (*before)(void *), void *argument)
{
    pid_t child = fork();
    if (child == 0) {
        before(argument);
        (void)raise(SIGKILL);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

static void open_and_fill(void *name)
{
    pc_shm *shm = NULL;
    if (pc_shm_open(name, 1, 5, &shm) == 0)
        (void)!put_number(shm, 1, PC_SHM_NOW);
}

static void test_killed_users_leave_nothing(void)
{
    char name[64], other[64];
    name_of(name, "killed");
    name_of(other, "other");
    in_killed_child(open_and_fill, name);
    CHECK(is_there(name));
    pc_shm *shm = NULL;
    CHECK(pc_shm_open(name, 1, 6, &shm) == 0 && pc_shm_tag(shm) == 6 && items_in(shm) == 0); // a new one
    in_killed_child(open_and_fill, name);
    CHECK(items_in(shm) == 1); // the same one
    pid_t users[PC_SHM_USERS];
    CHECK(pc_shm_users(shm, users) == 1);
    pc_shm_detach(shm);
    CHECK(!is_there(name));
    in_killed_child(open_and_fill, name);
    CHECK(is_there(name) && pc_shm_open(other, 1, 6, &shm) == 0 && !is_there(name)); // swept
    pc_shm_detach(shm);
}

// --- death with a lock ---

typedef struct death {
    pc_shm *shm;
    int step;
    bool getting;
} death;

// The steps of side_move, up to the one at which it ends.
static void die_in_move(void *argument)
{
    const death *d = argument;
    pc_shm_side *side = d->getting ? &d->shm->header->get : &d->shm->header->put;
    (void)!pc_shm_lock_take(d->shm, &side->lock, PC_SHM_NOW);
    uint64_t position = atomic_load(&side->position) + 16, items = atomic_load(&side->items) + 1;
    const pc_shm_record record = {.length = 8, .kind = 3};
    uint64_t number = 1000;
    if (!d->getting) {
        unsigned char *at = d->shm->data + (atomic_load(&side->position) & (d->shm->capacity - 1));
        memcpy(at, &record, sizeof record);
        memcpy(at + sizeof record, &number, sizeof number);
    }
    if (d->step > 0)
        side->journal_position = UINT64_MAX;
    if (d->step > 1)
        side->journal_items = items;
    if (d->step > 2)
        side->journal_position = position;
    if (d->step > 3)
        atomic_store(&side->position, position);
    if (d->step > 4)
        atomic_store(&side->items, items);
}

static void test_death_at_each_step(void)
{
    for (int step = 0; step <= 5; step++) {
        for (int getting = 0; getting < 2; getting++) {
            pc_shm *shm = make(1);
            pc_shm_batch *batch = NULL;
            uint64_t number = 0;
            for (uint64_t i = 0; i < 3; i++)
                CHECK(put_number(shm, i, PC_SHM_NOW) == 0);
            death d = {shm, step, getting};
            in_killed_child(die_in_move, &d);
            bool moved = step > 3;
            CHECK(put_number(shm, 3, PC_SHM_NOW) == 0);
            for (uint64_t i = getting && moved ? 1 : 0; i < 3; i++)
                CHECK(get_number(shm, &batch, PC_SHM_NOW, &number) == 0 && number == i);
            if (!getting && moved)
                CHECK(get_number(shm, &batch, PC_SHM_NOW, &number) == 0 && number == 1000);
            CHECK(get_number(shm, &batch, PC_SHM_NOW, &number) == 0 && number == 3);
            CHECK(get_number(shm, &batch, PC_SHM_NOW, &number) == -EAGAIN);
            pc_shm_state state;
            pc_shm_look(shm, &state);
            CHECK(state.recoveries == 1 && state.puts == state.gets);
            CHECK(state.puts == (uint64_t)(!getting && moved ? 5 : 4));
            pc_free(batch);
            pc_shm_detach(shm);
        }
    }
}

// --- damage ---

static void test_damage(void)
{
    pc_shm_batch *batch = NULL;
    pc_shm *shm = make(1), *other = NULL;
    int fd = dup(pc_shm_fd(shm));
    pc_shm_header *header = shm->header;
    uint64_t *fields[] = {&header->magic, &header->data_offset, &header->capacity, &header->check};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] += 1;
        CHECK(pc_shm_attach(fd, &other) == -EBADMSG && other == NULL);
        *fields[i] -= 1;
    }
    atomic_store(&header->put.position, 8192);
    CHECK(pc_shm_attach(fd, &other) == -EBADMSG);
    CHECK(pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == -EBADMSG && put_number(shm, 1, PC_SHM_NOW) == -EBADMSG);
    atomic_store(&header->put.position, 3);
    CHECK(pc_shm_attach(fd, &other) == -EBADMSG && pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == -EBADMSG);
    atomic_store(&header->put.position, 0);
    header->put.seen = header->get.seen = 0;
    CHECK(put_number(shm, 1, PC_SHM_NOW) == 0);
    ((pc_shm_record *)(void *)shm->data)->length = 9; // longer than what was put
    CHECK(pc_shm_get(shm, 1, PC_SHM_FOREVER, &batch) == -EBADMSG);
    ((pc_shm_record *)(void *)shm->data)->length = UINT32_MAX;
    CHECK(pc_shm_get(shm, 1, PC_SHM_FOREVER, &batch) == -EBADMSG);
    memset(&header->get.lock, 0xff, sizeof header->get.lock);
    CHECK(pc_shm_get(shm, 1, PC_SHM_FOREVER, &batch) == -EBADMSG && pc_shm_attach(fd, &other) == -EBADMSG);
    CHECK(close(fd) == 0);
    pc_shm_detach(shm);

    fd = open("/dev/null", O_RDWR);
    CHECK(pc_shm_attach(fd, &other) == -EBADMSG && close(fd) == 0);
    fd = memfd_create("short", 0);
    CHECK(write(fd, "perring1", 8) == 8 && pc_shm_attach(fd, &other) == -EBADMSG && close(fd) == 0);
    CHECK(pc_shm_attach(-1, &other) == -EBADF);

    char name[64], path[200];
    name_of(name, "damaged");
    (void)snprintf(path, sizeof path, "/dev/shm/perfcore-ring-%s", name);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(write(fd, "rubbish", 7) == 7 && flock(fd, LOCK_SH) == 0);
    CHECK(pc_shm_open(name, 1, 0, &other) == -EBADMSG && is_there(name)); // somebody uses it
    CHECK(close(fd) == 0 && pc_shm_open(name, 1, 0, &other) == 0);        // nobody did
    pc_shm_detach(other);
    CHECK(!is_there(name) && symlink("/etc/passwd", path) == 0);
    CHECK(pc_shm_open(name, 1, 0, &other) == -ELOOP && unlink(path) == 0);
    pc_free(batch);
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
    test_names();
    test_killed_users_leave_nothing();
    test_death_at_each_step();
    test_damage();
    test_failing_allocations();
    test_threads();
    return CHECK_EXIT();
}
