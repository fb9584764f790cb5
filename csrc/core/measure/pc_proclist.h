// SPDX-License-Identifier: MIT
// Which processes there are, and which descend from given ones, through libproc2's "pids" interface (its reap alone,
// which costs about 10 us a process; select leaks descriptors in 4.0.6). The metrics of a member are pc_process's to
// read: libproc2 gives 0 for a file that it may not read, where we say absent.
//
// Thread contract: single owner, on one thread: libproc2 keeps up to 265 KB of thread-local memory for each thread that
// uses it, so a program with many threads calls this from one of them.
#ifndef PC_PROCLIST_H
#define PC_PROCLIST_H

#include <sys/types.h>

#include "base/pc_common.h"

typedef struct pc_proclist_entry {
    pid_t pid;
    pid_t parent;
    uint64_t start_ticks; // since boot: with the pid, what tells a process from a later one of the same number
} pc_proclist_entry;

typedef struct pc_proclist {
    void *info; // libproc2's
    pc_proclist_entry *entries;
    size_t length;
    size_t capacity;
} pc_proclist;

// All zero is a valid, empty list. Release with pc_proclist_clear, which leaves it so.
void pc_proclist_clear(pc_proclist *list);

// Read all processes into the list, in ascending order of their pids. -ENOMEM, or -errno of libproc2.
int pc_proclist_read(pc_proclist *list) PC_NODISCARD;

// Move to the front of the list the descendants of any of `roots` (roots themselves excluded, whether alive or not), in
// the order of the list, and say how many. The rest of the list is lost. -ENOMEM.
int pc_proclist_descendants(pc_proclist *list, const pid_t *roots, size_t root_count, size_t *found) PC_NODISCARD;

#endif
