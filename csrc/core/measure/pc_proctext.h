// SPDX-License-Identifier: MIT
// The text of files under /proc, taken apart: pure functions of a piece of memory, so that they can be fuzzed. What is
// not in the text, or does not fit, is said to be missing; nothing is guessed. Units are the kernel's (pages, ticks,
// KiB) unless the name says another. Source: proc(5). Thread contract: any thread.
#ifndef PC_PROCTEXT_H
#define PC_PROCTEXT_H

#include "base/pc_common.h"

typedef struct pc_proctext_stat {
    char state; // R, S, D, Z (a zombie), X (dead), ...
    uint64_t parent;
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t user_ticks;
    uint64_t system_ticks;
    uint64_t threads;
    uint64_t start_ticks; // since boot
} pc_proctext_stat;

// /proc/PID/stat. The command in parentheses may hold spaces and parentheses. -EBADMSG if a field is missing.
int pc_proctext_read_stat(const char *text, size_t length, pc_proctext_stat *stat) PC_NODISCARD;

enum { PC_PROCTEXT_NUMBERS = 8 };

// The first `count` numbers, PC_PROCTEXT_NUMBERS at most, of a line of numbers (statm). -EBADMSG if there are fewer, or
// one is no uint64_t.
int pc_proctext_read_numbers(const char *text, size_t length, uint64_t *numbers, size_t count) PC_NODISCARD;

// The next pid of a list that comes in pieces ("12 34 5", "6 "): 1 with *pid where one is complete, that is, followed
// by something else; 0 at the end of the piece, with *begun (0 at first) what the next piece goes on with; -EBADMSG
// where a number is no pid. *at moves on.
int pc_proctext_next_pid(const char **at, const char *end, int64_t *begun, int32_t *pid) PC_NODISCARD;

// The number behind `key` where that begins a line, e.g. "VmHWM:" (status, io) or "usage_usec" (cgroup's *.stat).
// -ENOENT if there is no such line, -EBADMSG if no number follows.
int pc_proctext_read_field(const char *text, size_t length, const char *key, uint64_t *number) PC_NODISCARD;

typedef struct pc_proctext_net {
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t errors; // both ways
    uint64_t drops;  // for want of room, both ways
} pc_proctext_net;

// /proc/PID/net/dev: the sums over all interfaces but "lo". -EBADMSG if it is no such table.
int pc_proctext_read_net(const char *text, size_t length, pc_proctext_net *net) PC_NODISCARD;

// A line of a pressure file (/proc/pressure/*, cgroup's *.pressure): how long some, or all ("full"), tasks that wanted
// to run stood still for want of the resource.
typedef struct pc_proctext_pressure {
    uint64_t avg10_centipercent; // over the last 10 s, in hundredths of a percent
    uint64_t total_us;
} pc_proctext_pressure;

// The line that begins with `kind` ("some", "full"). -ENOENT if there is none, -EBADMSG if it is no such line.
int pc_proctext_read_pressure(const char *text, size_t length, const char *kind,
                              pc_proctext_pressure *pressure) PC_NODISCARD;

// A limit of a cgroup: a number, or UINT64_MAX for "max", which is none. -EBADMSG for anything else.
int pc_proctext_read_limit(const char *text, size_t length, uint64_t *limit) PC_NODISCARD;

// cpu.max: CPU time that may be used (UINT64_MAX: no limit) in each period, in us. -EBADMSG for anything else.
int pc_proctext_read_quota(const char *text, size_t length, uint64_t *quota_us, uint64_t *period_us) PC_NODISCARD;

// /proc/PID/cgroup: the path in the version 2 hierarchy, a part of the text that begins with '/'. -ENOENT if the
// process has none, or one outside of the reader's cgroup namespace.
int pc_proctext_read_cgroup(const char *text, size_t length, const char **path, size_t *path_length) PC_NODISCARD;

#endif
