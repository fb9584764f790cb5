// SPDX-License-Identifier: MIT
// What the tests of the shared ring have in common: a ring with the tag 7, and messages of the kind 3, most of which
// are one number. Included by the tests themselves; one thread, as the ring's other users.
#ifndef PC_SHM_NUMBERS_H
#define PC_SHM_NUMBERS_H

#include "check.h"

#include <string.h>

#include "workload/pc_shm_layout.h"

static inline pc_shm *make(size_t capacity)
{
    pc_shm *shm = NULL;
    CHECK(pc_shm_create(capacity, 7, &shm) == 0);
    return shm;
}

static inline int put(pc_shm *shm, const void *data, size_t length, int64_t deadline_ns)
{
    size_t done;
    return pc_shm_put(shm, &(pc_shm_piece){data, length, 3}, 1, deadline_ns, &done);
}

static inline int put_number(pc_shm *shm, uint64_t number, int64_t deadline_ns)
{
    return put(shm, &number, sizeof number, deadline_ns);
}

// Get one message that is a number; -1 when it is none.
static inline int get_number(pc_shm *shm, pc_shm_batch **batch, int64_t deadline_ns, uint64_t *number)
{
    int status = pc_shm_get(shm, 1, deadline_ns, batch);
    pc_shm_piece piece;
    if (status < 0)
        return status;
    if (!pc_shm_batch_next(*batch, &piece) || piece.length != sizeof *number || piece.kind != 3)
        return -1;
    memcpy(number, piece.data, sizeof *number);
    return 0;
}

static inline uint64_t items_in(const pc_shm *shm)
{
    pc_shm_state state;
    pc_shm_look(shm, &state);
    return state.puts - state.gets;
}

#endif
