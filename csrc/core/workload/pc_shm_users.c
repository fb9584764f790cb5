// SPDX-License-Identifier: MIT
// The table of processes that use a segment, for people to look at: nothing hangs on it. A process is known by its pid
// and its start time, so that a later one with the same number is not taken for it. Entries of the dead are dropped by
// whoever looks. Guarded by a lock of its own.
#include "workload/pc_shm_layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_proctext.h"

// When a process started, in ticks since boot; 0 where there is none (a zombie has ended).
static uint64_t start_of(pid_t pid)
{
    char path[32], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text);
    (void)close(fd);
    pc_proctext_stat stat;
    if (length <= 0 || pc_proctext_read_stat(text, (size_t)length, &stat) < 0 || stat.state == 'Z' || stat.state == 'X')
        return 0;
    return stat.start_ticks;
}

// The table must not hold anybody up: who cannot have the lock soon does without.
static bool lock_users(pc_shm *self)
{
    pthread_mutex_t *lock = &self->header->users_lock;
    int status = pc_shm_lock_take(self, lock, pc_clock_now_ns(CLOCK_MONOTONIC) + PC_SHM_SLICE_NS);
    if (status == 1)
        pc_shm_lock_repaired(lock); // every entry is valid by itself
    return status >= 0;
}

static bool is_alive(const pc_shm_user *user, uint64_t pid)
{
    return pid <= INT32_MAX && start_of((pid_t)pid) == atomic_load(&user->start_ticks);
}

void pc_shm_users_add(pc_shm *self)
{
    self->user = NULL;
    if (!lock_users(self))
        return;
    pid_t pid = getpid();
    pc_shm_user *users = self->header->users;
    for (size_t i = 0; i < PC_SHM_USERS; i++) {
        uint64_t owner = atomic_load(&users[i].pid);
        if (owner == 0 || !is_alive(&users[i], owner)) {
            atomic_store(&users[i].pid, 0);
            atomic_store(&users[i].start_ticks, start_of(pid));
            atomic_store(&users[i].pid, (uint64_t)pid);
            self->user = &users[i];
            break;
        }
    }
    pc_shm_lock_release(&self->header->users_lock);
}

void pc_shm_users_remove(pc_shm *self)
{
    if (self->user != NULL)
        atomic_store(&self->user->pid, 0);
    self->user = NULL;
}

size_t pc_shm_users(pc_shm *self, pid_t pids[PC_SHM_USERS])
{
    size_t count = 0;
    if (!lock_users(self))
        return 0;
    pc_shm_user *users = self->header->users;
    for (size_t i = 0; i < PC_SHM_USERS; i++) {
        uint64_t pid = atomic_load(&users[i].pid);
        if (pid == 0)
            continue;
        if (is_alive(&users[i], pid))
            pids[count++] = (pid_t)pid;
        else
            atomic_store(&users[i].pid, 0);
    }
    pc_shm_lock_release(&self->header->users_lock);
    return count;
}

void pc_shm_after_fork(pc_shm *self)
{
    pc_shm_users_add(self); // the parent's entry stays the parent's
}
