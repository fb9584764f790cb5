// SPDX-License-Identifier: MIT
// Metrics of one process, this one or another, read from kept descriptors of /proc files (pc_procdir) and, for this
// process, from getrusage, which knows of all its threads. What the kernel does not give is absent from the mask, never
// 0. A reader is tied to one process, not to a number; one of this process (pid 0) follows it into a forked child.
//
// Source: proc(5), getrusage(2), clock_getcpuclockid(3). Units: in the names; times since the process or the system
// began. Thread contract: single owner.
#ifndef PC_PROCESS_H
#define PC_PROCESS_H

#include <sys/types.h>
#include <time.h>

#include "measure/pc_metric.h"
#include "measure/pc_procdir.h"

typedef struct pc_process {
    pc_procdir folder;
    uint64_t page_bytes;
    clockid_t cpu_clock; // of another process; -1: none
} pc_process;

// Make a reader of process `pid`, or of whichever process reads if it is 0. `proc` is "/proc" but in tests. -ESRCH if
// there is no such process (or it is hidden), -EMFILE and the like if no file can be opened. Of this process also a
// missing /proc is survived: what getrusage says is left.
int pc_process_open(pc_process *reader, const char *proc, pid_t pid, bool lean) PC_NODISCARD;

// Close its files. Allowed twice.
void pc_process_close(pc_process *reader);

// Read those of the `wanted` metrics (PC_METRIC_BIT of each) that there are. The fewer files they live in, the cheaper:
// statm 0.4 to 0.9 us, nine tenths of them the kernel's; all but peak, swap, start and PC_METRIC_COSTLY of this process
// 2 to 4 us. -ESRCH when the process has
// ended, a zombie included; -EMFILE and the like when a file cannot be opened.
int pc_process_read(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics) PC_NODISCARD;

// Make the peak of this process begin again at what is resident now (write "5" to clear_refs). The peak is one per
// process: who shares it must read it first. -EACCES and the like where the kernel does not allow it.
int pc_process_reset_peak(pc_process *reader) PC_NODISCARD;

#endif
