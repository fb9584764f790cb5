// SPDX-License-Identifier: MIT
// Small files and folders of the kernel's (see the header).
#include "measure/pc_procfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdalign.h>
#include <unistd.h>

enum { ENTRIES_BYTES = 4096 };

bool pc_procfile_is_shortage(int status)
{
    return status == -EMFILE || status == -ENFILE || status == -ENOMEM;
}

int pc_procfile_read(int directory, const char *name, char *text, size_t capacity, size_t *length)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    size_t filled = 0;
    ssize_t part = 1;
    while (filled < capacity && part != 0) {
        part = read(file, text + filled, capacity - filled);
        if (part > 0) {
            filled += (size_t)part;
        } else if (part < 0 && errno != EINTR) {
            int status = -errno;
            (void)close(file);
            return status;
        }
    }
    (void)close(file);
    *length = filled;
    return 0;
}

int pc_procfile_each_thread(int directory, pc_procfile_visit visit, void *context)
{
    int tasks = openat(directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tasks < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    alignas(struct dirent64) char entries[ENTRIES_BYTES];
    int status = 0;
    ssize_t length = 0;
    // Not readdir, which would allocate behind the seam's back.
    while (status == 0 && (length = getdents64(tasks, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; status == 0 && at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] != '.')
                status = visit(tasks, entry->d_name, context);
        }
    }
    if (status == 0 && length < 0)
        status = errno == ENOENT ? -ESRCH : -errno;
    (void)close(tasks);
    return status;
}
