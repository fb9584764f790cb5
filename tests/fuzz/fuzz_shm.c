// SPDX-License-Identifier: MIT
// Any bytes in the shared memory of a ring, before it is opened and while it is open: no access out of bounds, no
// endless loop; what is got lies within what was given, and what is put in a ring that was accepted comes out as it
// was.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "workload/pc_shm_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const uint8_t *input;
static size_t left;

static uint64_t take(size_t bytes)
{
    uint64_t value = 0;
    size_t count = bytes < left ? bytes : left;
    memcpy(&value, input, count);
    input += count;
    left -= count;
    return value;
}

// Get all there is to get; the messages that come out.
static size_t drain(pc_shm *shm, pc_shm_batch **batch)
{
    size_t count = 0;
    while (count < 2 * shm->capacity && pc_shm_get(shm, 1 + count % 3, PC_SHM_NOW, batch) == 0) {
        pc_shm_piece piece;
        size_t before = (*batch)->count;
        DEMAND(before > 0 && (*batch)->end <= shm->capacity);
        for (; pc_shm_batch_next(*batch, &piece); count++) {
            const unsigned char *bytes = piece.data;
            DEMAND(bytes >= (*batch)->bytes && bytes + piece.length <= (*batch)->bytes + (*batch)->end);
            (void)memchr(bytes, 0x100, piece.length); // they can be read
        }
        DEMAND((*batch)->at == (*batch)->end && (*batch)->count == 0);
    }
    return count;
}

static void damage(pc_shm *shm)
{
    pc_shm_header *header = shm->header;
    const uint64_t which = take(1);
    if (which & 1)
        atomic_store(&header->put.position, take(3) * (which & 64 ? 1 : 8));
    if (which & 2)
        atomic_store(&header->get.position, take(3) * (which & 64 ? 1 : 8));
    if (which & 4)
        header->put.seen = take(8);
    if (which & 8)
        header->get.seen = take(8);
    if (which & 16) {
        size_t at = take(2) % offsetof(pc_shm_header, closed);
        ((unsigned char *)header)[at] ^= (unsigned char)take(1);
    }
    if (which & 32) // sizes of records where they will be read
        memset(shm->data, (int)take(1), 64);
    size_t bytes = left < shm->capacity ? left : shm->capacity;
    memcpy(shm->data, input, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pc_shm *shm = NULL, *other = NULL;
    pc_shm_batch *batch = NULL;
    input = data;
    left = size;
    DEMAND(pc_shm_create(1, 0, &shm) == 0);
    damage(shm);
    int fd = dup(pc_shm_fd(shm));
    if (pc_shm_attach(fd, &other) < 0) {
        DEMAND(other == NULL && close(fd) == 0);
    } else {
        size_t done;
        (void)drain(other, &batch);
        if (pc_shm_get(other, 1, PC_SHM_NOW, &batch) == -EAGAIN) { // it was sound to its end
            DEMAND(pc_shm_put(other, &(pc_shm_piece){"message", 7, 3}, 1, PC_SHM_NOW, &done) == 0);
            pc_shm_piece piece;
            DEMAND(pc_shm_get(other, 1, PC_SHM_NOW, &batch) == 0 && pc_shm_batch_next(batch, &piece));
            DEMAND(piece.length == 7 && piece.kind == 3 && memcmp(piece.data, "message", 7) == 0);
        }
        damage(shm);
        (void)pc_shm_put(other, &(pc_shm_piece){data, size < 3000 ? size : 3000, 1}, 1, PC_SHM_NOW, &done);
        (void)drain(other, &batch);
        pc_shm_detach(other);
    }
    pc_free(batch);
    pc_shm_detach(shm);
    return 0;
}
