// SPDX-License-Identifier: MIT
// put_many() and get_many(): batches, which move at once where nobody waits, and one by one where somebody does.
// Contract: the GIL is held; see ring.h for what may run in between.
#include "workload/ring.h"

#include "workload/arguments.h"

PyObject *ring_put_items(ring_object *self, PyObject *items, double priority, ring_deadline deadline)
{
    PyObject *sequence = PySequence_Fast(items, "put_many() takes an iterable of items");
    if (sequence == NULL)
        return NULL;
    Py_ssize_t done = 0;
    ring_outcome outcome = RING_DONE;
    Py_ssize_t all = PySequence_Fast_GET_SIZE(sequence);
    if (ring_can_take(self, (size_t)all)) {
        ring_take(self, PySequence_Fast_ITEMS(sequence), (size_t)all);
        done = all;
    }
    // A list may change while we wait: its length is read anew, and the ring's reference is taken before anything runs.
    while (done < PySequence_Fast_GET_SIZE(sequence)) {
        outcome = ring_put(self, PySequence_Fast_GET_ITEM(sequence, done), priority, deadline);
        if (outcome != RING_DONE)
            break;
        done++;
    }
    Py_DECREF(sequence);
    if (outcome == RING_ERROR || (outcome != RING_DONE && done == 0))
        return ring_put_outcome(self, outcome);
    return PyLong_FromSsize_t(done);
}

const char ring_put_many_doc[] =
    "put_many($self, items, block=True, timeout=None)\n--\n\n"
    "Put items in order and return how many went in.\n\n"
    "That is all of them, unless the time is up or the ring is closed on the way: then the\n"
    "first so many. Raises queue.Full or Closed when not one went in.";

PyObject *ring_put_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (PC_LIKELY(nargs == 1 && kwnames == NULL))
        return ring_put_items(self, args[0], 0.0, RING_FOREVER);
    static const char *const names[] = {"items", "block", "timeout", NULL};
    static const arguments_spec spec = {"put_many", names, 1, 3};
    PyObject *values[3];
    ring_deadline deadline;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return ring_put_items(self, values[0], 0.0, deadline);
}

PyObject *ring_get_items(ring_object *self, size_t limit, ring_deadline deadline)
{
    size_t ready;
    PyObject *list = NULL;
    // Allocating a list may collect garbage, and a finalizer may use the ring: what is there is asked once more, and
    // where that took all, it begins again.
    while ((ready = ring_length(self)) > 0) {
        list = PyList_New((Py_ssize_t)(ready < limit ? ready : limit));
        if (list == NULL)
            return NULL;
        if (ring_length(self) > 0)
            break;
        Py_DECREF(list);
    }
    if (ready == 0) {
        list = PyList_New(1); // first, so that no item is got that cannot be given
        if (list == NULL)
            return NULL;
        PyList_SET_ITEM(list, 0, Py_NewRef(Py_None));
        PyObject *item = ring_get_item(self, deadline);
        if (item == NULL || PyList_SetItem(list, 0, item) < 0)
            Py_CLEAR(list);
        return list;
    }
    Py_ssize_t count = (Py_ssize_t)ring_give(self, PySequence_Fast_ITEMS(list), (size_t)PyList_GET_SIZE(list));
    while (count < PyList_GET_SIZE(list)) {
        PyObject *item;
        if (ring_get(self, RING_NOT_AT_ALL, &item) != RING_DONE)
            break;
        PyList_SET_ITEM(list, count, item);
        count++;
    }
    Py_SET_SIZE(list, count); // the slots behind it are empty
    return list;
}

const char ring_get_many_doc[] = "get_many($self, max_items=None, block=True, timeout=None)\n--\n\n"
                                 "Get what is there, at most max_items, as a list; wait for the first item alone.\n\n"
                                 "Raises queue.Empty, or Closed when the ring is closed and drained.";

PyObject *ring_get_many(ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"max_items", "block", "timeout", NULL};
    static const arguments_spec spec = {"get_many", names, 0, 3};
    PyObject *values[3];
    ring_deadline deadline = RING_FOREVER;
    size_t limit = SIZE_MAX;
    if (nargs == 0 && kwnames == NULL)
        return ring_get_items(self, limit, deadline);
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        arguments_size(values[0], "max_items", &limit) < 0 || ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return ring_get_items(self, limit, deadline);
}
