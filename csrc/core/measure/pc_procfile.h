// SPDX-License-Identifier: MIT
// Small files and folders of the kernel's (procfs, cgroupfs) read at once, for readers that keep no descriptor. Thread
// contract: any thread.
#ifndef PC_PROCFILE_H
#define PC_PROCFILE_H

#include "base/pc_common.h"

// Read a file below a directory's descriptor (AT_FDCWD: as a path of its own) into `text`; what does not fit is cut
// off. -errno: -ENOENT and the like where there is no such file, -ESRCH where its process is gone.
int pc_procfile_read(int directory, const char *name, char *text, size_t capacity, size_t *length) PC_NODISCARD;

// What is called for each entry of a folder, with the folder's descriptor; what is not 0 ends the walk.
typedef int (*pc_procfile_visit)(int folder, const char *name, void *context);

// Visit the threads of a process, from a descriptor of /proc/PID: names below its folder of tasks. What the visit
// returned, or -errno: -ESRCH where the process is gone.
int pc_procfile_each_thread(int directory, pc_procfile_visit visit, void *context) PC_NODISCARD;

// Whether an error says that this process is short of something, rather than that the kernel has no such figure.
bool pc_procfile_is_shortage(int status);

#endif
