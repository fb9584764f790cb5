// SPDX-License-Identifier: MIT
// A thread that samples this process, another one, or a tree of processes whose members come and go, at a steady
// interval, into a series of bounded memory. It runs no Python and so needs no GIL.
//
// What a sample is: gauges (memory, threads, descriptors, processes) summed over the members, and counters as rates
// since the sample before, counted member by member, so that one that ends takes nothing away. A process that was born
// while sampling counts from its birth; one that lives and dies between two searches (100 ms, or the interval if that
// is longer, or 200 times what the last search took of a processor) is not seen. The sampler's own thread is taken out
// of CPU, switches, faults and threads. At 1 ms a sample is the memory and the number of processes; rates, threads and
// descriptors are read every 10 ms at most, the network and the run queue every 100 ms (its figure is of the threads
// alive), CPU is told every 50 ms at most, as the kernel brings the time of a running thread up to date only at its
// ticks. Network counters are those of the target's network namespace without "lo": the kernel keeps none for a
// process. A sample that could not be read completely is dropped and counted as missed, never entered with a part of
// its figure; so are instants that the thread came too late for.
//
// Thread contract: create, start, stop and destroy are one owner's; look, aggregate and column are any thread's, at any
// time. In a forked child the thread does not exist: everything but destroy says -ECHILD there.
#ifndef PC_SAMPLER_H
#define PC_SAMPLER_H

#include <sys/types.h>

#include "measure/pc_probe.h"
#include "measure/pc_samples.h"

enum { PC_SAMPLER_MIN_INTERVAL_NS = 1000000 };
#define PC_SAMPLER_MAX_INTERVAL_NS INT64_C(10000000000)

typedef struct pc_sampler pc_sampler;

typedef struct pc_sampler_options {
    pid_t pid;     // 0: this process
    bool tree;     // its descendants too
    bool rootless; // its descendants alone: samples go on, without figures, while there are none
    int64_t interval_ns;
    size_t capacity; // slots of the series
} pc_sampler_options;

typedef struct pc_sampler_info {
    bool ended;       // no process is left to sample
    uint64_t samples; // taken
    uint64_t missed;  // too late for, or not completely readable
    int64_t duration_ns;
} pc_sampler_info;

typedef struct pc_sampler_aggregate {
    uint64_t count; // samples in which the metric was there; the rest is NaN if it is 0
    double mean;    // over time
    double min;
    double max;
    double p95;
    double p99;
} pc_sampler_aggregate;

// Make a sampler that does not run. -EINVAL for an interval out of bounds or a capacity of 0 or above 2^20, -ENOMEM.
int pc_sampler_create(const pc_sampler_options *options, pc_sampler **sampler) PC_NODISCARD;

// Stop if it runs, and release everything; NULL is allowed.
void pc_sampler_destroy(pc_sampler *sampler);

// Forget what was sampled, and run. Returns after the first sample, which counters are held against. -EALREADY if it
// runs, -ESRCH if there is no such process, -EMFILE and the like.
int pc_sampler_start(pc_sampler *sampler) PC_NODISCARD;

// Take a last sample and stop; returns when the thread has ended. 0 also if it does not run.
int pc_sampler_stop(pc_sampler *sampler) PC_NODISCARD;

int pc_sampler_look(pc_sampler *sampler, pc_sampler_info *info) PC_NODISCARD;
int pc_sampler_aggregates(pc_sampler *sampler, pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS]) PC_NODISCARD;

// Append the series of a column: the times in seconds since the start, and the least, mean and greatest value of each
// slot (NaN where absent). -ENOMEM, with the arrays of the same length as each other or as they were.
int pc_sampler_read(pc_sampler *sampler, pc_sampler_column column, pc_samples *times_s, pc_samples *least,
                    pc_samples *mean, pc_samples *greatest) PC_NODISCARD;

#endif
