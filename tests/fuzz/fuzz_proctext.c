// SPDX-License-Identifier: MIT
// Any bytes as files of /proc: nothing is read past the end, a failure leaves the outputs untouched, and a text that is
// accepted is accepted with a newline more.
#include <stdlib.h>
#include <string.h>

#include "measure/pc_proctext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

// The sum of the pids, from text in two pieces; -1 where it is refused.
static int64_t sum_of_pids(const char *text, size_t first, size_t size)
{
    const char *at = text, *ends[] = {text + first, text + size};
    int64_t begun = 0, sum = 0;
    for (int piece = 0; piece < 2; piece++) {
        int32_t pid = 0;
        int status;
        while ((status = pc_proctext_next_pid(&at, ends[piece], &begun, &pid)) > 0) {
            DEMAND(pid > 0 && begun == 0);
            sum += pid;
        }
        if (status < 0)
            return -1;
        DEMAND(at == ends[piece] && begun >= 0 && begun <= INT32_MAX);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); // with exactly the bytes behind it that a parser must not touch
    DEMAND(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    char *exact = malloc(size > 0 ? size : 1);
    DEMAND(exact != NULL);
    memcpy(exact, text, size);
    text[size] = '\n';

    pc_proctext_stat stat, again;
    memset(&stat, 0x5a, sizeof stat);
    memcpy(&again, &stat, sizeof stat);
    if (pc_proctext_read_stat(exact, size, &stat) < 0)
        DEMAND(memcmp(&stat, &again, sizeof stat) == 0);
    else
        DEMAND(pc_proctext_read_stat(text, size + 1, &again) == 0 && again.start_ticks == stat.start_ticks);

    uint64_t numbers[4] = {7, 7, 7, 7}, more[4];
    if (pc_proctext_read_numbers(exact, size, numbers, 4) < 0)
        DEMAND(numbers[0] == 7 && numbers[3] == 7);
    else
        DEMAND(pc_proctext_read_numbers(text, size + 1, more, 4) == 0 && memcmp(numbers, more, sizeof more) == 0);

    uint64_t number = 7, same;
    if (pc_proctext_read_field(exact, size, "VmHWM:", &number) < 0)
        DEMAND(number == 7);
    else
        DEMAND(pc_proctext_read_field(text, size + 1, "VmHWM:", &same) == 0 && same == number);

    pc_proctext_net net = {7, 7, 7, 7};
    if (pc_proctext_read_net(exact, size, &net) < 0)
        DEMAND(net.received_bytes == 7 && net.sent_bytes == 7 && net.drops == 7);

    pc_proctext_pressure stall = {7, 7}, other = {7, 7};
    if (pc_proctext_read_pressure(exact, size, "some", &stall) < 0)
        DEMAND(stall.avg10_centipercent == 7 && stall.total_us == 7);
    else
        DEMAND(pc_proctext_read_pressure(text, size + 1, "some", &other) == 0 && other.total_us == stall.total_us);

    uint64_t limit = 7, quota = 7, period = 7;
    if (pc_proctext_read_limit(exact, size, &limit) < 0)
        DEMAND(limit == 7);
    if (pc_proctext_read_quota(exact, size, &quota, &period) < 0)
        DEMAND(quota == 7 && period == 7);
    else
        DEMAND(period > 0);

    DEMAND(sum_of_pids(exact, size / 2, size) == sum_of_pids(exact, 0, size));

    const char *path = NULL;
    size_t path_length = 0;
    if (pc_proctext_read_cgroup(exact, size, &path, &path_length) == 0)
        DEMAND(path >= exact && path + path_length <= exact + size && path_length > 0 && path[0] == '/' &&
               memchr(path, '\n', path_length) == NULL);
    else
        DEMAND(path == NULL);
    free(exact);
    free(text);
    return 0;
}
