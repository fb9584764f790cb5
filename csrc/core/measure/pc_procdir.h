// SPDX-License-Identifier: MIT
// The folder of one process under /proc, with kept descriptors of its files: what a reading costs is the kernel's part
// and little more.
//
// Invariants: the folder belongs to one process for good, not to a number. When the process ends, every read says
// -ESRCH, also when its number has been given to another. The folder of this process (pid 0) is opened anew in a forked
// child, whose inherited descriptors would still report the parent. Source: proc(5), madvise(2). Thread contract:
// single owner.
#ifndef PC_PROCDIR_H
#define PC_PROCDIR_H

#include <sys/types.h>

#include "base/pc_common.h"

// The files that may be kept open.
enum {
    PC_PROCDIR_STATM,
    PC_PROCDIR_STAT,
    PC_PROCDIR_STATUS,
    PC_PROCDIR_IO,
    PC_PROCDIR_SCHEDSTAT, // of the main thread
    PC_PROCDIR_CHILDREN,  // of the main thread
    PC_PROCDIR_FD,        // a folder
    PC_PROCDIR_TASK,      // a folder
    PC_PROCDIR_FILES
};

enum { PC_PROCDIR_TEXT_BYTES = 4096 }; // status of a process in 300 groups; the others but children are under 500 bytes

typedef struct pc_procdir {
    const char *proc;               // where proc is mounted; lives as long as this
    pid_t pid;                      // 0: the process that reads
    pid_t owner;                    // that opened the files
    bool lean;                      // keep only the folder and statm open, for readers of many processes
    volatile unsigned char *canary; // of pid 0: 1, but 0 in a forked child (or NULL: ask getpid)
    int directory;                  // -1: none
    int files[PC_PROCDIR_FILES];
} pc_procdir;

// Open the folder of process `pid`, or of whichever process reads if it is 0. -ESRCH if there is no such process (or it
// is hidden), -EMFILE and the like if nothing can be opened. Of this process a missing /proc is survived: no file can
// be read then.
int pc_procdir_open(pc_procdir *folder, const char *proc, pid_t pid, bool lean) PC_NODISCARD;

// Close all files. Allowed twice.
void pc_procdir_close(pc_procdir *folder);

// Open it anew if it is pid 0's and this is a forked child. To be called before the files are read.
int pc_procdir_follow_fork(pc_procdir *folder) PC_NODISCARD;

// A descriptor of a file, below zero if it cannot be had; to be given to pc_procdir_release. -ESRCH when the process
// has ended, -EMFILE and the like.
int pc_procdir_borrow(pc_procdir *folder, int file, int *descriptor) PC_NODISCARD;

// Close a descriptor if it is not one of those that are kept.
void pc_procdir_release(const pc_procdir *folder, int file, int descriptor);

// Read the beginning of a file, up to PC_PROCDIR_TEXT_BYTES; of a longer one whole lines, since a part of a number is
// another number. *length is 0 if it cannot be read. Errors as above.
int pc_procdir_read(pc_procdir *folder, int file, char *text, size_t *length) PC_NODISCARD;

// How many threads (of PC_PROCDIR_TASK) or descriptors (of PC_PROCDIR_FD; since Linux 6.2) the process has; 0 if the
// kernel does not say. Errors as above.
int pc_procdir_count(pc_procdir *folder, int file, uint64_t *count) PC_NODISCARD;

#endif
