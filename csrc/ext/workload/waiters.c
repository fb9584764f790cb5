// SPDX-License-Identifier: MIT
// Who waits for a ring: threads, each asleep on a lock of its own, and event loops, each with a callback (see ring.h).
// A callback is any code: it may use the ring, so no list is touched across a call.
#include "workload/ring.h"

#include <time.h>
#include <unistd.h>

enum { NS_PER_US = 1000, PATIENCE_NS = 100 * 1000 * 1000 };

static void add(waiters *list, waiter *self, bool front)
{
    self->previous = front ? NULL : list->last;
    self->next = front ? list->first : NULL;
    *(self->previous != NULL ? &self->previous->next : &list->first) = self;
    *(self->next != NULL ? &self->next->previous : &list->last) = self;
}

static void take_out(waiters *list, waiter *self)
{
    *(self->previous != NULL ? &self->previous->next : &list->first) = self->next;
    *(self->next != NULL ? &self->next->previous : &list->last) = self->previous;
    self->next = self->previous = NULL;
}

static waiter *waiter_new(void)
{
    waiter *self = PyMem_Calloc(1, sizeof *self);
    if (self == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    self->process = getpid();
    return self;
}

waiter *waiter_new_thread(void)
{
    waiter *self = waiter_new();
    if (self == NULL)
        return NULL;
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        PyMem_Free(self);
        PyErr_NoMemory();
        return NULL;
    }
    (void)PyThread_acquire_lock(self->lock, NOWAIT_LOCK);
    return self;
}

void waiter_free(waiter *self)
{
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    PyObject *callback = self->callback, *item = self->item;
    PyMem_Free(self);
    Py_XDECREF(callback);
    Py_XDECREF(item);
}

int waiters_add_callback(waiters *list, PyObject *callback, bool front)
{
    waiter *self = waiter_new();
    if (self == NULL)
        return -1;
    self->callback = Py_NewRef(callback);
    add(list, self, front);
    return 0;
}

bool waiters_remove_callback(waiters *list, PyObject *callback)
{
    for (waiter *each = list->first; each != NULL; each = each->next) {
        if (each->callback == callback) {
            take_out(list, each);
            waiter_free(each);
            return true;
        }
    }
    return false;
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whether what a side waits for is there: it was promised to event loops, which were woken for it.
static bool lies_there(const ring_object *ring, const waiters *list)
{
    return list == &ring->getters ? ring_length(ring) > 0 : ring_length(ring) < ring->limit;
}

static bool is_first_thread(const waiter *self)
{
    for (const waiter *each = self->previous; each != NULL; each = each->previous) {
        if (each->callback == NULL && each->process == self->process)
            return false;
    }
    return true;
}

waiter_state waiters_sleep(const ring_object *ring, waiters *list, waiter *self, bool front, ring_deadline deadline,
                           bool *interrupted)
{
    add(list, self, front);
    // Who sleeps since before the first event loop came has none before it in the line until it is served.
    const bool looks = list == &ring->getters ? ring->get_awaited : list == &ring->putters && ring->put_awaited;
    PyLockStatus status;
    do {
        PY_TIMEOUT_T wait_us = -1;
        ring_deadline until = deadline;
        if (looks) {
            int64_t soon_ns = now_ns() + PATIENCE_NS;
            until = soon_ns < deadline ? soon_ns : deadline;
        }
        if (until != RING_FOREVER) {
            int64_t left_ns = until - now_ns();
            // Rounded up, so that the sleep never ends before the deadline; in parts where the lock cannot wait so
            // long.
            int64_t left_us = left_ns > 0 ? (left_ns - 1) / NS_PER_US + 1 : 0;
            wait_us = left_us < (int64_t)PY_TIMEOUT_MAX ? (PY_TIMEOUT_T)left_us : PY_TIMEOUT_MAX;
        }
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(self->lock, wait_us, 1);
        Py_END_ALLOW_THREADS
        if (looks && lies_there(ring, list) && is_first_thread(self))
            break;
    } while (self->state == WAITING && status == PY_LOCK_FAILURE && now_ns() < deadline);
    if (self->state == WAITING)
        take_out(list, self);
    *interrupted = status == PY_LOCK_INTR;
    return self->state;
}

// --- callbacks ---

// Whether a callback takes the wake-up; -1 with an exception.
static int call(PyObject *callback)
{
    PyObject *taken = PyObject_CallNoArgs(callback);
    int yes = taken == NULL ? -1 : PyObject_IsTrue(taken);
    Py_XDECREF(taken);
    return yes;
}

// The exception that is set, with its own reference and without the frames that it came through.
static PyObject *take_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    if (value != NULL)
        (void)PyException_SetTraceback(value, Py_None);
    return value;
}

static int raise_late(void *argument)
{
    PyObject *exception = argument;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return -1;
}

// Whether signal handlers run here: in the main thread of the main interpreter alone.
static bool handles_signals(void)
{
    return getpid() == gettid() && PyInterpreterState_Get() == PyInterpreterState_Main();
}

// Call a callback; whether it took the wake-up. One that fails is reported and passed over.
//
// It may be interrupted: what the handler of a signal raises (Ctrl-C, a time-out) comes up in the middle of it. Then
// the callback is called again, as an item would lie there with nobody woken for it, and who uses the ring gets the
// exception as if the signal had come a moment later: when this call of the ring is through, which it then is.
static bool wake_callback(waiter *self)
{
    int yes = call(self->callback);
    if (yes >= 0)
        return yes > 0;
    PyObject *first = take_exception();
    yes = call(self->callback);
    if (yes < 0) {
        PyErr_WriteUnraisable(self->callback);
    } else if (first != NULL && !PyErr_GivenExceptionMatches(first, PyExc_MemoryError)) {
        if (handles_signals() && Py_AddPendingCall(raise_late, first) == 0)
            return yes > 0; // it has the reference now
        PyErr_SetObject((PyObject *)Py_TYPE(first), first);
        PyErr_WriteUnraisable(self->callback);
    }
    Py_XDECREF(first);
    return yes > 0;
}

waiter *waiters_take(waiters *list, bool *woken)
{
    *woken = false;
    waiter *self;
    while ((self = list->first) != NULL) {
        take_out(list, self);
        if (self->process == getpid()) {
            if (self->callback == NULL)
                return self;
            *woken = wake_callback(self);
        }
        waiter_free(self);
        if (*woken)
            return NULL;
    }
    return NULL;
}

void waiter_release(waiter *self, waiter_state state)
{
    self->state = state;
    PyThread_release_lock(self->lock); // from here on the thread owns it, as soon as it has the GIL
}

void waiters_wake_all(waiters *list, waiter_state state)
{
    // Only who waits now: a callback may add itself again.
    waiters all = *list;
    *list = (waiters){0};
    // A thread that gives up meanwhile must find its list in order, so threads first: no code of others runs there.
    waiters loops = {0};
    for (waiter *each = all.first, *next; each != NULL; each = next) {
        next = each->next;
        each->next = each->previous = NULL;
        if (each->callback == NULL && each->process == getpid())
            waiter_release(each, state);
        else
            add(&loops, each, false);
    }
    bool woken;
    while (loops.first != NULL)
        (void)waiters_take(&loops, &woken);
}

void waiters_clear(waiters *list)
{
    waiter *self;
    while ((self = list->first) != NULL) {
        take_out(list, self);
        waiter_free(self);
    }
}

int waiters_traverse(waiters *list, visitproc visit, void *arg)
{
    for (waiter *each = list->first; each != NULL; each = each->next) {
        Py_VISIT(each->callback);
        Py_VISIT(each->item);
    }
    return 0;
}
