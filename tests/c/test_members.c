// SPDX-License-Identifier: MIT
// pc_children on made-up folders, and on processes whose threads have children; pc_members: the two ways to search find
// the same tree, sums are of all members or absent, and every allocation failing once.
#include "check.h"
#include "failing_malloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_members.h"

enum { FAMILY = 4 }; // of make_family: a child, its two children, and a child of a thread of its own

static void write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
}

// More children than are read at once, with numbers that go on in the next piece.
static void test_made_up(void)
{
    enum { CHILDREN = 3000 };
    char root[] = "/tmp/perfcore-proc-XXXXXX", path[128];
    CHECK(mkdtemp(root) != NULL);
    static const char *const folders[] = {"42", "42/task", "42/task/42"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        CHECK(mkdir(path, 0700) == 0);
    }
    (void)snprintf(path, sizeof path, "%s/42/stat", root);
    write_file(path, "42 (x) S 1");
    char *text = calloc(CHILDREN, 8);
    CHECK(text != NULL);
    size_t length = 0;
    for (int i = 0; i < CHILDREN; i++)
        length += (size_t)sprintf(text + length, "%d ", 1000 + i * 13);
    (void)snprintf(path, sizeof path, "%s/42/task/42/children", root);
    for (int lean = 0; lean <= 1; lean++) {
        write_file(path, text);
        pc_procdir folder;
        pc_children children = {0};
        CHECK(pc_procdir_open(&folder, root, 42, lean) == 0);
        for (int again = 0; again < 2; again++) {
            CHECK(pc_children_read(&folder, &children) == 0 && children.length == CHILDREN);
            bool sound = true;
            for (size_t i = 0; i < children.length; i++)
                sound = sound && children.pids[i] == 1000 + (pid_t)i * 13;
            CHECK(sound);
        }
        write_file(path, "");
        CHECK(pc_children_read(&folder, &children) == 0 && children.length == 0);
        write_file(path, "12 99999999999 ");
        CHECK(pc_children_read(&folder, &children) == -EBADMSG);
        pc_children_clear(&children);
        pc_children_clear(&children);
        pc_procdir_close(&folder);
    }
    CHECK(!pc_children_are_told(root));
    free(text);
    char command[160];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

static _Noreturn void sleep_on(void)
{
    for (;;)
        (void)pause();
}

static void *fork_one(void *argument)
{
    if (fork() == 0)
        sleep_on();
    (void)write(*(int *)argument, "x", 1);
    sleep_on();
}

// A process group of FAMILY processes; returns when all are there.
static pid_t make_family(void)
{
    int done[2];
    CHECK(pipe(done) == 0);
    pid_t leader = fork();
    if (leader == 0) {
        pthread_t thread;
        (void)setpgid(0, 0);
        for (int i = 0; i < 2; i++) {
            if (fork() == 0)
                sleep_on();
        }
        if (pthread_create(&thread, NULL, fork_one, &done[1]) != 0)
            _exit(1);
        sleep_on();
    }
    char byte;
    CHECK(read(done[0], &byte, 1) == 1);
    (void)close(done[0]);
    (void)close(done[1]);
    return leader;
}

static void end_family(pid_t leader)
{
    CHECK(kill(-leader, SIGKILL) == 0);
    CHECK(waitpid(leader, NULL, 0) == leader);
}

static size_t processes(pc_members *members)
{
    pc_members_sums sums;
    return pc_members_sample(members, PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &sums) == 0 ? sums.processes : 0;
}

static void test_ways_to_search(void)
{
    pid_t first = make_family();
    for (int scans = 0; scans <= 1; scans++) {
        if (scans == 0 && !pc_children_are_told("/proc"))
            continue;
        pc_members members;
        CHECK(pc_members_init(&members, first, true, true) == 0);
        members.scans = scans != 0;
        CHECK(pc_members_search(&members, 1) == 0 && processes(&members) == FAMILY);
        CHECK(pc_members_search(&members, 2) == 0 && processes(&members) == FAMILY); // nobody twice
        pc_members_clear(&members);

        // A newcomer of this process, with all that it has, seen by the next search; and its end.
        CHECK(pc_members_init(&members, 0, true, true) == 0);
        members.scans = scans != 0;
        CHECK(processes(&members) == 1 + FAMILY);
        pid_t second = make_family();
        CHECK(processes(&members) == 1 + FAMILY);
        CHECK(pc_members_search(&members, 3) == 0 && processes(&members) == 1 + 2 * FAMILY);
        end_family(second);
        for (int tries = 0; tries < 2000 && processes(&members) > 1 + FAMILY; tries++)
            (void)usleep(1000); // the others end in their own time
        CHECK(pc_members_search(&members, 4) == 0 && processes(&members) == 1 + FAMILY);
        pc_members_clear(&members);
    }
    end_family(first);
}

static bool has(const pc_process_metrics *metrics, pc_metric metric)
{
    return (metrics->present & PC_METRIC_BIT(metric)) != 0;
}

// The leader has two threads, and so no figure of its switches; its descendants have one each.
static void test_sums_are_of_all_or_absent(void)
{
    const pc_metric switches = PC_METRIC_VOLUNTARY_SWITCHES, faults = PC_METRIC_MINOR_FAULTS;
    pid_t leader = make_family();
    for (int root = 0; root <= 1; root++) {
        pc_members members;
        pc_members_sums sums;
        CHECK(pc_members_init(&members, leader, true, root != 0) == 0);
        CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0);
        CHECK(sums.processes == (size_t)FAMILY - (root ? 0 : 1));
        CHECK(has(&sums.gauges, PC_METRIC_RSS_BYTES) && has(&sums.gauges, faults) && has(&sums.moved, faults));
        bool all = true; // but for the root, unless a checker has given each a thread of its own
        for (size_t i = 0; i < members.length; i++)
            all = all && (members.data[i].pid == members.without || has(&members.data[i].now, switches));
        CHECK(has(&sums.gauges, switches) == all && has(&sums.moved, switches) == all && !(root && all));

        // What one of them lacked the time before has not moved by a known amount; from then on it does.
        members.data[members.length - 1].before.present &= ~PC_METRIC_BIT(faults);
        CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0);
        CHECK(has(&sums.gauges, faults) && !has(&sums.moved, faults) && has(&sums.moved, PC_METRIC_CPU_NS));
        CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0 && has(&sums.moved, faults));
        pc_members_clear(&members);
    }
    end_family(leader);

    pid_t lonely = fork();
    if (lonely == 0)
        sleep_on();
    pc_members members;
    pc_members_sums sums;
    CHECK(pc_members_init(&members, lonely, true, false) == 0);
    CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0);
    CHECK(sums.processes == 0 && sums.gauges.present == 0 && sums.moved.present == 0);
    pc_members_clear(&members);
    CHECK(kill(lonely, SIGKILL) == 0 && waitpid(lonely, NULL, 0) == lonely);
}

// Whoever was born while sampling counts from its birth; figures that were not asked for do not move; none goes back.
static void test_what_has_moved(void)
{
    const pc_metric cpu = PC_METRIC_CPU_NS;
    pc_members members;
    pc_members_sums sums;
    CHECK(pc_members_init(&members, 0, true, true) == 0);
    CHECK(members.keep * (PC_PROCDIR_FILES + 1) <= (size_t)getdtablesize() / 4); // of the descriptors that there may be
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    pid_t child = fork();
    if (child == 0) {
        while (pc_clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < 50000000)
            continue;
        (void)write(pipes[1], "x", 1);
        sleep_on();
    }
    char done;
    CHECK(read(pipes[0], &done, 1) == 1);
    const uint64_t before_ns = members.data[0].before.values[cpu];
    CHECK(pc_members_search(&members, 1) == 0 && members.length == 2 && members.data[1].pid == child);
    CHECK(pc_members_sample(&members, PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &sums) == 0 && !has(&sums.moved, cpu));
    CHECK(members.data[0].before.values[cpu] == before_ns);
    CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0 && has(&sums.moved, cpu));
    CHECK(sums.moved.values[cpu] + before_ns == sums.gauges.values[cpu] && sums.moved.values[cpu] >= 50000000);
    members.data[0].before.values[cpu] = members.data[1].before.values[cpu] = UINT64_MAX / 2;
    CHECK(pc_members_sample(&members, PC_MEMBERS_METRICS, &sums) == 0 && sums.moved.values[cpu] == 0);
    pc_members_clear(&members);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void test_out_of_memory(void)
{
    pid_t leader = make_family();
    for (int scans = 0; scans <= 1; scans++) {
        if (scans == 0 && !pc_children_are_told("/proc"))
            continue;
        long refused = 0;
        for (bool met = true; met && refused < 100; refused += met) {
            pc_members members;
            CHECK(pc_members_init(&members, leader, false, true) == 0);
            members.tree = true;
            members.scans = scans != 0;
            fail_at = refused;
            int status = pc_members_search(&members, 1);
            met = fail_at < 0;
            fail_at = -1;
            CHECK(status == (met ? -ENOMEM : 0) && (members.searched_ns == 1) == !met);
            CHECK(pc_members_search(&members, 2) == 0 && processes(&members) == FAMILY); // made up for
            pc_members_clear(&members);
        }
        CHECK(refused >= 3 && refused < 100);
    }
    end_family(leader);
}

int main(void)
{
    test_made_up();
    test_ways_to_search();
    test_sums_are_of_all_or_absent();
    test_what_has_moved();
    test_out_of_memory();
    return CHECK_EXIT();
}
