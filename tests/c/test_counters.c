// link: -Wl,--wrap=read
// SPDX-License-Identifier: MIT
// pc_counters: the software event, which every kernel with perf events has, and the processor's, which may be missing;
// a counter that had to share, and one in an error state.
#include "check.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure/pc_counters.h"

ssize_t __real_read(int file, void *block, size_t size);
ssize_t __wrap_read(int file, void *block, size_t size);

static enum { AS_IT_IS, SHARED, NOTHING } reads;

ssize_t __wrap_read(int file, void *block, size_t size)
{
    if (reads == NOTHING)
        return 0;
    ssize_t length = __real_read(file, block, size);
    if (reads == SHARED && length == 24)
        memset((char *)block + 16, 0, 8); // running_ns
    return length;
}

static uint64_t work(uint64_t turns)
{
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < turns; i++)
        sum = sum + i;
    return sum;
}

static bool is_missing(int status)
{
    return status == -EACCES || status == -EPERM || status == -ENOENT || status == -ENODEV || status == -EOPNOTSUPP ||
           status == -ENOSYS;
}

static void test_event(pc_counter_event event)
{
    pc_counter counter = {-1};
    uint64_t little = 77, much = 77;
    int status = pc_counter_open(&counter, event);
    if (status < 0) {
        CHECK(is_missing(status) && counter.file == -1);
        return;
    }
    CHECK(pc_counter_start(&counter) == 0);
    (void)work(1000);
    status = pc_counter_stop(&counter, &little);
    CHECK(status == 0 || (status == -EAGAIN && little == 77));
    CHECK(pc_counter_start(&counter) == 0);
    (void)work(1000000);
    int again = pc_counter_stop(&counter, &much);
    if (status == 0 && again == 0)
        CHECK(much > little && much > 1000);
    uint64_t untouched = 5;
    reads = SHARED;
    CHECK(pc_counter_start(&counter) == 0 && work(10) > 0 && pc_counter_stop(&counter, &untouched) == -EAGAIN);
    reads = NOTHING;
    CHECK(pc_counter_start(&counter) == 0 && pc_counter_stop(&counter, &untouched) == -EIO && untouched == 5);
    reads = AS_IT_IS;
    pc_counter_close(&counter);
    pc_counter_close(&counter);
    CHECK(pc_counter_start(&counter) == -EBADF && pc_counter_stop(&counter, &untouched) == -EBADF);
}

static void test_no_descriptor(void)
{
    struct rlimit before, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    pc_counter counter = {-1};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int status = pc_counter_open(&counter, PC_COUNTER_TASK_CLOCK);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(counter.file == -1 && (status == -EMFILE || is_missing(status)));
}

int main(void)
{
    test_event(PC_COUNTER_TASK_CLOCK);
    test_event(PC_COUNTER_INSTRUCTIONS);
    test_no_descriptor();
    return CHECK_EXIT();
}
