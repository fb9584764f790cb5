// link: -Wl,--wrap=pread
// SPDX-License-Identifier: MIT
// pc_net on a table that comes in pages, as the kernel gives it: all interfaces are in the sums, or none; interrupted
// and failing reads.
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure/pc_net.h"

enum { PAGE_BYTES = 4096, LINE_BYTES = 160, MANY = 100 };

static char *table;
static size_t table_length;
static long calls, fails_at; // the number of the call to pread that fails, from 1; 0: none
static int failure;

ssize_t __wrap_pread(int file, void *block, size_t size, off_t offset);

ssize_t __wrap_pread(int file, void *block, size_t size, off_t offset)
{
    (void)file;
    if (++calls == fails_at) {
        errno = failure;
        return -1;
    }
    size_t left = table_length - (size_t)offset;
    size_t part = left < size ? left : size;
    part = part < PAGE_BYTES ? part : PAGE_BYTES;
    memcpy(block, table + offset, part);
    return (ssize_t)part;
}

static void make_table(size_t interfaces)
{
    free(table);
    table = calloc(interfaces + 3, LINE_BYTES);
    CHECK(table != NULL);
    table_length = (size_t)sprintf(table, "Inter-| Receive | Transmit\n face |bytes packets\n"
                                          "    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n");
    for (size_t i = 0; i < interfaces; i++)
        table_length += (size_t)sprintf(table + table_length,
                                        "veth%08zu: %8zu %8d    0    0    0     0          0         0 %8d        1    "
                                        "0    0    0     0       0          0\n",
                                        i, i + 1, 1, 10);
}

static void test_all_pages(pc_net *net)
{
    pc_proctext_net counters = {0};
    make_table(MANY);
    CHECK(table_length > 2 * PAGE_BYTES && table_length < PC_NET_TEXT_BYTES);
    for (int again = 0; again < 2; again++) {
        CHECK(pc_net_read(net, &counters) == 0);
        CHECK(counters.received_bytes == (uint64_t)MANY * (MANY + 1) / 2 && counters.sent_bytes == (uint64_t)MANY * 10);
    }
    make_table(0);
    CHECK(pc_net_read(net, &counters) == 0 && counters.received_bytes == 0 && counters.sent_bytes == 0);
}

static void test_failures(pc_net *net)
{
    pc_proctext_net counters = {.received_bytes = 7};
    make_table(PC_NET_TEXT_BYTES / 64);
    CHECK(table_length > PC_NET_TEXT_BYTES);
    CHECK(pc_net_read(net, &counters) == -EMSGSIZE && counters.received_bytes == 7);
    make_table(MANY);
    for (long call = 1; call <= 2; call++) {
        calls = 0;
        fails_at = call;
        failure = EIO;
        CHECK(pc_net_read(net, &counters) == -EIO && counters.received_bytes == 7);
    }
    calls = 0;
    failure = EINTR;
    CHECK(pc_net_read(net, &counters) == 0 && counters.sent_bytes == (uint64_t)MANY * 10);
    fails_at = 0;
}

int main(void)
{
    static pc_net net;
    net.file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(net.file >= 0);
    test_all_pages(&net);
    test_failures(&net);
    pc_net_close(&net);
    pc_net_close(&net);
    pc_proctext_net counters;
    CHECK(pc_net_read(&net, &counters) == -ENOENT);
    free(table);
    return CHECK_EXIT();
}
