// SPDX-License-Identifier: MIT
// The children of a process, from /proc/PID/task/TID/children, which names those of one thread: 1 us for a process of
// one thread, where a look at every process of the machine takes 10 us for each of them.
//
// The kernel may leave out a child while another one ends; it is there the next time. A zombie is a child too. Source:
// proc(5). Thread contract: single owner.
#ifndef PC_CHILDREN_H
#define PC_CHILDREN_H

#include "measure/pc_procdir.h"

// An array of pids that grows.
typedef struct pc_children {
    pid_t *pids;
    size_t length;
    size_t capacity;
} pc_children;

// Whether this kernel has these files (CONFIG_PROC_CHILDREN).
bool pc_children_are_told(const char *proc);

// All zero is a valid, empty array. Release with pc_children_clear, which leaves it so.
void pc_children_clear(pc_children *children);

// Replace what is in the array by the children of the folder's process. -ESRCH when the process has ended, -ENOMEM,
// -EMFILE and the like; what is in the array then is not to be used.
int pc_children_read(pc_procdir *folder, pc_children *children) PC_NODISCARD;

#endif
