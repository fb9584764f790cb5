// SPDX-License-Identifier: MIT
// The processes that a sampler watches (see the header).
#include "measure/pc_members.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"

enum { DEFAULT_DESCRIPTORS = 1024, DESCRIPTORS_EACH = PC_PROCDIR_FILES + 1, TICK_NS = 10000000 };

// A quarter of the descriptors that the process may have.
static size_t members_to_keep(void)
{
    struct rlimit limit;
    size_t allowed = DEFAULT_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1000000)
        allowed = (size_t)limit.rlim_cur;
    return allowed / 4 / DESCRIPTORS_EACH;
}

static int add(pc_members *members, pid_t pid)
{
    if (members->length == members->capacity) {
        size_t capacity = members->capacity == 0 ? 1 : 2 * members->capacity;
        pc_member *data = pc_realloc(members->data, capacity, sizeof *data);
        if (data == NULL)
            return -ENOMEM;
        members->data = data;
        members->capacity = capacity;
    }
    pc_member *member = &members->data[members->length];
    member->pid = pid;
    pid_t named = pid == getpid() ? 0 : pid; // of this process getrusage knows more
    int status = pc_process_open(&member->reader, "/proc", named, members->length >= members->keep);
    if (status < 0)
        return status;
    status = pc_process_read(&member->reader, PC_MEMBERS_METRICS | PC_METRIC_BIT(PC_METRIC_START_NS), &member->before);
    if (status < 0) {
        pc_process_close(&member->reader);
        return status;
    }
    // Whoever was born while sampling counts from its birth, which is known in whole ticks.
    bool born = members->searched_ns != INT64_MIN &&
                (member->before.present & PC_METRIC_BIT(PC_METRIC_START_NS)) != 0 &&
                (int64_t)member->before.values[PC_METRIC_START_NS] > members->born_ns - TICK_NS;
    if (born)
        memset(member->before.values, 0, sizeof member->before.values);
    members->length++;
    return 0;
}

int pc_members_init(pc_members *members, pid_t pid, bool tree, bool root)
{
    pc_members made = {.tree = tree,
                       .scans = tree && !pc_children_are_told("/proc"),
                       .searched_ns = INT64_MIN,
                       .keep = members_to_keep()};
    made.born_ns = pc_clock_now_ns(CLOCK_BOOTTIME);
    pid_t named = pid == 0 ? getpid() : pid;
    made.without = root ? 0 : named;
    int status = add(&made, named);
    if (status == 0)
        status = pc_members_search(&made, pc_clock_now_ns(CLOCK_MONOTONIC));
    if (status < 0) {
        pc_members_clear(&made);
        return status;
    }
    *members = made;
    return 0;
}

void pc_members_clear(pc_members *members)
{
    for (size_t i = 0; i < members->length; i++)
        pc_process_close(&members->data[i].reader);
    pc_free(members->data);
    pc_free(members->roots);
    pc_children_clear(&members->children);
    pc_proclist_clear(&members->list);
    *members = (pc_members){0};
}

static bool is_member(const pc_members *members, pid_t pid)
{
    for (size_t i = 0; i < members->length; i++) {
        if (members->data[i].pid == pid)
            return true;
    }
    return false;
}

// Ask each member for its children. Those that are added are asked in turn.
static int ask_members(pc_members *members)
{
    for (size_t i = 0; i < members->length; i++) {
        int status = pc_children_read(&members->data[i].reader.folder, &members->children);
        if (status == -ESRCH) // it has ended; the next sample drops it
            continue;
        for (size_t child = 0; status == 0 && child < members->children.length; child++) {
            pid_t pid = members->children.pids[child];
            status = is_member(members, pid) ? 0 : add(members, pid);
            if (status == -ESRCH) // gone already, or a zombie
                status = 0;
        }
        if (status < 0)
            return status;
    }
    return 0;
}

// Look through all processes.
static int scan_processes(pc_members *members)
{
    if (members->length > members->root_capacity) {
        pid_t *roots = pc_realloc(members->roots, members->capacity, sizeof *roots);
        if (roots == NULL)
            return -ENOMEM;
        members->roots = roots;
        members->root_capacity = members->capacity;
    }
    // Every member is a root: the children of one whose parent has ended belong to the tree all the same.
    for (size_t i = 0; i < members->length; i++)
        members->roots[i] = members->data[i].pid;
    size_t found;
    int status = pc_proclist_read(&members->list);
    if (status == 0)
        status = pc_proclist_descendants(&members->list, members->roots, members->length, &found);
    if (status < 0)
        return status;
    for (size_t i = 0; i < found; i++) {
        status = add(members, members->list.entries[i].pid);
        if (status < 0 && status != -ESRCH) // gone already
            return status;
    }
    return 0;
}

int pc_members_search(pc_members *members, int64_t now_ns)
{
    if (!members->tree)
        return 0;
    int status = members->scans ? scan_processes(members) : ask_members(members);
    if (status == 0)
        members->searched_ns = now_ns; // only now: a member that is left out would be missing from the sums
    return status;
}

// Add what one member has. What it lacks is missing from the sum for good: a part of a sum is no sum.
static void sum_up(const pc_process_metrics *from, pc_process_metrics *sum)
{
    for (int i = 0; i < PC_METRIC_COUNT; i++) {
        if (from->present & PC_METRIC_BIT(i))
            sum->values[i] += from->values[i];
    }
    sum->present &= from->present;
}

int pc_members_sample(pc_members *members, uint32_t wanted, pc_members_sums *sums)
{
    for (size_t i = 0; i < members->length;) {
        pc_member *member = &members->data[i];
        int status = pc_process_read(&member->reader, wanted, &member->now);
        if (status == -ESRCH) {
            pc_process_close(&member->reader);
            *member = members->data[--members->length];
        } else if (status < 0) {
            return status;
        } else {
            i++;
        }
    }
    if (members->length == 0)
        return -ESRCH;
    pc_members_sums made = {.gauges.present = PC_METRIC_ALL, .moved.present = PC_METRIC_ALL};
    for (size_t i = 0; i < members->length; i++) {
        pc_member *member = &members->data[i];
        if (member->pid == members->without)
            continue;
        pc_process_metrics moved = {.present = member->now.present & member->before.present};
        for (int metric = 0; metric < PC_METRIC_COUNT; metric++) {
            uint64_t now = member->now.values[metric], before = member->before.values[metric];
            moved.values[metric] = now > before ? now - before : 0;
            if (member->now.present & PC_METRIC_BIT(metric))
                member->before.values[metric] = now;
        }
        sum_up(&member->now, &made.gauges);
        sum_up(&moved, &made.moved);
        member->before.present |= member->now.present;
        made.processes++;
    }
    if (made.processes == 0)
        made.gauges.present = made.moved.present = 0;
    *sums = made;
    return 0;
}
