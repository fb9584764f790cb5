// SPDX-License-Identifier: MIT
// The allocation hooks: CPython's three allocator domains (RAW, MEM, OBJ) are wrapped by PyMem_SetAllocator, and each
// call is counted and passed on.
//
// What an allocator itself takes from another domain (pymalloc serves requests above 512 bytes, and its own tables, by
// RAW) is not counted a second time: each thread knows that it is inside a hook. The requested size of a block is kept
// in a shadow map; a block that was there before the hooks is not in it, and its free is counted as unknown.
//
// Threads: hooks of RAW run without the GIL. Nothing here takes a lock or moves memory that another thread may be
// reading: maps and records stay for the life of the process, and hooks that are off pass every call on, so a thread
// that was on its way into a hook when it was taken out finds it working. The context of an allocator is never changed,
// for the same reason: a thread may pair the old function with the new context.
#include "memtrace.h"

#include <pthread.h>
#include <unistd.h>

enum { DOMAINS = 3, OFF = 0, COUNTS = 1, SITES = 2 };
enum { PROBING = 1U << 16 }; // in `inside`: a probe is under way, and hooks answer with the bits below
enum { PROBED_SHIFT = 17 };

// The state of an interpreter is one zeroed RAW block of this size or more; nothing says so more directly.
enum { INTERPRETER_BYTES = 64 * 1024 };

static PyMemAllocatorEx inner[DOMAINS]; // by PyMemAllocatorDomain
static pc_allocmap sizes;
static pc_alloccount count;
static _Atomic(int) mode; // OFF, COUNTS or SITES
static bool initialized;
static int open_counts;
static int open_sites;
static pthread_key_t ending;

// Initial-exec: one load instead of a call. A few bytes of the reserve that the loader keeps for this.
static _Thread_local pc_alloc_thread *mine __attribute__((tls_model("initial-exec")));

pc_alloccount *hooks_count(void)
{
    return &count;
}

// --- threads -------------------------------------------------------------------------------------------------------

static void thread_ended(void *record)
{
    mine = NULL; // a later destructor of this thread may still free: it joins anew
    pc_alloccount_leave(record);
}

static void child_began(void)
{
    pc_alloccount_forked(&count, mine);
    if (mine != NULL)
        atomic_store_explicit(&mine->id, (int64_t)gettid(), memory_order_relaxed);
}

static __attribute__((noinline)) pc_alloc_thread *thread_join(void)
{
    pc_alloc_thread *thread = pc_alloccount_join(&count, (int64_t)gettid());
    if (thread == NULL || pthread_setspecific(ending, thread) != 0) {
        if (thread != NULL)
            pc_alloccount_leave(thread);
        atomic_fetch_add_explicit(&count.lost, 1, memory_order_relaxed);
        return NULL;
    }
    mine = thread;
    return thread;
}

// The calling thread's record where its call is to be counted, or NULL to pass the call on.
static inline pc_alloc_thread *enter(int domain)
{
    // Acquire: pairs with the releases of open, so that the maps and the site table are there.
    if (PC_UNLIKELY(atomic_load_explicit(&mode, memory_order_acquire) == OFF))
        return NULL;
    pc_alloc_thread *thread = mine;
    if (PC_UNLIKELY(thread == NULL)) {
        thread = thread_join();
        if (thread == NULL)
            return NULL;
    }
    if (PC_UNLIKELY(thread->inside != 0)) {
        if ((thread->inside & PROBING) != 0)
            thread->inside |= 1U << (PROBED_SHIFT + domain);
        return NULL;
    }
    thread->inside = 1;
    return thread;
}

// --- counting ------------------------------------------------------------------------------------------------------

// RAW alone is called without the GIL.
static inline bool is_locked(int domain)
{
    return domain != PYMEM_DOMAIN_RAW;
}

// A block has come: keep its size. Leaves the hook.
static inline void block_came(int domain, pc_alloc_thread *thread, const void *block, size_t size)
{
    if (PC_LIKELY(pc_allocmap_put(&sizes, block, size)))
        pc_alloccount_live(&count, is_locked(domain), (int64_t)size);
    else
        pc_alloc_thread_add(thread, PC_ALLOC_UNTRACKED, 1);
    if (PC_UNLIKELY(atomic_load_explicit(&mode, memory_order_acquire) == SITES))
        sites_allocated(block, size, is_locked(domain)); // still inside: what it allocates is not counted
    thread->inside = 0;
}

static inline bool site_goes(const void *block, size_t size, size_t *site)
{
    return PC_UNLIKELY(atomic_load_explicit(&mode, memory_order_acquire) == SITES) && sites_take(block, size, site);
}

// A block is about to go.
static inline bool block_goes(int domain, const void *block, size_t *size)
{
    if (!pc_allocmap_take(&sizes, block, size))
        return false;
    pc_alloccount_live(&count, is_locked(domain), -(int64_t)*size);
    size_t site;
    (void)site_goes(block, *size, &site);
    return true;
}

static inline void *counted(int domain, pc_alloc_thread *thread, void *block, size_t size)
{
    if (PC_UNLIKELY(block == NULL)) {
        thread->inside = 0;
        return NULL;
    }
    pc_alloc_thread_add(thread, PC_ALLOC_ALLOCATIONS, 1);
    pc_alloc_thread_add(thread, PC_ALLOC_BYTES, size);
    block_came(domain, thread, block, size);
    return block;
}

static inline void *hook_malloc(int domain, size_t size)
{
    const PyMemAllocatorEx *next = &inner[domain];
    pc_alloc_thread *thread = enter(domain);
    if (PC_UNLIKELY(thread == NULL))
        return next->malloc(next->ctx, size);
    return counted(domain, thread, next->malloc(next->ctx, size), size);
}

static inline void *hook_calloc(int domain, size_t items, size_t size)
{
    const PyMemAllocatorEx *next = &inner[domain];
    pc_alloc_thread *thread = enter(domain);
    if (PC_UNLIKELY(thread == NULL))
        return next->calloc(next->ctx, items, size);
    // A second interpreter may be in the making, with a GIL of its own: from now on two writers may hold "the" GIL.
    if (domain == PYMEM_DOMAIN_RAW && items == 1 && size >= INTERPRETER_BYTES)
        atomic_store_explicit(&count.shared, true, memory_order_relaxed);
    return counted(domain, thread, next->calloc(next->ctx, items, size),
                   items * size); // the caller checked the product
}

// A call that is passed on gives back a block, or moves it. If the block is tracked it is another tool's, which
// allocates for itself beside our hooks and frees from within: it leaves the tracking. A block of the allocator's own
// is not tracked.
static __attribute__((noinline)) void untrack(int domain, const void *block)
{
    pc_alloc_thread *thread = mine;
    size_t size;
    if (atomic_load_explicit(&mode, memory_order_acquire) == OFF || thread == NULL)
        return;
    if (block_goes(domain, block, &size))
        pc_alloc_thread_add(thread, PC_ALLOC_FREES, 1);
}

static inline void hook_free(int domain, void *block)
{
    const PyMemAllocatorEx *next = &inner[domain];
    pc_alloc_thread *thread = block != NULL ? enter(domain) : NULL;
    if (PC_UNLIKELY(thread == NULL)) {
        if (block != NULL)
            untrack(domain, block);
        next->free(next->ctx, block);
        return;
    }
    // Before the block is given back: afterwards another thread may have it.
    size_t size;
    pc_alloc_thread_add(thread, block_goes(domain, block, &size) ? PC_ALLOC_FREES : PC_ALLOC_UNKNOWN_FREES, 1);
    next->free(next->ctx, block);
    thread->inside = 0;
}

static inline void *hook_realloc(int domain, void *block, size_t size)
{
    const PyMemAllocatorEx *next = &inner[domain];
    if (block == NULL) {
        pc_alloc_thread *thread = enter(domain);
        void *made = next->realloc(next->ctx, NULL, size);
        return thread == NULL ? made : counted(domain, thread, made, size);
    }
    pc_alloc_thread *thread = enter(domain);
    if (PC_UNLIKELY(thread == NULL)) {
        untrack(domain, block);
        return next->realloc(next->ctx, block, size);
    }
    // The entry goes first, as in hook_free; the live bytes change only once, so that a failure and a growth in place
    // leave no dent and the peak holds the new size without the old.
    size_t old = 0, site;
    bool known = pc_allocmap_take(&sizes, block, &old), sited = known && site_goes(block, old, &site);
    void *moved = next->realloc(next->ctx, block, size);
    if (PC_UNLIKELY(moved == NULL)) {
        if (known && !pc_allocmap_put(&sizes, block, old)) { // its leaf is there, so it does not fail
            pc_alloc_thread_add(thread, PC_ALLOC_UNTRACKED, 1);
            pc_alloccount_live(&count, is_locked(domain), -(int64_t)old);
        }
        if (sited)
            sites_put(block, old, site);
        thread->inside = 0;
        return NULL;
    }
    if (known) {
        pc_alloccount_live(&count, is_locked(domain), -(int64_t)old);
    } else {
        pc_alloc_thread_add(thread, PC_ALLOC_UNKNOWN_FREES, 1);
        pc_alloc_thread_add(thread, PC_ALLOC_ADOPTED, 1);
    }
    pc_alloc_thread_add(thread, PC_ALLOC_REALLOCATIONS, 1);
    pc_alloc_thread_add(thread, PC_ALLOC_BYTES, size > old ? size - old : 0);
    block_came(domain, thread, moved, size);
    return moved;
}

// The context is the inner allocator's, for it never changes, and is not needed.
#define HOOKS_OF(name, domain)                                                                                         \
    static void *name##_malloc(void *Py_UNUSED(context), size_t size)                                                  \
    {                                                                                                                  \
        return hook_malloc(domain, size);                                                                              \
    }                                                                                                                  \
    static void *name##_calloc(void *Py_UNUSED(context), size_t items, size_t size)                                    \
    {                                                                                                                  \
        return hook_calloc(domain, items, size);                                                                       \
    }                                                                                                                  \
    static void *name##_realloc(void *Py_UNUSED(context), void *block, size_t size)                                    \
    {                                                                                                                  \
        return hook_realloc(domain, block, size);                                                                      \
    }                                                                                                                  \
    static void name##_free(void *Py_UNUSED(context), void *block)                                                     \
    {                                                                                                                  \
        hook_free(domain, block);                                                                                      \
    }

HOOKS_OF(raw, PYMEM_DOMAIN_RAW)
HOOKS_OF(mem, PYMEM_DOMAIN_MEM)
HOOKS_OF(obj, PYMEM_DOMAIN_OBJ)

static const PyMemAllocatorEx hooks[DOMAINS] = {
    [PYMEM_DOMAIN_RAW] = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    [PYMEM_DOMAIN_MEM] = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    [PYMEM_DOMAIN_OBJ] = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

// --- on and off ----------------------------------------------------------------------------------------------------

enum { EVERY_DOMAIN = (1U << DOMAINS) - 1 };

// Allocate and free a little in a domain. Small: the request must not be passed on from one domain to another.
static bool probe(int domain)
{
    void *block = domain == PYMEM_DOMAIN_RAW   ? PyMem_RawMalloc(1)
                  : domain == PYMEM_DOMAIN_MEM ? PyMem_Malloc(1)
                                               : PyObject_Malloc(1);
    if (domain == PYMEM_DOMAIN_RAW)
        PyMem_RawFree(block);
    else if (domain == PYMEM_DOMAIN_MEM)
        PyMem_Free(block);
    else
        PyObject_Free(block);
    return block != NULL;
}

// Find the domains whose calls come to the hooks, directly or through the hooks of another tool, as bits in *reached.
// False without memory: a tool above ours may have refused, so nothing is known.
static bool domains_reached(unsigned *reached)
{
    pc_alloc_thread *thread = mine != NULL ? mine : thread_join();
    if (thread == NULL)
        return false;
    int before = atomic_load_explicit(&mode, memory_order_relaxed);
    unsigned inside = thread->inside, found = 0;
    bool answered = true;
    if (before == OFF)
        atomic_store_explicit(&mode, COUNTS, memory_order_release);
    for (int domain = 0; domain < DOMAINS && answered; domain++) {
        thread->inside = PROBING;
        answered = probe(domain);
        found |= (thread->inside >> PROBED_SHIFT) & (1U << domain);
    }
    thread->inside = inside;
    atomic_store_explicit(&mode, before, memory_order_release);
    if (answered)
        *reached = found;
    return answered;
}

bool hooks_in_place(void)
{
    unsigned reached;
    return !domains_reached(&reached) || reached == EVERY_DOMAIN;
}

// Wrap each domain that does not reach the hooks. One that another tool wrapped while the hooks were in reaches them
// already, and must not be wrapped twice: the calls would go in a circle. -1 with MemoryError.
static int install(void)
{
    unsigned reached;
    if (!domains_reached(&reached)) {
        PyErr_NoMemory();
        return -1;
    }
    for (int domain = 0; domain < DOMAINS; domain++) {
        if ((reached & (1U << domain)) != 0)
            continue;
        PyMemAllocatorEx hook = hooks[domain];
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &inner[domain]);
        hook.ctx = inner[domain].ctx;
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hook);
    }
    return 0;
}

// Take out what is outermost; what another tool has wrapped since stays, and passes everything on.
static void uninstall(void)
{
    for (int domain = 0; domain < DOMAINS; domain++) {
        PyMemAllocatorEx now;
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &now);
        if (now.malloc == hooks[domain].malloc)
            PyMem_SetAllocator((PyMemAllocatorDomain)domain, &inner[domain]);
    }
}

int hooks_init(void)
{
    if (initialized)
        return 0;
    if (pthread_key_create(&ending, thread_ended) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (pthread_atfork(NULL, NULL, child_began) != 0 || pc_allocmap_init(&sizes) < 0) {
        (void)pthread_key_delete(ending);
        PyErr_NoMemory();
        return -1;
    }
    initialized = true;
    return 0;
}

static bool several_interpreters(void)
{
    PyInterpreterState *first = PyInterpreterState_Head();
    return first != NULL && PyInterpreterState_Next(first) != NULL;
}

int hooks_open(bool sites)
{
    if (sites && sites_init() < 0)
        return -1;
    if (mine == NULL && thread_join() == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (open_counts == 0) {
        pc_allocmap_begin(&sizes);
        atomic_store_explicit(&count.shared, several_interpreters(), memory_order_relaxed);
        if (install() < 0)
            return -1;
    }
    if (sites && open_sites == 0)
        sites_clear_blocks();
    open_counts++;
    open_sites += sites;
    // Release: pairs with the acquires in the hooks.
    atomic_store_explicit(&mode, open_sites > 0 ? SITES : COUNTS, memory_order_release);
    return 0;
}

void hooks_close(bool sites)
{
    assert(open_counts > 0 && open_sites >= sites);
    open_counts--;
    open_sites -= sites;
    atomic_store_explicit(&mode, open_counts == 0 ? OFF : open_sites > 0 ? SITES : COUNTS, memory_order_release);
    if (open_counts == 0) {
        uninstall();
        pc_allocmap_clear(&sizes);
    }
}
