// SPDX-License-Identifier: MIT
// One sample of a target, a process or a tree: gauges summed over its members, and counters as rates since the sample
// before. What was not there is NaN. What the calling thread itself uses up is taken out of this process's figures.
// Units: in the names of the columns. Thread contract: single owner, on one thread from open to close.
#ifndef PC_PROBE_H
#define PC_PROBE_H

#include "measure/pc_members.h"
#include "measure/pc_net.h"

typedef enum pc_sampler_column {
    PC_SAMPLER_CPU_PERCENT, // 100 is one processor
    PC_SAMPLER_RSS_BYTES,
    PC_SAMPLER_THREADS,
    PC_SAMPLER_FDS,
    PC_SAMPLER_PROCESSES,
    PC_SAMPLER_DISK_READ_BYTES_PER_S,
    PC_SAMPLER_DISK_WRITE_BYTES_PER_S,
    PC_SAMPLER_NET_RECEIVED_BYTES_PER_S,
    PC_SAMPLER_NET_SENT_BYTES_PER_S,
    PC_SAMPLER_MINOR_FAULTS_PER_S,
    PC_SAMPLER_MAJOR_FAULTS_PER_S,
    PC_SAMPLER_VOLUNTARY_SWITCHES_PER_S,
    PC_SAMPLER_INVOLUNTARY_SWITCHES_PER_S,
    PC_SAMPLER_RUN_QUEUE_WAIT_PERCENT, // 100 is one thread that waits for a processor all the time
    PC_SAMPLER_COLUMNS
} pc_sampler_column;

typedef struct pc_probe {
    pc_members members;
    int64_t interval_ns;
    int64_t search_every_ns; // how often to look for newcomers
    int64_t started_ns;      // monotonic
    int64_t sampled_ns;      // the sample before; 0: none yet
    int64_t rates_ns;        // and when rates were read; 0: not yet
    int64_t waits_ns;        // the run queue
    uint64_t cpu_ns;         // spent since cpu_since_ns, not yet told as a rate
    int64_t cpu_since_ns;
    bool cpu_told, rates_told, waits_told, net_told; // as a rate, once at least
    pc_process_metrics own;                          // what the calling thread had used up at the sample before
    pc_net net;
    int64_t net_ns; // the network
    pc_proctext_net net_before;
} pc_probe;

// The name of a column, with its unit.
const char *pc_sampler_column_name(pc_sampler_column column);

// Begin with `pid` (0: this process; its descendants alone unless `root`), and its descendants if `tree`. What is not
// told at every sample is told at `interval_ns` at most. -ESRCH, -EMFILE, -ENOMEM; the probe must be closed also then.
int pc_probe_open(pc_probe *probe, pid_t pid, bool tree, bool root, int64_t interval_ns) PC_NODISCARD;

// Release everything; allowed twice.
void pc_probe_close(pc_probe *probe);

// Take a sample: for each of the PC_SAMPLER_COLUMNS the value, the time that it stands for, and when it was taken since
// the start. With `last` also a rate whose time is half up, or one that was not told before. -ESRCH when no process is
// left; on another error the next sample makes up for it.
int pc_probe_sample(pc_probe *probe, bool last, double *values, double *weights, int64_t *time_ns) PC_NODISCARD;

#endif
