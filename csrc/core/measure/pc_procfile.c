// SPDX-License-Identifier: MIT
// Small files of the kernel's (see the header).
#include "measure/pc_procfile.h"

#include <fcntl.h>
#include <unistd.h>

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
