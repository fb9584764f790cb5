// SPDX-License-Identifier: MIT
// pc_proctext on texts good and bad; pc_process on made-up /proc folders, on this process and on ended ones;
// pc_proclist's descendants.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_proclist.h"
#include "measure/pc_process.h"
#include "measure/pc_proctext.h"

#define STAT "42 (a) b (c) S 7 42 42 0 -1 4194304 102 3 5 4 11 12 13 14 20 0 9 0 1699260 3133440 416 1\n"
#define NET                                                                                                            \
    "Inter-| Receive | Transmit\n face |bytes packets\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n"                      \
    "  eth0: 100 1 2 1 0 0 0 0 20 1 3 5 0 0 0 0\nwl0:5 1 0 0 0 0 0 0 6 1 4 0 0 0 0 0\n"

static void test_text(void)
{
    pc_proctext_stat stat = {0};
    CHECK(pc_proctext_read_stat(STAT, strlen(STAT), &stat) == 0);
    CHECK(stat.state == 'S' && stat.parent == 7 && stat.minor_faults == 102 && stat.major_faults == 5);
    CHECK(stat.user_ticks == 11 && stat.system_ticks == 12 && stat.threads == 9 && stat.start_ticks == 1699260);
    size_t needed = (size_t)(strstr(STAT, " 1699260") - STAT) + 2;
    bool refused = true;
    for (size_t length = 0; length < needed; length++)
        refused = refused && pc_proctext_read_stat(STAT, length, &stat) == -EBADMSG;
    CHECK(refused);

    uint64_t numbers[3] = {0};
    CHECK(pc_proctext_read_numbers("765 423 394 5", 13, numbers, 3) == 0);
    CHECK(numbers[0] == 765 && numbers[1] == 423 && numbers[2] == 394);
    const char *const bad[] = {"", "1 2", "1 2 x", "1 -2 3", "1 2 18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(pc_proctext_read_numbers(bad[i], strlen(bad[i]), numbers, 3) == -EBADMSG && numbers[0] == 765);
    CHECK(pc_proctext_read_numbers("18446744073709551615", 20, numbers, 1) == 0 && numbers[0] == UINT64_MAX);

    const char pieces[] = "12 34567  8";
    const char *next = pieces;
    int64_t begun = 0;
    int32_t pid = 7;
    CHECK(pc_proctext_next_pid(&next, pieces + 5, &begun, &pid) == 1 && pid == 12);
    CHECK(pc_proctext_next_pid(&next, pieces + 5, &begun, &pid) == 0 && pid == 12 && begun == 34);
    CHECK(pc_proctext_next_pid(&next, pieces + 11, &begun, &pid) == 1 && pid == 34567);
    CHECK(pc_proctext_next_pid(&next, pieces + 11, &begun, &pid) == 0 && begun == 8 && next == pieces + 11);
    const char much[] = "2147483647 2147483648 ";
    next = much;
    begun = 0;
    CHECK(pc_proctext_next_pid(&next, much + 22, &begun, &pid) == 1 && pid == INT32_MAX);
    CHECK(pc_proctext_next_pid(&next, much + 22, &begun, &pid) == -EBADMSG);

    static const char status[] = "Name:\tVmHWM: 3\nVmHWM:\t    1752 kB\nVmSwap:\tnone\n";
    uint64_t number = 0;
    CHECK(pc_proctext_read_field(status, strlen(status), "VmHWM:", &number) == 0 && number == 1752);
    CHECK(pc_proctext_read_field(status, strlen(status), "VmSwap:", &number) == -EBADMSG);
    CHECK(pc_proctext_read_field(status, strlen(status), "VmRSS:", &number) == -ENOENT && number == 1752);

    pc_proctext_net net = {0};
    CHECK(pc_proctext_read_net(NET, strlen(NET), &net) == 0 && net.received_bytes == 105 && net.sent_bytes == 26);
    CHECK(net.errors == 9 && net.drops == 6);
    CHECK(pc_proctext_read_net(NET, 30, &net) == -EBADMSG);
    CHECK(pc_proctext_read_net("a\nb\nx\n", 6, &net) == -EBADMSG && net.received_bytes == 105);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
}

static bool there(const pc_process_metrics *metrics, pc_metric metric, uint64_t value)
{
    return (metrics->present & PC_METRIC_BIT(metric)) != 0 && metrics->values[metric] == value;
}

static void test_made_up(void)
{
    char root[] = "/tmp/perfcore-proc-XXXXXX";
    CHECK(mkdtemp(root) != NULL);
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/42", root);
    CHECK(mkdir(folder, 0700) == 0);
    for (int lean = 0; lean <= 1; lean++) {
        write_file(folder, "stat", STAT);
        write_file(folder, "statm", "10 4 2 0 0 0 0\n");
        write_file(folder, "status", "VmHWM:\t 80 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n");
        pc_process reader;
        pc_process_metrics metrics;
        CHECK(pc_process_open(&reader, root, 42, lean) == 0);
        CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0);
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        CHECK(there(&metrics, PC_METRIC_VMS_BYTES, 10 * page) && there(&metrics, PC_METRIC_RSS_BYTES, 4 * page));
        CHECK(there(&metrics, PC_METRIC_PEAK_RSS_BYTES, 80 * 1024) && there(&metrics, PC_METRIC_THREADS, 9));
        CHECK(there(&metrics, PC_METRIC_USER_NS, 110000000) && there(&metrics, PC_METRIC_MAJOR_FAULTS, 5));
        // Not in the files, or not for all of the threads: absent.
        uint32_t absent = PC_METRIC_BIT(PC_METRIC_SWAP_BYTES) | PC_METRIC_BIT(PC_METRIC_READ_BYTES) |
                          PC_METRIC_BIT(PC_METRIC_VOLUNTARY_SWITCHES) | PC_METRIC_BIT(PC_METRIC_FDS);
        CHECK((metrics.present & absent) == 0);
        // Only what is asked for.
        CHECK(pc_process_read(&reader, PC_METRIC_BIT(PC_METRIC_SHARED_BYTES), &metrics) == 0);
        CHECK(metrics.present == PC_METRIC_BIT(PC_METRIC_SHARED_BYTES) && metrics.values[PC_METRIC_RSS_BYTES] == 0);
        // A number that is cut off where the reading ends is absent, a whole one before it is there.
        char status[PC_PROCDIR_TEXT_BYTES + 64] = "VmSwap:\t 5 kB\nGroups:\t";
        for (size_t left = 8; left <= 14; left++) { // from "VmHWM:\t 8" to all but the newline
            size_t start = strlen("VmSwap:\t 5 kB\nGroups:\t"), line = PC_PROCDIR_TEXT_BYTES - left;
            memset(status + start, '1', line - start);
            (void)snprintf(status + line - 1, 64, "\nVmHWM:\t 8765 kB\nVmSwap:\t 6 kB\n");
            write_file(folder, "status", status);
            CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0);
            CHECK(there(&metrics, PC_METRIC_SWAP_BYTES, 5 * 1024) &&
                  (metrics.present & PC_METRIC_BIT(PC_METRIC_PEAK_RSS_BYTES)) == 0);
        }
        memset(status, '1', sizeof status);
        status[sizeof status - 1] = 0;
        write_file(folder, "status", status); // no whole line at all
        CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0);
        CHECK((metrics.present & PC_METRIC_BIT(PC_METRIC_SWAP_BYTES)) == 0);
        // Nonsense is absent, a zombie has ended.
        write_file(folder, "statm", "what?\n");
        CHECK(pc_process_read(&reader, PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &metrics) == 0 && metrics.present == 0);
        write_file(folder, "statm", "0 0 0 0 0 0 0\n");
        CHECK(pc_process_read(&reader, PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &metrics) == 0 && metrics.present == 0);
        write_file(folder, "stat", "42 (x) Z 7 42 42 0 -1 4194304 102 3 5 4 11 12 13 14 20 0 1 0 1699260\n");
        metrics.present = 77;
        CHECK(pc_process_read(&reader, PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &metrics) == -ESRCH &&
              metrics.present == 77);
        pc_process_close(&reader);
        pc_process_close(&reader);
    }
    CHECK(system(NULL) != 0); // there is a shell for the cleaning
    char command[160];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

static void test_without_proc(void)
{
    pc_process reader;
    pc_process_metrics metrics;
    CHECK(pc_process_open(&reader, "/nonexistent", 1, false) == -ESRCH);
    CHECK(pc_process_open(&reader, "/proc", -1, false) == -ESRCH);
    CHECK(pc_process_open(&reader, "/nonexistent", 0, false) == 0); // getrusage is left
    CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0);
    CHECK((metrics.present & PC_METRIC_BIT(PC_METRIC_CPU_NS)) != 0);
    CHECK((metrics.present & (PC_METRIC_BIT(PC_METRIC_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_THREADS))) == 0);
    CHECK(pc_process_reset_peak(&reader) == -ENOENT);
    pc_process_close(&reader);
}

static void test_peak_and_fork(void)
{
    enum { SPIKE = 50 << 20 };
    pc_process reader;
    pc_process_metrics metrics;
    uint32_t wanted = PC_METRIC_BIT(PC_METRIC_PEAK_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_RSS_BYTES);
    CHECK(pc_process_open(&reader, "/proc", 0, false) == 0);
    CHECK(pc_process_reset_peak(&reader) == 0);
    CHECK(pc_process_read(&reader, wanted, &metrics) == 0);
    uint64_t before = metrics.values[PC_METRIC_PEAK_RSS_BYTES];
    char *block = pc_alloc(SPIKE, 1);
    CHECK(block != NULL);
    memset(block, 1, SPIKE);
    pid_t child = fork();
    if (child == 0) { // the parent's files are reopened as the child's
        bool own = pc_process_read(&reader, PC_METRIC_BIT(PC_METRIC_MINOR_FAULTS) | wanted, &metrics) == 0 &&
                   reader.folder.owner == getpid() && metrics.values[PC_METRIC_MINOR_FAULTS] < SPIKE / 8192;
        _exit(own ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    pc_free(block);
    CHECK(pc_process_read(&reader, wanted, &metrics) == 0);
    uint64_t peak = metrics.values[PC_METRIC_PEAK_RSS_BYTES];
    CHECK(peak - before >= SPIKE - SPIKE / 100);
    pc_process_close(&reader);
}

static void test_an_ended_process(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    pc_process readers[2];
    pc_process_metrics metrics;
    CHECK(pc_process_open(&readers[0], "/proc", child, false) == 0);
    CHECK(pc_process_open(&readers[1], "/proc", child, true) == 0); // opens most files only now and then
    CHECK(pc_process_read(&readers[0], PC_METRIC_ALL, &metrics) == 0);
    CHECK((metrics.present & PC_METRIC_BIT(PC_METRIC_RSS_BYTES)) != 0);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    for (int i = 0; i < 2; i++) {
        for (int metric = 0; metric < PC_METRIC_COUNT; metric++)
            CHECK(pc_process_read(&readers[i], PC_METRIC_BIT(metric), &metrics) == -ESRCH);
        pc_process_close(&readers[i]);
    }
}

static void test_descendants(void)
{
    pc_proclist list = {0};
    const pc_proclist_entry family[] = {{1, 0, 5}, {2, 1, 6}, {3, 2, 7}, {4, 1, 8}, {5, 3, 9}, {8, 9, 1}, {9, 8, 1}};
    const size_t count = sizeof family / sizeof *family;
    const struct {
        pid_t roots[2];
        size_t root_count;
        size_t found;
        pid_t expected[4];
    } cases[] = {{{2, 0}, 1, 2, {3, 5}}, {{1, 0}, 1, 4, {2, 3, 4, 5}}, {{2, 3}, 2, 1, {5}},
                 {{5, 77}, 2, 0, {0}},   {{8, 0}, 1, 1, {9}},          {{0, 0}, 0, 0, {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        list.entries = pc_alloc(count, sizeof *list.entries);
        CHECK(list.entries != NULL);
        memcpy(list.entries, family, sizeof family);
        list.length = list.capacity = count;
        size_t found = 99;
        CHECK(pc_proclist_descendants(&list, cases[i].roots, cases[i].root_count, &found) == 0);
        CHECK(found == cases[i].found);
        for (size_t at = 0; at < found; at++)
            CHECK(list.entries[at].pid == cases[i].expected[at]);
        pc_proclist_clear(&list);
    }
    CHECK(pc_proclist_read(&list) == 0 && pc_proclist_read(&list) == 0);
    bool ordered = true, own = false;
    for (size_t i = 0; i < list.length; i++) {
        ordered = ordered && (i == 0 || list.entries[i - 1].pid < list.entries[i].pid);
        own = own || (list.entries[i].pid == getpid() && list.entries[i].parent == getppid());
    }
    CHECK(ordered && own);
    pc_proclist_clear(&list);
    pc_proclist_clear(&list);
}

int main(void)
{
    test_text();
    test_made_up();
    test_without_proc();
    test_peak_and_fork();
    test_an_ended_process();
    test_descendants();
    return CHECK_EXIT();
}
