// SPDX-License-Identifier: MIT
// Putting and getting (see pc_shm.h for the guarantee and how it is kept).
//
// A change of a side, under its lock, is: journal, position, items. Whoever inherits the lock compares: if the
// journal's position is the present one, the change was made, and the items are the journal's; if not, it was not made.
// The journal is void while it is written, and a dead process's stores are seen in the order it made them, so the
// compiler's order is all that is needed there.
#include "workload/pc_shm_layout.h"

#include <limits.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"

#define JOURNAL_VOID UINT64_MAX

enum {
    LOOKOUT_NS = 20000, // about what falling asleep and waking up costs
    LOOKOUT_PAUSES = 16,
    LOOKOUT_MAX_MISSES = 6, // then one wait of 64 looks out
    FIRST_BATCH_BYTES = 4096 - sizeof(pc_shm_batch),
};

// --- one side ---

static int side_lock(pc_shm *self, pc_shm_side *side, int64_t until_ns)
{
    int status = pc_shm_lock_take(self, &side->lock, until_ns);
    if (PC_LIKELY(status <= 0))
        return status;
    if (side->journal_position == atomic_load_explicit(&side->position, memory_order_relaxed))
        atomic_store_explicit(&side->items, side->journal_items, memory_order_relaxed);
    atomic_fetch_add_explicit(&side->recoveries, 1, memory_order_relaxed);
    pc_shm_lock_repaired(&side->lock);
    pc_shm_wake(&side->sleepers, INT_MAX); // it may have died before it woke them
    return 0;
}

// Move the position of a locked side, and with it `items` messages.
static void side_move(pc_shm_side *side, uint64_t position, uint64_t items)
{
    items += atomic_load_explicit(&side->items, memory_order_relaxed);
    side->journal_position = JOURNAL_VOID;
    atomic_signal_fence(memory_order_seq_cst);
    side->journal_items = items;
    atomic_signal_fence(memory_order_seq_cst);
    side->journal_position = position;
    atomic_signal_fence(memory_order_seq_cst);
    // Releases the bytes of the messages (or the room), for the other side's acquire. Sequentially consistent, as is
    // the look at `sleepers` that follows: who falls asleep stores that word and then loads this one.
    atomic_store(&side->position, position);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&side->items, items, memory_order_relaxed);
}

static bool is_closed(const pc_shm *self)
{
    return atomic_load(&self->header->closed) != 0;
}

// --- waiting ---

// Whether the other side has moved, so that a getter finds a message, or a putter `size` bytes of room; or the end.
static bool has_moved(const pc_shm *self, bool getting, uint64_t size)
{
    const pc_shm_header *header = self->header;
    uint64_t put = atomic_load(&header->put.position), got = atomic_load(&header->get.position);
    return is_closed(self) || (getting ? put != got : self->capacity - (put - got) >= size);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Look out for a short while. After a miss the next wait does without, after two in a row the next three, and so on, so
// that it costs next to nothing where the peer is slow or has no processor.
static bool look_out(pc_shm *self, bool getting, uint64_t size)
{
    pc_shm_lookout *lookout = &self->lookout[getting];
    uint32_t rest = atomic_load_explicit(&lookout->rest, memory_order_relaxed);
    if (!self->looks_out || rest > 0) {
        if (rest > 0)
            atomic_store_explicit(&lookout->rest, rest - 1, memory_order_relaxed);
        return false;
    }
    int64_t until_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + LOOKOUT_NS;
    do {
        for (int i = 0; i < LOOKOUT_PAUSES; i++) {
            if (has_moved(self, getting, size)) {
                atomic_store_explicit(&lookout->misses, 0, memory_order_relaxed);
                return true;
            }
            relax();
        }
    } while (pc_clock_now_ns(CLOCK_MONOTONIC) < until_ns);
    uint32_t misses = atomic_load_explicit(&lookout->misses, memory_order_relaxed);
    misses += misses < LOOKOUT_MAX_MISSES;
    atomic_store_explicit(&lookout->misses, misses, memory_order_relaxed);
    atomic_store_explicit(&lookout->rest, (UINT32_C(1) << misses) - 1, memory_order_relaxed);
    return false;
}

// Wait for the other side. 0: look again; -EAGAIN: a signal, or the time is up.
static int wait_for_move(pc_shm *self, bool getting, uint64_t size, int64_t until_ns)
{
    if (look_out(self, getting, size))
        return 0;
    _Atomic uint32_t *sleepers = getting ? &self->header->put.sleepers : &self->header->get.sleepers;
    atomic_store(sleepers, 1); // before the look at the positions: see side_move
    if (has_moved(self, getting, size))
        return 0;
    if (pc_shm_sleep(sleepers, until_ns) < 0)
        return -EAGAIN;
    // The one who woke us set the word to 0, and others may be asleep: the next one who moves must look for them.
    atomic_store(sleepers, 1);
    return 0;
}

// The end of what one call may wait in one go.
static int64_t slice_end(int64_t deadline_ns)
{
    if (deadline_ns == PC_SHM_NOW)
        return PC_SHM_NOW;
    int64_t end_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + PC_SHM_SLICE_NS;
    return deadline_ns < 0 || end_ns < deadline_ns ? end_ns : deadline_ns;
}

// What a call that came to nothing says.
static int not_yet(int status, int64_t deadline_ns)
{
    if (status != -EAGAIN && status != -ETIMEDOUT)
        return status;
    if (deadline_ns < 0)
        return -EAGAIN;
    return pc_clock_now_ns(CLOCK_MONOTONIC) >= deadline_ns ? -ETIMEDOUT : -EAGAIN;
}

static pc_shm_side *awaited_side(const pc_shm *self, bool getting)
{
    return getting ? &self->header->put : &self->header->get;
}

uint64_t pc_shm_position(const pc_shm *self, bool getting)
{
    return atomic_load(&awaited_side(self, getting)->position);
}

int pc_shm_watch(pc_shm *self, bool getting, uint64_t position)
{
    _Atomic uint32_t *sleepers = &awaited_side(self, getting)->sleepers;
    atomic_store(sleepers, 1); // before the look: see side_move
    bool moved;
    for (int slept = 0;; slept++) {
        moved = getting ? has_moved(self, true, 0) : is_closed(self) || pc_shm_position(self, false) != position;
        if (moved || slept > 0 || pc_shm_sleep(sleepers, slice_end(PC_SHM_FOREVER)) < 0)
            break;
        atomic_store(sleepers, 1); // as in wait_for_move
    }
    return moved ? 0 : -EAGAIN;
}

void pc_shm_pass_on(pc_shm *self, bool getting)
{
    _Atomic uint32_t *sleepers = &awaited_side(self, getting)->sleepers;
    if (atomic_load(sleepers) != 0)
        pc_shm_wake(sleepers, 1);
}

void pc_shm_wake_all(pc_shm *self)
{
    pc_shm_wake(&self->header->put.sleepers, INT_MAX);
    pc_shm_wake(&self->header->get.sleepers, INT_MAX);
}

// --- put ---

// With the putters' lock. -EAGAIN: no room.
static int put_locked(pc_shm *self, const pc_shm_piece *pieces, size_t count, size_t *done)
{
    pc_shm_header *header = self->header;
    if (PC_UNLIKELY(is_closed(self)))
        return -EPIPE;
    uint64_t put = atomic_load_explicit(&header->put.position, memory_order_relaxed);
    uint64_t wanted = 0;
    for (size_t i = 0; i < count && wanted <= self->capacity; i++)
        wanted += pc_shm_record_size(pieces[i].length);
    if (put - header->put.seen > self->capacity || wanted > self->capacity - (put - header->put.seen)) {
        // Acquires the getters' release: they have done with the bytes that are written over now.
        header->put.seen = atomic_load_explicit(&header->get.position, memory_order_acquire);
        if (put - header->put.seen > self->capacity || put % 8 != 0)
            return -EBADMSG;
    }
    uint64_t room = self->capacity - (put - header->put.seen), used = 0;
    unsigned char *start = self->data + (put & (self->capacity - 1));
    size_t fit = 0;
    for (; fit < count; fit++) {
        const pc_shm_piece *piece = &pieces[fit];
        uint64_t size = pc_shm_record_size(piece->length);
        if (size > room - used)
            break;
        const pc_shm_record record = {.length = (uint32_t)piece->length, .kind = piece->kind};
        memcpy(start + used, &record, sizeof record);
        if (piece->length > 0)
            memcpy(start + used + sizeof record, piece->data, piece->length);
        used += size;
    }
    if (fit == 0)
        return -EAGAIN;
    side_move(&header->put, put + used, fit);
    *done = fit;
    return 0;
}

int pc_shm_put(pc_shm *self, const pc_shm_piece *pieces, size_t count, int64_t deadline_ns, size_t *done)
{
    assert(count > 0);
    if (pieces[0].length > pc_shm_largest(self))
        return -EMSGSIZE;
    int64_t until_ns = slice_end(deadline_ns);
    for (bool last = deadline_ns < 0;;) {
        int status = side_lock(self, &self->header->put, until_ns);
        if (PC_LIKELY(status == 0)) {
            status = put_locked(self, pieces, count, done);
            pc_shm_lock_release(&self->header->put.lock);
        }
        if (PC_LIKELY(status == 0)) {
            if (atomic_load(&self->header->put.sleepers) != 0)
                pc_shm_wake(&self->header->put.sleepers, 1);
            return 0;
        }
        if (status != -EAGAIN || last)
            return not_yet(status, deadline_ns);
        last = wait_for_move(self, false, pc_shm_record_size(pieces[0].length), until_ns) < 0;
    }
}

// --- get ---

static int batch_reserve(pc_shm_batch **batch, size_t bytes)
{
    if (PC_LIKELY(*batch != NULL && (*batch)->capacity >= bytes))
        return 0;
    size_t capacity = bytes > FIRST_BATCH_BYTES ? bytes : FIRST_BATCH_BYTES;
    pc_shm_batch *larger = pc_alloc(1, sizeof *larger + capacity);
    if (larger == NULL)
        return -ENOMEM;
    larger->capacity = capacity;
    larger->next = NULL;
    pc_free(*batch);
    *batch = larger;
    return 0;
}

// The size of the record at `at`, which must lie within `left` bytes; 0 if it does not.
static uint64_t record_at(const unsigned char *at, uint64_t left, pc_shm_record *record)
{
    if (left < sizeof *record)
        return 0;
    memcpy(record, at, sizeof *record);
    uint64_t size = pc_shm_record_size(record->length);
    return size <= left ? size : 0;
}

// With the getters' lock. -EAGAIN: nothing there; -EBUSY: it takes more than `most`. *more: there is more.
static int get_locked(pc_shm *self, size_t limit, uint64_t most, pc_shm_batch **batch, bool *more)
{
    pc_shm_header *header = self->header;
    uint64_t got = atomic_load_explicit(&header->get.position, memory_order_relaxed);
    if (header->get.seen - got - 1 >= self->capacity || limit > 1) { // nothing known of, or no sound figure
        bool closed = is_closed(self);                               // first: it is set when all is put
        header->get.seen = atomic_load_explicit(&header->put.position, memory_order_acquire); // of the messages
        if (header->get.seen == got)
            return closed ? -EPIPE : -EAGAIN;
    }
    uint64_t there = header->get.seen - got;
    if (there > self->capacity || got % 8 != 0)
        return -EBADMSG;
    const unsigned char *start = self->data + (got & (self->capacity - 1));
    uint64_t bytes = 0;
    size_t count = 0;
    while (count < limit && bytes < there) {
        pc_shm_record record;
        uint64_t size = record_at(start + bytes, there - bytes, &record);
        if (size == 0)
            return -EBADMSG;
        if (count > 0 && bytes + size > PC_SHM_BATCH_BYTES)
            break;
        bytes += size;
        count++;
    }
    if (PC_UNLIKELY(bytes > most))
        return -EBUSY;
    int status = batch_reserve(batch, bytes);
    if (status < 0)
        return status;
    memcpy((*batch)->bytes, start, bytes);
    (*batch)->at = 0;
    (*batch)->end = bytes;
    (*batch)->count = count;
    side_move(&header->get, got + bytes, count);
    *more = bytes < there;
    return 0;
}

// After a get: let putters know once there is a fair amount of room (each small step would wake them for little), and
// another getter where there is more.
static void wake_after_get(pc_shm *self, bool more)
{
    pc_shm_header *header = self->header;
    if (PC_UNLIKELY(atomic_load(&header->get.sleepers) != 0)) {
        uint64_t there = atomic_load(&header->put.position) - atomic_load(&header->get.position);
        if (there <= self->capacity - self->capacity / 4)
            pc_shm_wake(&header->get.sleepers, INT_MAX);
    }
    if (more && PC_UNLIKELY(atomic_load(&header->put.sleepers) != 0))
        pc_shm_wake(&header->put.sleepers, 1);
}

int pc_shm_get(pc_shm *self, size_t limit, int64_t deadline_ns, pc_shm_batch **batch)
{
    assert(limit > 0);
    const uint64_t most = deadline_ns == PC_SHM_NOW ? PC_SHM_BATCH_BYTES : self->capacity;
    int64_t until_ns = slice_end(deadline_ns);
    for (bool last = deadline_ns < 0;;) {
        bool more = false;
        int status = side_lock(self, &self->header->get, until_ns);
        if (PC_LIKELY(status == 0)) {
            status = get_locked(self, limit, most, batch, &more);
            pc_shm_lock_release(&self->header->get.lock);
        }
        if (PC_LIKELY(status == 0)) {
            wake_after_get(self, more);
            return 0;
        }
        if (status != -EAGAIN || last)
            return not_yet(status, deadline_ns);
        last = wait_for_move(self, true, 0, until_ns) < 0;
    }
}

bool pc_shm_batch_next(pc_shm_batch *batch, pc_shm_piece *piece)
{
    pc_shm_record record;
    uint64_t size = record_at(batch->bytes + batch->at, batch->end - batch->at, &record);
    if (size == 0)
        return false;
    *piece = (pc_shm_piece){batch->bytes + batch->at + sizeof record, record.length, record.kind};
    batch->at += size;
    batch->count--;
    return true;
}

// --- the end, and the state ---

int pc_shm_close(pc_shm *self)
{
    // Under the putters' lock, so that no message comes in after a getter has seen the end.
    pc_shm_side *put = &self->header->put;
    int status = side_lock(self, put, slice_end(PC_SHM_FOREVER));
    if (status < 0)
        return not_yet(status, PC_SHM_FOREVER);
    atomic_store(&self->header->closed, 1);
    pc_shm_lock_release(&put->lock);
    pc_shm_wake_all(self);
    return 0;
}

size_t pc_shm_largest(const pc_shm *self)
{
    return self->capacity - PC_SHM_RECORD_BYTES;
}

bool pc_shm_is_empty(const pc_shm *self)
{
    uint64_t got = atomic_load(&self->header->get.position);
    return atomic_load(&self->header->put.position) == got;
}

void pc_shm_look(const pc_shm *self, pc_shm_state *state)
{
    const pc_shm_header *header = self->header;
    uint64_t gets = atomic_load(&header->get.items); // first: what is got was put
    *state = (pc_shm_state){
        .capacity = self->capacity,
        .puts = atomic_load(&header->put.items),
        .gets = gets,
        .recoveries = atomic_load(&header->put.recoveries) + atomic_load(&header->get.recoveries),
        .closed = is_closed(self),
    };
}
