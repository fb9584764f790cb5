// SPDX-License-Identifier: MIT
// Figures of a process that have to be added up (see the header).
#include "measure/pc_procsum.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <unistd.h>

#include "measure/pc_procfile.h"
#include "measure/pc_proctext.h"

enum { ENTRIES_BYTES = 4096, TEXT_BYTES = 4096, KIB = 1024 };

static int shortage_or_no_data(int status)
{
    return pc_procfile_is_shortage(status) ? status : -ENODATA;
}

// A thread's schedstat: "run_ns wait_ns slices".
static int read_thread(int tasks, const char *thread, uint64_t *wait_ns)
{
    char path[64], text[128];
    uint64_t numbers[2];
    size_t length;
    int written = snprintf(path, sizeof path, "%s/schedstat", thread);
    if (written < 0 || (size_t)written >= sizeof path)
        return -ENODATA;
    int status = pc_procfile_read(tasks, path, text, sizeof text, &length);
    if (status == 0)
        status = pc_proctext_read_numbers(text, length, numbers, 2);
    if (status == 0)
        *wait_ns = numbers[1];
    return status;
}

int pc_procsum_read_wait(int directory, uint64_t *wait_ns)
{
    int tasks = openat(directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tasks < 0)
        return shortage_or_no_data(-errno);
    alignas(struct dirent64) char entries[ENTRIES_BYTES];
    uint64_t sum = 0, one;
    size_t threads = 0;
    int status = 0;
    ssize_t length = 0;
    // Not readdir, which would allocate behind the seam's back.
    while (status == 0 && (length = getdents64(tasks, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; status == 0 && at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[0] == '.')
                continue;
            status = read_thread(tasks, entry->d_name, &one);
            if (status == 0) {
                sum += one;
                threads++;
            } else if (!pc_procfile_is_shortage(status)) {
                status = 0; // the thread has ended, or the kernel has no such file
            }
        }
    }
    (void)close(tasks);
    if (status < 0)
        return status;
    if (length < 0 || threads == 0)
        return -ENODATA;
    *wait_ns = sum;
    return 0;
}

int pc_procsum_read_shares(int directory, uint64_t *pss_bytes, uint64_t *uss_bytes)
{
    char text[TEXT_BYTES];
    size_t length;
    uint64_t pss, clean, dirty;
    int status = pc_procfile_read(directory, "smaps_rollup", text, sizeof text, &length);
    if (status < 0)
        return shortage_or_no_data(status);
    if (pc_proctext_read_field(text, length, "Pss:", &pss) < 0 ||
        pc_proctext_read_field(text, length, "Private_Clean:", &clean) < 0 ||
        pc_proctext_read_field(text, length, "Private_Dirty:", &dirty) < 0)
        return -ENODATA;
    *pss_bytes = pss * KIB;
    *uss_bytes = (clean + dirty) * KIB;
    return 0;
}
