// SPDX-License-Identifier: MIT
// Network counters (see the header).
#include "measure/pc_net.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void pc_net_open(pc_net *net, pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/net/dev", (long)pid);
    net->file = open(path, O_RDONLY | O_CLOEXEC);
}

void pc_net_close(pc_net *net)
{
    if (net->file >= 0)
        (void)close(net->file);
    net->file = -1;
}

int pc_net_read(pc_net *net, pc_proctext_net *counters)
{
    if (net->file < 0)
        return -ENOENT;
    ssize_t length = pread(net->file, net->text, sizeof net->text, 0);
    if (length < 0)
        return -errno;
    if (length == sizeof net->text)
        return -EMSGSIZE;
    return pc_proctext_read_net(net->text, (size_t)length, counters);
}
