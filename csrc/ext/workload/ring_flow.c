// SPDX-License-Identifier: MIT
// How items and waiters move through a ring (see ring.h for the invariants). Every function leaves the ring in order
// before it runs code of others: callbacks of event loops, signal handlers, the end of a dropped item.
#include "workload/ring.h"

#include <math.h>
#include <time.h>

static int push(ring_object *self, PyObject *item, double priority)
{
    return self->sorted ? pc_heap_push(&self->heap, item, priority) : pc_ring_push(&self->ring, item);
}

static PyObject *pop(ring_object *self)
{
    return self->sorted ? pc_heap_pop(&self->heap) : pc_ring_pop(&self->ring);
}

// Callbacks that declined have changed the ring: who was taken is still the first in the line.
static void put_back(waiters *list, waiter *first)
{
    first->next = list->first;
    *(first->next != NULL ? &first->next->previous : &list->last) = first;
    list->first = first;
}

// An item came: serve one getter.
static void serve_getter(ring_object *self)
{
    bool woken;
    waiter *next = ring_length(self) > 0 ? waiters_take(&self->getters, &woken) : NULL;
    if (next != NULL) {
        if (ring_length(self) == 0) {
            put_back(&self->getters, next);
            return;
        }
        next->item = pop(self);
        waiter_release(next, SERVED);
    }
}

// A slot is free: let putters in until there is none, or an event loop was woken for it.
static void serve_putters(ring_object *self)
{
    bool woken = false;
    while (!woken && self->putters.first != NULL && ring_length(self) < self->limit) {
        waiter *putter = waiters_take(&self->putters, &woken);
        if (putter == NULL)
            continue;
        if (ring_length(self) >= self->limit) {
            put_back(&self->putters, putter);
            return;
        }
        if (push(self, putter->item, putter->priority) < 0) {
            waiter_release(putter, NO_MEMORY);
            continue;
        }
        putter->item = NULL; // the ring has the reference now
        self->unfinished++;
        waiter_release(putter, SERVED);
        if (self->getters.first != NULL)
            serve_getter(self);
    }
}

int ring_parse_deadline(PyObject *block, PyObject *timeout, ring_deadline *deadline)
{
    int wait = block == NULL ? 1 : PyObject_IsTrue(block);
    if (wait < 0)
        return -1;
    *deadline = wait ? RING_FOREVER : RING_NOT_AT_ALL;
    if (!wait || timeout == NULL || timeout == Py_None)
        return 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (!(seconds >= 0.0)) {
        PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
        return -1;
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    // Beyond a century is forever; and the sum stays far from the end of int64_t.
    if (seconds < 3.2e9)
        *deadline = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + (int64_t)ceil(seconds * 1e9);
    return 0;
}

// Sleep once in a list. RING_DONE: look again, or the waiter's state says what happened. RING_NOT_NOW: the deadline has
// passed, or a loop that was woken stands still: look a last time. A signal handler runs while the waiter is in no
// list, so nothing can be handed to it and lost.
static ring_outcome sleep_once(const ring_object *self, waiters *list, waiter *me, bool *again, ring_deadline deadline)
{
    bool interrupted;
    if (waiters_sleep(self, list, me, *again, deadline, &interrupted) != WAITING)
        return RING_DONE;
    *again = true;
    if (!interrupted)
        return RING_NOT_NOW;
    return PyErr_CheckSignals() < 0 ? RING_ERROR : RING_DONE;
}

static ring_outcome put_slowly(ring_object *self, PyObject *item, double priority, ring_deadline deadline)
{
    waiter *me = waiter_new_thread();
    if (me == NULL)
        return RING_ERROR;
    me->item = Py_NewRef(item);
    me->priority = priority;
    bool again = false;
    ring_outcome outcome;
    do {
        outcome = sleep_once(self, &self->putters, me, &again, deadline);
        if (outcome != RING_ERROR && me->state == WAITING) {
            ring_outcome now = ring_put(self, item, priority, RING_NOT_AT_ALL);
            if (now != RING_NOT_NOW) {
                outcome = now;
                break;
            }
        } else if (me->state == CLOSED) {
            outcome = RING_CLOSED;
        } else if (me->state == NO_MEMORY) {
            PyErr_NoMemory();
            outcome = RING_ERROR;
        }
    } while (outcome == RING_DONE && me->state == WAITING);
    waiter_free(me);
    return outcome;
}

ring_outcome ring_put(ring_object *self, PyObject *item, double priority, ring_deadline deadline)
{
    if (PC_UNLIKELY(self->closed))
        return RING_CLOSED;
    if (PC_UNLIKELY(ring_length(self) >= self->limit))
        return deadline == RING_NOT_AT_ALL ? RING_NOT_NOW : put_slowly(self, item, priority, deadline);
    if (PC_UNLIKELY(push(self, item, priority) < 0)) {
        PyErr_NoMemory();
        return RING_ERROR;
    }
    Py_INCREF(item);
    self->unfinished++;
    if (PC_UNLIKELY(self->getters.first != NULL))
        serve_getter(self);
    return RING_DONE;
}

bool ring_can_take(ring_object *self, size_t count)
{
    return !self->closed && !self->sorted && self->getters.first == NULL && count <= self->limit - self->ring.length &&
           pc_ring_reserve(&self->ring, count) == 0;
}

void ring_take(ring_object *self, PyObject *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        Py_INCREF(items[i]);
    pc_ring_push_many(&self->ring, (void *const *)items, count);
    self->unfinished += count;
}

size_t ring_give(ring_object *self, PyObject **items, size_t count)
{
    if (self->sorted || self->putters.first != NULL)
        return 0;
    size_t given = count < self->ring.length ? count : self->ring.length;
    pc_ring_pop_many(&self->ring, (void **)items, given);
    return given;
}

static ring_outcome get_slowly(ring_object *self, ring_deadline deadline, PyObject **item)
{
    waiter *me = waiter_new_thread();
    if (me == NULL)
        return RING_ERROR;
    bool again = false;
    ring_outcome outcome;
    do {
        outcome = sleep_once(self, &self->getters, me, &again, deadline);
        if (me->state == SERVED) {
            *item = me->item;
            me->item = NULL;
        } else if (outcome != RING_ERROR) {
            // Closed, interrupted or too late: what came meanwhile counts.
            ring_outcome now = ring_get(self, RING_NOT_AT_ALL, item);
            if (now != RING_NOT_NOW) {
                outcome = now;
                break;
            }
        }
    } while (outcome == RING_DONE && me->state == WAITING);
    waiter_free(me);
    return outcome;
}

ring_outcome ring_get(ring_object *self, ring_deadline deadline, PyObject **item)
{
    if (PC_LIKELY(ring_length(self) > 0)) {
        *item = pop(self);
        if (PC_UNLIKELY(self->putters.first != NULL))
            serve_putters(self);
        return RING_DONE;
    }
    if (self->closed)
        return RING_CLOSED;
    return deadline == RING_NOT_AT_ALL ? RING_NOT_NOW : get_slowly(self, deadline, item);
}

bool ring_drop_oldest(ring_object *self)
{
    if (ring_length(self) == 0)
        return false;
    PyObject *item = pop(self);
    (void)ring_task_done(self);
    Py_DECREF(item);
    return true;
}

bool ring_task_done(ring_object *self)
{
    if (self->unfinished == 0)
        return false;
    if (--self->unfinished == 0 && self->joiners.first != NULL)
        waiters_wake_all(&self->joiners, SERVED);
    return true;
}

ring_outcome ring_join(ring_object *self)
{
    ring_outcome outcome = RING_DONE;
    while (outcome == RING_DONE && self->unfinished > 0) {
        waiter *me = waiter_new_thread();
        if (me == NULL)
            return RING_ERROR;
        bool again = false;
        outcome = sleep_once(self, &self->joiners, me, &again, RING_FOREVER);
        bool served = me->state == SERVED;
        waiter_free(me);
        if (served) // at one moment all was done; what was put since is for the next join
            break;
    }
    return outcome;
}

void ring_close(ring_object *self)
{
    self->closed = true;
    waiters_wake_all(&self->putters, CLOSED);
    waiters_wake_all(&self->getters, CLOSED);
}

void ring_serve(ring_object *self)
{
    serve_getter(self);
    serve_putters(self);
}

// --- errors ---

static PyObject *raise_from(PyObject **slot, const char *module, const char *name)
{
    if (*slot == NULL) {
        PyObject *imported = PyImport_ImportModule(module);
        if (imported == NULL)
            return NULL;
        *slot = PyObject_GetAttrString(imported, name);
        Py_DECREF(imported);
        if (*slot == NULL)
            return NULL;
    }
    PyErr_SetNone(*slot);
    return NULL;
}

PyObject *ring_raise_full(core_state *state)
{
    return raise_from(&state->queue_full, "queue", "Full");
}

PyObject *ring_raise_empty(core_state *state)
{
    return raise_from(&state->queue_empty, "queue", "Empty");
}

PyObject *ring_raise_closed(core_state *state)
{
    if (raise_from(&state->closed_error, "perfcore.errors", "Closed") == NULL && state->closed_error != NULL)
        PyErr_SetString(state->closed_error, "the ring is closed: nothing can be put, and nothing is left to get");
    return NULL;
}
