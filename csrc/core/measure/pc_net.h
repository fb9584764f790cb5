// SPDX-License-Identifier: MIT
// Network counters of a process's network namespace, all interfaces but "lo", from a kept descriptor of its net/dev.
// The kernel keeps none for a process. Units: bytes. Thread contract: single owner.
#ifndef PC_NET_H
#define PC_NET_H

#include <sys/types.h>

#include "measure/pc_proctext.h"

enum { PC_NET_TEXT_BYTES = 32768 };

typedef struct pc_net {
    int file; // -1: cannot be read
    char text[PC_NET_TEXT_BYTES];
} pc_net;

// Open the counters of process `pid`. Where they cannot be had, every read says so.
void pc_net_open(pc_net *net, pid_t pid);

// Close them; allowed twice.
void pc_net_close(pc_net *net);

// Read the counters. -errno, -ENOENT if there are none, -EMSGSIZE for a table so long that its end is missing.
int pc_net_read(pc_net *net, pc_proctext_net *counters) PC_NODISCARD;

#endif
