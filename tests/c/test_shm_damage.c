// SPDX-License-Identifier: MIT
// pc_shm: each thing that a file of a ring must be, wrong by itself; damage that comes later; the table of users with
// the dead in it; who is woken by what (by the words that sleepers set, which a wake clears).
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "workload/pc_shm_layout.h"

static pc_shm *make(size_t capacity)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(capacity, 7, &shm) == 0);
    if (shm == NULL)
        abort();
    return shm;
}

static int put(pc_shm *shm)
{
    const uint64_t number = 5;
    size_t done;
    return pc_shm_put(shm, &(pc_shm_piece){&number, sizeof number, 3}, 1, PC_SHM_NOW, &done);
}

static int get(pc_shm *shm, size_t limit)
{
    pc_shm_batch *batch = NULL;
    int status = pc_shm_get(shm, limit, PC_SHM_NOW, &batch);
    pc_free(batch);
    return status;
}

// Attach to a file of so many bytes that begins with this header.
static int attach(const pc_shm_header *header, uint64_t bytes)
{
    pc_shm *shm = NULL;
    int fd = memfd_create("damaged", MFD_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, header, sizeof *header, 0) == (ssize_t)sizeof *header &&
          ftruncate(fd, (off_t)bytes) == 0);
    int status = pc_shm_attach(fd, &shm);
    if (status == 0)
        pc_shm_detach(shm);
    else
        (void)close(fd);
    return status;
}

static void test_files(void)
{
    pc_shm *shm = make(1);
    static pc_shm_header sound, header;
    memcpy(&sound, shm->header, sizeof sound);
    atomic_store(&sound.users[0].pid, 0);
    const uint64_t page = pc_shm_page_bytes(), bytes = sound.data_offset + sound.capacity;
    CHECK(attach(&sound, bytes) == 0);
    CHECK(attach(&sound, bytes - page) == -EBADMSG && attach(&sound, bytes + page) == -EBADMSG);
    for (int damage = 0; damage < 9; damage++) {
        uint64_t size = bytes;
        memcpy(&header, &sound, sizeof header);
        switch (damage) {
        case 0:
            header.magic ^= 1;
            break;
        case 1:
            header.version++;
            break;
        case 2:
            header.header_bytes += 64;
            break;
        case 3:
            size += page;
            header.data_offset += page;
            break;
        case 4: // no power of two
            header.capacity = 3 * page;
            size = header.data_offset + header.capacity;
            break;
        case 5:
            header.capacity = page / 2;
            size = header.data_offset + header.capacity;
            break;
        case 6:
            header.capacity = 2 * PC_SHM_MAX_BYTES;
            size = header.data_offset + header.capacity;
            break;
        case 7:
            memcpy(header.name, "a/b", 4);
            break;
        default:
            memset(header.name, 'a', sizeof header.name); // no end
            break;
        }
        header.check = pc_shm_header_check(&header);
        CHECK(attach(&header, size) == -EBADMSG);
    }
    memcpy(&header, &sound, sizeof header);
    header.tag++; // and the check is of what was
    CHECK(attach(&header, bytes) == -EBADMSG);
    const struct {
        uint64_t put, get;
        int status;
    } positions[] = {{0, 8, -EBADMSG},           {4, 0, -EBADMSG}, {8, 4, -EBADMSG}, {sound.capacity + 16, 8, -EBADMSG},
                     {sound.capacity + 8, 8, 0}, {64, 64, 0}};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        memcpy(&header, &sound, sizeof header);
        atomic_store(&header.put.position, positions[i].put);
        atomic_store(&header.get.position, positions[i].get);
        CHECK(attach(&header, bytes) == positions[i].status);
    }
#ifdef __GLIBC__
    pthread_mutex_t *const locks[] = {&header.put.lock, &header.get.lock, &header.users_lock};
    for (size_t i = 0; i < 3; i++) {
        memcpy(&header, &sound, sizeof header);
        locks[i]->__data.__kind ^= 1;
        CHECK(attach(&header, bytes) == -EBADMSG);
    }
    shm->header->put.lock.__data.__kind ^= 1; // later
    CHECK(put(shm) == -EBADMSG && get(shm, 1) == -EAGAIN);
#endif
    CHECK(ftruncate(pc_shm_fd(shm), 0) < 0 && ftruncate(pc_shm_fd(shm), (off_t)(2 * bytes)) < 0);
    pc_shm_detach(shm);
    const struct {
        size_t asked, given;
    } sizes[] = {{page, page}, {page + 1, 2 * page}, {2 * page, 2 * page}, {3 * page, 4 * page}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        shm = make(sizes[i].asked);
        CHECK(shm->capacity == sizes[i].given);
        pc_shm_detach(shm);
    }
}

// Positions that became no multiple of eight: a getter sees it at once, a putter when it looks at the other side.
static void test_positions_that_moved(void)
{
    pc_shm *shm = make(1);
    atomic_store(&shm->header->put.position, 4);
    atomic_store(&shm->header->get.position, 4);
    int status = 0;
    for (int i = 0; i < 1000 && status == 0; i++)
        status = put(shm);
    CHECK(status == -EBADMSG && get(shm, 1) == -EBADMSG);
    pc_shm_detach(shm);
    shm = make(1); // a getter ahead of the putters
    atomic_store(&shm->header->get.position, 8);
    shm->header->put.seen = 8;
    CHECK(put(shm) == -EBADMSG && get(shm, 2) == -EBADMSG);
    pc_shm_detach(shm);
}

static void test_users(void)
{
    pc_shm *shm = make(1);
    static pid_t pids[PC_SHM_USERS];
    CHECK(pc_shm_users(shm, pids) == 1 && pids[0] == getpid());
    // One who has this number now, but began at another time; one who has ended and was not waited for.
    pc_shm_user *users = shm->header->users;
    atomic_store(&users[9].start_ticks, atomic_load(&users[0].start_ticks) + 1);
    atomic_store(&users[9].pid, (uint64_t)getpid());
    pid_t child = fork();
    if (child == 0) {
        pc_shm_after_fork(shm);
        _exit(0);
    }
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    CHECK(atomic_load(&users[1].pid) == (uint64_t)child);
    CHECK(pc_shm_users(shm, pids) == 1 && pids[0] == getpid());
    CHECK(atomic_load(&users[1].pid) == 0 && atomic_load(&users[9].pid) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    // A table full of the dead has room.
    for (size_t i = 1; i < PC_SHM_USERS; i++) {
        atomic_store(&users[i].start_ticks, 1);
        atomic_store(&users[i].pid, INT32_MAX);
    }
    pc_shm *other = NULL;
    int fd = dup(pc_shm_fd(shm));
    CHECK(pc_shm_attach(fd, &other) == 0 && other->user != NULL);
    CHECK(pc_shm_users(shm, pids) == 2 && pids[0] == getpid() && pids[1] == getpid());
    pc_shm_detach(other);
    pc_shm_detach(shm);
}

static bool woken(_Atomic uint32_t *sleepers)
{
    bool was = atomic_load(sleepers) == 0;
    atomic_store(sleepers, 1);
    return was;
}

static void test_who_is_woken(void)
{
    pc_shm *shm = make(1);
    _Atomic uint32_t *getters = &shm->header->put.sleepers, *putters = &shm->header->get.sleepers;
    CHECK(!woken(getters) || !woken(getters));
    CHECK(!woken(putters) || !woken(putters));
    CHECK(put(shm) == 0 && woken(getters) && !woken(putters));
    CHECK(put(shm) == 0 && woken(getters));
    CHECK(get(shm, 1) == 0 && woken(getters) && woken(putters)); // there is another one, and room
    CHECK(get(shm, 1) == 0 && !woken(getters) && woken(putters));
    pc_shm_pass_on(shm, true);
    CHECK(woken(getters) && !woken(putters));
    pc_shm_pass_on(shm, false);
    CHECK(!woken(getters) && woken(putters));
    // A putter is woken when a quarter is free.
    size_t count = 0;
    while (put(shm) == 0)
        count++;
    CHECK(count == shm->capacity / 16);
    (void)woken(putters);
    bool early = false;
    for (size_t i = 1; i < count / 4; i++)
        early = early || get(shm, 1) != 0 || woken(putters);
    CHECK(!early && get(shm, 1) == 0 && woken(putters));
    // One who died with the getters' lock may have died before it woke the putters.
    while (get(shm, 100) == 0)
        continue;
    (void)woken(putters);
    pid_t child = fork();
    if (child == 0) {
        _exit(pthread_mutex_lock(&shm->header->get.lock));
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(get(shm, 1) == -EAGAIN && woken(putters));
    pc_shm_state state;
    pc_shm_look(shm, &state);
    CHECK(state.recoveries == 1);
    (void)woken(getters);
    CHECK(pc_shm_close(shm) == 0 && woken(getters) && woken(putters));
    pc_shm_detach(shm);
}

int main(void)
{
    test_files();
    test_positions_that_moved();
    test_users();
    test_who_is_woken();
    return CHECK_EXIT();
}
