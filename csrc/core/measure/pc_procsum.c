// SPDX-License-Identifier: MIT
// Figures of a process that have to be added up (see the header).
#include "measure/pc_procsum.h"

#include <stdio.h>

#include "measure/pc_procfile.h"
#include "measure/pc_proctext.h"

enum { TEXT_BYTES = 4096, KIB = 1024 };

static int shortage_or_no_data(int status)
{
    return pc_procfile_is_shortage(status) ? status : -ENODATA;
}

typedef struct waits {
    uint64_t sum_ns;
    size_t threads;
} waits;

// A thread's schedstat: "run_ns wait_ns slices".
static int add_wait(int tasks, const char *thread, void *context)
{
    waits *found = context;
    char path[64], text[128];
    uint64_t numbers[2];
    size_t length;
    int written = snprintf(path, sizeof path, "%s/schedstat", thread);
    if (written < 0 || (size_t)written >= sizeof path)
        return 0;
    int status = pc_procfile_read(tasks, path, text, sizeof text, &length);
    if (status == 0)
        status = pc_proctext_read_numbers(text, length, numbers, 2);
    if (status < 0) // where nothing is short, the thread has ended, or the kernel has no such file
        return pc_procfile_is_shortage(status) ? status : 0;
    found->sum_ns += numbers[1];
    found->threads++;
    return 0;
}

int pc_procsum_read_wait(int directory, uint64_t *wait_ns)
{
    waits found = {0};
    int status = pc_procfile_each_thread(directory, add_wait, &found);
    if (status < 0)
        return shortage_or_no_data(status);
    if (found.threads == 0)
        return -ENODATA;
    *wait_ns = found.sum_ns;
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
