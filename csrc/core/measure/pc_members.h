// SPDX-License-Identifier: MIT
// The processes that a sampler watches: one, or a tree whose members come and go, with what each had counted at the
// sample before. Invariant: the counters of a member never go back, so neither do the sums of their differences. Thread
// contract: single owner (libproc2 wants one thread for a tree).
#ifndef PC_MEMBERS_H
#define PC_MEMBERS_H

#include "measure/pc_children.h"
#include "measure/pc_process.h"
#include "measure/pc_proclist.h"

typedef struct pc_member {
    pc_process reader;
    pid_t pid;
    pc_process_metrics before; // each when it was last read
    pc_process_metrics now;
} pc_member;

typedef struct pc_members {
    pc_member *data;
    size_t length;
    size_t capacity;
    bool tree;
    bool scans;           // all processes are looked through, where the kernel does not tell of children
    pid_t without;        // a root that is watched for its descendants alone; 0: none
    int64_t born_ns;      // when sampling began, on the clock of PC_METRIC_START_NS
    int64_t searched_ns;  // when newcomers were last looked for, monotonic
    size_t keep;          // members beyond this number keep few descriptors open
    pc_children children; // room for the search
    pc_proclist list;     // for one that scans, and the roots
    pid_t *roots;
    size_t root_capacity;
} pc_members;

// All that may be sampled: nothing that lives in status but the switches of a single thread.
#define PC_MEMBERS_METRICS                                                                                             \
    (PC_METRIC_BIT(PC_METRIC_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_CPU_NS) | PC_METRIC_BIT(PC_METRIC_MINOR_FAULTS) |    \
     PC_METRIC_BIT(PC_METRIC_MAJOR_FAULTS) | PC_METRIC_BIT(PC_METRIC_VOLUNTARY_SWITCHES) |                             \
     PC_METRIC_BIT(PC_METRIC_INVOLUNTARY_SWITCHES) | PC_METRIC_BIT(PC_METRIC_DISK_READ_BYTES) |                        \
     PC_METRIC_BIT(PC_METRIC_DISK_WRITE_BYTES) | PC_METRIC_BIT(PC_METRIC_THREADS) | PC_METRIC_BIT(PC_METRIC_FDS) |     \
     PC_METRIC_BIT(PC_METRIC_WAIT_NS))

// What a sample holds: sums over the members of the values now, and of how far counters have moved. Present is what
// every one of them has, and had before in the case of a counter.
typedef struct pc_members_sums {
    pc_process_metrics gauges;
    pc_process_metrics moved;
    size_t processes; // how many are in the sums
} pc_members_sums;

// Begin to watch `pid` (0 or its own: this process), and its descendants if `tree`; `pid` itself not, unless `root`.
// -ESRCH, -ENOMEM, -EMFILE, ...
int pc_members_init(pc_members *members, pid_t pid, bool tree, bool root) PC_NODISCARD;

// Release everything; allowed twice, and for a struct that is all zero.
void pc_members_clear(pc_members *members);

// Look for newcomers if it is a tree. Errors as of pc_members_init.
int pc_members_search(pc_members *members, int64_t now_ns) PC_NODISCARD;

// Read the `wanted` metrics of all members, drop those that have ended, and sum up the rest; a counter's move is since
// it was last wanted. -ESRCH if none is left, not even the root. On another error nothing is changed: the next sample
// tells the difference to the one before.
int pc_members_sample(pc_members *members, uint32_t wanted, pc_members_sums *sums) PC_NODISCARD;

#endif
