// SPDX-License-Identifier: MIT
// System-wide readings through libproc2 (see the header).
#include "measure/pc_procstat.h"

#include <libproc2/stat.h>
#include <unistd.h>

#include "measure/pc_clock.h"

int pc_procstat_steal_ns(int64_t *steal_ns)
{
    struct stat_info *info = NULL; // libproc2 refuses anything else
    int status = procps_stat_new(&info);
    if (status < 0)
        return status;
    const struct stat_result *result = procps_stat_get(info, STAT_TIC_STOLEN);
    if (result == NULL) {
        status = errno != 0 ? -errno : -EIO;
    } else {
        long ticks_per_s = sysconf(_SC_CLK_TCK);
        *steal_ns = (int64_t)result->result.ull_int * (PC_NS_PER_S / (ticks_per_s > 0 ? ticks_per_s : 100));
        status = 0;
    }
    (void)procps_stat_unref(&info);
    return status;
}
