// SPDX-License-Identifier: MIT
// The children of a process (see the header).
#include "measure/pc_children.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_procfile.h"
#include "measure/pc_proctext.h"

enum { FIRST_CAPACITY = 16 };

bool pc_children_are_told(const char *proc)
{
    char path[256];
    int written = snprintf(path, sizeof path, "%s/thread-self/children", proc);
    return written > 0 && (size_t)written < sizeof path && access(path, R_OK) == 0;
}

void pc_children_clear(pc_children *children)
{
    pc_free(children->pids);
    *children = (pc_children){0};
}

static int append(pc_children *children, pid_t pid)
{
    if (children->length == children->capacity) {
        size_t capacity = children->capacity == 0 ? FIRST_CAPACITY : 2 * children->capacity;
        pid_t *pids = pc_realloc(children->pids, capacity, sizeof *pids);
        if (pids == NULL)
            return -ENOMEM;
        children->pids = pids;
        children->capacity = capacity;
    }
    children->pids[children->length++] = pid;
    return 0;
}

// Read a file of numbers, each with a blank behind it, from its beginning.
static int read_file(int file, pc_children *children)
{
    char text[PC_PROCDIR_TEXT_BYTES];
    off_t offset = 0;
    int64_t begun = 0;
    for (;;) {
        ssize_t length = pread(file, text, sizeof text, offset);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0 ? 0 : -errno;
        offset += length;
        const char *at = text, *end = text + length;
        int32_t pid;
        int status;
        while ((status = pc_proctext_next_pid(&at, end, &begun, &pid)) > 0) {
            status = append(children, pid);
            if (status < 0)
                return status;
        }
        if (status < 0)
            return status;
    }
}

// Of one thread, whose name is its number. One that has ended since has left its children to the others.
static int read_thread(int tasks, const char *thread, void *children)
{
    char path[64];
    int written = snprintf(path, sizeof path, "%s/children", thread);
    if (written < 0 || (size_t)written >= sizeof path)
        return 0;
    int file = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return pc_procfile_is_shortage(-errno) ? -errno : 0;
    int status = read_file(file, children);
    (void)close(file);
    return status == -ESRCH || status == -ENOENT ? 0 : status;
}

int pc_children_read(pc_procdir *folder, pc_children *children)
{
    children->length = 0;
    int status = pc_procdir_follow_fork(folder);
    uint64_t threads = 0;
    if (status == 0)
        status = pc_procdir_count(folder, PC_PROCDIR_TASK, &threads);
    if (status < 0)
        return status;
    if (threads != 1)
        return pc_procfile_each_thread(folder->directory, read_thread, children);
    int file;
    status = pc_procdir_borrow(folder, PC_PROCDIR_CHILDREN, &file);
    if (status < 0 || file < 0)
        return status;
    status = read_file(file, children);
    pc_procdir_release(folder, PC_PROCDIR_CHILDREN, file);
    return status == -ENOENT ? -ESRCH : status;
}
