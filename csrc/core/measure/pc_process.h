// SPDX-License-Identifier: MIT
// Metrics of one process, this one or another, read from kept descriptors of /proc files and, for this process, from
// getrusage, which knows of all its threads. What the kernel does not give is absent from the mask, never 0.
//
// Invariants: a reader is tied to one process, not to a number. All files are opened below a descriptor of /proc/PID,
// and that directory belongs to the process for good: when the process ends, every read says -ESRCH, also when its
// number has been given to another. A reader of this process (pid 0) reopens its files when it finds itself in a forked
// child, whose inherited descriptors would still report the parent. Source: proc(5), getrusage(2),
// clock_getcpuclockid(3). Units: in the names; times since the process or the system began. Thread contract: single
// owner.
#ifndef PC_PROCESS_H
#define PC_PROCESS_H

#include <sys/types.h>

#include "measure/pc_metric.h"

// The files that a reader may keep open.
enum {
    PC_PROCESS_STATM,
    PC_PROCESS_STAT,
    PC_PROCESS_STATUS,
    PC_PROCESS_IO,
    PC_PROCESS_FD,
    PC_PROCESS_TASK,
    PC_PROCESS_FILES
};

typedef struct pc_process {
    const char *proc;               // where proc is mounted; lives as long as the reader
    pid_t pid;                      // 0: the process that reads
    pid_t owner;                    // that opened the files
    bool lean;                      // keep only the directory and statm open, for readers of many processes
    volatile unsigned char *canary; // of a reader of this process: 1, but 0 in a forked child (or NULL: ask getpid)
    uint64_t page_bytes;
    int directory; // -1: none
    int files[PC_PROCESS_FILES];
} pc_process;

// Make a reader of process `pid`, or of whichever process reads if it is 0. `proc` is "/proc" but in tests. -ESRCH if
// there is no such process (or it is hidden), -EMFILE and the like if no file can be opened. Of this process also a
// missing /proc is survived: what getrusage says is left.
int pc_process_open(pc_process *reader, const char *proc, pid_t pid, bool lean) PC_NODISCARD;

// Close its files. Allowed twice, and for a reader that is all zero but for `directory` and `files`, which are -1.
void pc_process_close(pc_process *reader);

// Read those of the `wanted` metrics (PC_METRIC_BIT of each) that there are. The fewer files they live in, the cheaper:
// statm 0.4 us; all but peak, swap, start and PC_METRIC_COSTLY of this process about 2 us. -ESRCH when the process has
// ended, a zombie included; -EMFILE and the like when a file cannot be opened.
int pc_process_read(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics) PC_NODISCARD;

// Make the peak of this process begin again at what is resident now (write "5" to clear_refs). The peak is one per
// process: who shares it must read it first. -EACCES and the like where the kernel does not allow it.
int pc_process_reset_peak(pc_process *reader) PC_NODISCARD;

#endif
