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
    size_t length = 0;
    ssize_t part;
    // The kernel gives a page at most for each call, whatever is asked for.
    while ((part = pread(net->file, net->text + length, sizeof net->text - length, (off_t)length)) != 0) {
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return -errno;
        length += (size_t)part;
        if (length == sizeof net->text)
            return -EMSGSIZE;
    }
    return pc_proctext_read_net(net->text, length, counters);
}
