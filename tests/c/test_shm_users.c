// SPDX-License-Identifier: MIT
// pc_shm: names and their end, users that are killed, death with a lock held at each step, damage.
#include "shm_numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"

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

// In a child, that is to be killed with its name there: once it is dead, whoever opens a ring may sweep that, and other
// tests do.
static void open_and_fill(void *name)
{
    pc_shm *shm = NULL;
    if (pc_shm_open(name, 1, 5, &shm) < 0 || put_number(shm, 1, PC_SHM_NOW) < 0 || !is_there(name))
        _exit(1); // which is not to be killed
}

static void test_killed_users_leave_nothing(void)
{
    char name[64], other[64];
    name_of(name, "killed");
    name_of(other, "other");
    in_killed_child(open_and_fill, name);
    pc_shm *shm = NULL;
    CHECK(pc_shm_open(name, 1, 6, &shm) == 0 && pc_shm_tag(shm) == 6 && items_in(shm) == 0); // a new one
    in_killed_child(open_and_fill, name);
    CHECK(items_in(shm) == 1); // the same one
    pid_t users[PC_SHM_USERS];
    CHECK(pc_shm_users(shm, users) == 1);
    pc_shm_detach(shm);
    CHECK(!is_there(name));
    in_killed_child(open_and_fill, name);
    CHECK(pc_shm_open(other, 1, 6, &shm) == 0 && !is_there(name)); // swept
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

int main(void)
{
    test_names();
    test_killed_users_leave_nothing();
    test_death_at_each_step();
    test_damage();
    return CHECK_EXIT();
}
