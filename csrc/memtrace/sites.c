// SPDX-License-Identifier: MIT
// Call sites: the file and line of the innermost Python frame of each allocation, where a tracker asks for them.
//
// A site has a number for the life of the process; a second shadow map holds the number of each block's site, so that
// its free is counted there too. NO_FRAME stands for all that has no Python frame to name: allocations without the GIL
// or before a frame is there, and of sub-interpreters; NO_ROOM for the lines beyond SITES_MAX sites. Totals only grow
// together with the blocks of one window; trackers take differences.
//
// Threads: sites are found and added with the main interpreter's GIL; totals are atomic, since RAW blocks come and go
// without it. The table never moves, so it is read without a lock.
#include "memtrace.h"

#include "base/pc_alloc.h"

typedef struct site {
    PyObject *file; // a reference for ever
    Py_hash_t hash; // of the file's name
    int line;
    uint32_t next; // in the chain of its bucket; 0 ends it, for site 0 is in none
    _Atomic(int64_t) allocations;
    _Atomic(int64_t) bytes;
    _Atomic(int64_t) live_blocks;
    _Atomic(int64_t) live_bytes;
} site;

enum { NO_FRAME, NO_ROOM, FIRST };
enum { BUCKETS = 1 << 13 };

static pc_allocmap blocks;
static site *table; // SITES_MAX + 1 entries, pages that are untouched until a site needs them
static uint32_t *buckets;
static uint32_t used;

static PyObject *names_of_none[FIRST];

int sites_init(void)
{
    if (table != NULL)
        return 0;
    static const char *const texts[FIRST] = {"<no Python frame>", "<more call sites>"};
    for (size_t i = 0; i < FIRST; i++) {
        if (names_of_none[i] == NULL && (names_of_none[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return -1;
    }
    site *sites = pc_alloc_zero(SITES_MAX + 1, sizeof *sites);
    uint32_t *heads = pc_alloc_zero(BUCKETS, sizeof *heads);
    if (sites == NULL || heads == NULL || pc_allocmap_init(&blocks) < 0) {
        pc_free(sites);
        pc_free(heads);
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < FIRST; i++)
        sites[i].file = Py_NewRef(names_of_none[i]);
    used = FIRST;
    buckets = heads;
    table = sites;
    return 0;
}

void sites_clear_blocks(void)
{
    pc_allocmap_clear(&blocks);
}

// The number of a site, new or known; NO_ROOM when the table is full. By the name's text: whoever makes code from
// templates names a file anew each time. Neither function that is called here for a str runs any other code.
static size_t site_find(PyObject *file, int line)
{
    Py_hash_t hash = PyUnicode_Type.tp_hash(file);
    size_t spread = (size_t)hash * 31 + (size_t)line;
    uint32_t *head = &buckets[(spread ^ (spread >> 13)) % BUCKETS];
    for (uint32_t number = *head; number != 0; number = table[number].next) {
        const site *known = &table[number];
        if (known->line == line && known->hash == hash &&
            (known->file == file || PyUnicode_Compare(known->file, file) == 0))
            return number;
    }
    if (used > SITES_MAX)
        return NO_ROOM;
    uint32_t number = used++;
    table[number].file = Py_NewRef(file);
    table[number].hash = hash;
    table[number].line = line;
    table[number].next = *head;
    *head = number;
    return number;
}

// The site of the calling thread's innermost Python frame. The caller holds a GIL and is marked as inside a hook.
static size_t site_now(void)
{
    // Without a thread state (early, late, a thread that has none) and outside of the main interpreter: no frame.
    PyThreadState *thread = _PyThreadState_UncheckedGet();
    if (thread == NULL || PyThreadState_GetInterpreter(thread) != PyInterpreterState_Main() || _Py_IsFinalizing())
        return NO_FRAME;
    // Making the frame object may allocate a container, which may start a collection, which runs any code. An allocator
    // must not do that.
    int collecting = PyGC_Disable();
    size_t number = NO_FRAME;
    PyFrameObject *frame = PyThreadState_GetFrame(thread);
    if (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        if (PyUnicode_Check(code->co_filename))
            number = site_find(code->co_filename, PyFrame_GetLineNumber(frame));
        Py_DECREF(code);
        Py_DECREF(frame);
    }
    if (collecting)
        (void)PyGC_Enable();
    return number;
}

static void add(_Atomic(int64_t) *total, int64_t amount)
{
    atomic_fetch_add_explicit(total, amount, memory_order_relaxed); // a figure, it orders nothing
}

void sites_allocated(const void *block, size_t bytes, bool locked)
{
    size_t number = locked ? site_now() : NO_FRAME;
    add(&table[number].allocations, 1);
    add(&table[number].bytes, (int64_t)bytes);
    sites_put(block, bytes, number);
}

void sites_put(const void *block, size_t bytes, size_t number)
{
    if (!pc_allocmap_put(&blocks, block, number))
        return;
    add(&table[number].live_blocks, 1);
    add(&table[number].live_bytes, (int64_t)bytes);
}

bool sites_take(const void *block, size_t bytes, size_t *number)
{
    if (!pc_allocmap_take(&blocks, block, number))
        return false; // older than the sites
    add(&table[*number].live_blocks, -1);
    add(&table[*number].live_bytes, -(int64_t)bytes);
    return true;
}

static int64_t load(_Atomic(int64_t) *total)
{
    return atomic_load_explicit(total, memory_order_relaxed);
}

site_totals *sites_snapshot(size_t *length)
{
    // Not from Python's allocators: a tracker within a tracker is not counted.
    site_totals *totals = pc_alloc(used, sizeof *totals);
    if (totals == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < used; i++) {
        totals[i] = (site_totals){load(&table[i].allocations), load(&table[i].bytes), load(&table[i].live_blocks),
                                  load(&table[i].live_bytes)};
    }
    *length = used;
    return totals;
}

PyObject *site_file(size_t number)
{
    return table[number].file;
}

int site_line(size_t number)
{
    return table[number].line;
}
