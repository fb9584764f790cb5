// SPDX-License-Identifier: MIT
// Ring and PriorityRing as the bindings of the workload room see them: storage, waiters, and what moves an item.
//
// Invariants, whenever the GIL may be let go: a thread waits to get only while the ring is empty (or its items are
// promised to event loops that were woken), and to put only while it is full. Waiters are served in the order they
// came; a thread is handed its item, so that nobody overtakes it, and an event loop is woken once and fetches.
// Waiters live on the heap and know their process: after a fork those of the parent's threads are dropped.
// Thread contract: the GIL is held, except while a thread sleeps on its own lock.
#ifndef PC_EXT_RING_H
#define PC_EXT_RING_H

#include "ext.h"
#include "workload/pc_heap.h"
#include "workload/pc_ring.h"

#include <sys/types.h>

typedef enum { WAITING, SERVED, CLOSED, NO_MEMORY } waiter_state;

typedef struct waiter {
    struct waiter *next;
    struct waiter *previous;
    PyThread_type_lock lock; // a thread sleeps on it; NULL for an event loop
    PyObject *callback;      // an event loop is woken by it; NULL for a thread
    PyObject *item;          // a putter's that is to go in, or what a getter was handed; NULL when it has moved on
    double priority;
    pid_t process;
    waiter_state state;
} waiter;

typedef struct waiters {
    waiter *first;
    waiter *last;
} waiters;

// What a put or a get touches comes first: two cache lines.
typedef struct ring_object {
    PyObject_HEAD
    pc_ring ring;
    size_t limit; // items at most; SIZE_MAX for no limit
    bool sorted;  // the items are in `heap`, not in `ring`
    bool closed;
    bool is_mailbox;  // of an endpoint; of one only
    bool get_awaited; // an event loop waits to get, or has
    bool put_awaited; // likewise to put
    waiters getters;
    size_t unfinished;
    waiters putters;
    waiters joiners;
    pc_heap heap;
    core_state *state; // of the module of its type, which keeps it
    PyObject *weakrefs;
} ring_object;

// What an operation came to. An error has an exception set; the others do not.
typedef enum { RING_ERROR = -1, RING_DONE = 0, RING_NOT_NOW = 1, RING_CLOSED = 2 } ring_outcome;

static inline size_t ring_length(const ring_object *self)
{
    return self->sorted ? self->heap.length : self->ring.length;
}

// How long an operation may wait: until a time on CLOCK_MONOTONIC, RING_FOREVER, or not at all.
typedef int64_t ring_deadline;
#define RING_FOREVER INT64_MAX
#define RING_NOT_AT_ALL ((int64_t)-1)

// From `block` and `timeout` as queue.Queue takes them; NULL for those not given. 0, or -1 with an exception.
int ring_parse_deadline(PyObject *block, PyObject *timeout, ring_deadline *deadline) PC_NODISCARD;

// Put one item; the ring takes a reference of its own.
ring_outcome ring_put(ring_object *self, PyObject *item, double priority, ring_deadline deadline) PC_NODISCARD;

// Put an item where there is room and nobody waits for it; the ring takes a reference of its own. False: it takes more
// than that, which is for ring_put(). Runs nothing and raises nothing.
static inline bool ring_put_at_once(ring_object *self, PyObject *item)
{
    // A sorted ring has no capacity.
    pc_ring *ring = &self->ring;
    if (PC_UNLIKELY(self->closed || ring->length >= self->limit || ring->length == ring->capacity ||
                    self->getters.first != NULL))
        return false;
    Py_INCREF(item);
    pc_ring_push_in(ring, item);
    self->unfinished++;
    return true;
}

// Get the first item, a new reference, where there is one and nobody waits to put. NULL: it takes more than that, which
// is for ring_get(). Runs nothing and raises nothing.
static inline PyObject *ring_get_at_once(ring_object *self)
{
    // A sorted ring has nothing in `ring`.
    if (PC_UNLIKELY(self->ring.length == 0 || self->putters.first != NULL))
        return NULL;
    return pc_ring_pop(&self->ring);
}

// Get the first item into *item, a new reference.
ring_outcome ring_get(ring_object *self, ring_deadline deadline, PyObject **item) PC_NODISCARD;

// Whether `count` items can go in at once with nobody to wake; if so, there is room for them.
bool ring_can_take(ring_object *self, size_t count);

// Put in what can go in at once; nothing runs and nothing fails.
void ring_take(ring_object *self, PyObject *const *items, size_t count);

// Move up to `count` items out where nobody waits to put; how many. Nothing runs.
size_t ring_give(ring_object *self, PyObject **items, size_t count);

// Drop the first item, as if it had been got and done. False when there is none.
bool ring_drop_oldest(ring_object *self);

// One task is done; wake who joins when it was the last. False when there was none.
bool ring_task_done(ring_object *self);

// Wait until every item that was put is done. RING_DONE or RING_ERROR.
ring_outcome ring_join(ring_object *self) PC_NODISCARD;

// No more puts; what is in can still be got. Wakes every waiter.
void ring_close(ring_object *self);

// Serve whoever waits and can be served: who was woken before does not want it any more.
void ring_serve(ring_object *self);

// Raise queue.Full, queue.Empty or perfcore's Closed. Return NULL.
PyObject *ring_raise_full(core_state *state);
PyObject *ring_raise_empty(core_state *state);
PyObject *ring_raise_closed(core_state *state);

// What put() returns for an outcome: None, or NULL with an exception.
PyObject *ring_put_outcome(ring_object *self, ring_outcome outcome);

// What get() returns: the first item, a new reference, or NULL with an exception.
PyObject *ring_get_item(ring_object *self, ring_deadline deadline);

// put_many() and get_many() (ring_many.c).
extern const char ring_put_many_doc[], ring_get_many_doc[];
PyObject *ring_put_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *ring_get_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

// What get_many() returns: a list, or NULL with an exception.
PyObject *ring_get_items(ring_object *self, size_t limit, ring_deadline deadline);

// The awaiting methods (ring_await.c).
extern const char ring_aget_doc[], ring_aget_many_doc[], ring_aput_doc[];
PyObject *ring_aget(ring_object *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *ring_aget_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *ring_aput(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *ring_aput_priority(ring_object *self, PyObject *item, double priority);

// put_many() of both types, once the arguments are known.
PyObject *ring_put_items(ring_object *self, PyObject *items, double priority, ring_deadline deadline);

// The ring that a callable puts what it is called with into, as Ring.put() and put_nowait() do; NULL for any other.
ring_object *ring_behind(core_state *state, PyObject *callable);

// Whether an object is a ring of either type.
bool ring_check(core_state *state, PyObject *object);

// --- the waiters of event loops (waiters.c) ---

// Add a callback that is called once, when it is its turn; `front` where it lost what it was woken for.
int waiters_add_callback(waiters *list, PyObject *callback, bool front) PC_NODISCARD;

// Take a callback out. False when it is not there: it was woken already.
bool waiters_remove_callback(waiters *list, PyObject *callback);

// Sleep in the list until served, the deadline or a signal. Returns the state; WAITING after a deadline or a signal,
// with *interrupted telling them apart. `self` is out of the list afterwards in any case.
//
// An event loop that was woken for what came may stand still. So where loops wait or have waited, each thread wakes ten
// times a second, keeping its place, and the first in the line finds what lies there as if the deadline had come.
waiter_state waiters_sleep(const ring_object *ring, waiters *list, waiter *self, bool front, ring_deadline deadline,
                           bool *interrupted);

// A waiter for the calling thread. NULL with MemoryError.
waiter *waiter_new_thread(void);

// Free a waiter that is in no list, with what it holds.
void waiter_free(waiter *self);

// Take the first waiter that is alive: a thread, with its lock held, or an event loop that has accepted the wake-up
// (then it is freed already and NULL is returned with *woken set). NULL without *woken: nobody waits.
waiter *waiters_take(waiters *list, bool *woken);

// Let a thread that was taken go on, in this state.
void waiter_release(waiter *self, waiter_state state);

// Wake all, in this state.
void waiters_wake_all(waiters *list, waiter_state state);

// Free the waiters of event loops and of processes that are gone.
void waiters_clear(waiters *list);
int waiters_traverse(waiters *list, visitproc visit, void *arg);

#endif
