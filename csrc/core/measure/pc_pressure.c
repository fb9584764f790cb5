// SPDX-License-Identifier: MIT
// Pressure stall information (see the header).
#include "measure/pc_pressure.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "measure/pc_procfile.h"
#include "measure/pc_proctext.h"

enum { TEXT_BYTES = 512 };

const char *pc_pressure_name(pc_pressure_resource resource)
{
    static const char *const names[PC_PRESSURE_RESOURCES] = {"cpu", "memory", "io"};
    return names[resource];
}

int pc_pressure_read(int directory, const char *suffix, pc_pressure *pressure)
{
    static const char *const kinds[PC_PRESSURE_KINDS] = {"some", "full"};
    pc_pressure found = {0};
    for (int resource = 0; resource < PC_PRESSURE_RESOURCES; resource++) {
        char name[32], text[TEXT_BYTES];
        (void)snprintf(name, sizeof name, "%s%s", pc_pressure_name((pc_pressure_resource)resource), suffix);
        size_t length = 0;
        int status = pc_procfile_read(directory, name, text, sizeof text, &length);
        if (status < 0 && pc_procfile_is_shortage(status))
            return status;
        for (int kind = 0; status == 0 && kind < PC_PRESSURE_KINDS; kind++) {
            pc_proctext_pressure line;
            if (pc_proctext_read_pressure(text, length, kinds[kind], &line) == 0)
                found.stalls[resource][kind] = (pc_pressure_stall){
                    .present = true, .total_ns = line.total_us * 1000, .avg10_centipercent = line.avg10_centipercent};
        }
    }
    *pressure = found;
    return 0;
}

int pc_pressure_read_system(const char *proc, pc_pressure *pressure)
{
    char path[256];
    int written = snprintf(path, sizeof path, "%s/pressure", proc);
    if (written < 0 || (size_t)written >= sizeof path)
        return -ENAMETOOLONG;
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        int status = -errno;
        if (pc_procfile_is_shortage(status))
            return status;
        *pressure = (pc_pressure){0};
        return 0;
    }
    int status = pc_pressure_read(directory, "", pressure);
    (void)close(directory);
    return status;
}
