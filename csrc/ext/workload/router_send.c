// SPDX-License-Identifier: MIT
// send_many() with a name for each message (see router.h). What takes most of such a delivery is waiting for memory:
// the name, its place in the registry, the endpoint, its ring. So names are looked up by the dozen, step by step, and
// each step has fetched what the next one needs.
//
// Invariant: between a look-up and the delivery nothing runs (the GIL is held, and what would run code is left to
// router_deliver()), so endpoints are borrowed, and lists are read in place.
#include "workload/router.h"

enum { WINDOW = 16 }; // names looked up together; a cache line of each step's results

static inline uint64_t hash_of(PyObject *name)
{
    Py_hash_t hash = ((PyASCIIObject *)name)->hash;
    return (uint64_t)(PC_LIKELY(hash != -1) ? hash : PyObject_Hash(name)); // of an exact str: never fails
}

// Look up the endpoints of names from the first on; how many were found, and have a sink, before the first that was
// not.
static size_t look_up(const router_object *self, PyObject *const *names, size_t count, endpoint_object **found)
{
    const pc_registry_entry *entries[WINDOW];
    for (size_t i = 0; i < count; i++) {
        if (PC_UNLIKELY(!PyUnicode_CheckExact(names[i])))
            count = i;
        else
            pc_registry_prefetch(&self->names, hash_of(names[i]));
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = pc_registry_first(&self->names, hash_of(names[i]));
        if (PC_UNLIKELY(entries[i] == NULL))
            count = i;
        else
            __builtin_prefetch(entries[i]->thing);
    }
    for (size_t i = 0; i < count; i++) {
        const pc_registry_entry *entry = entries[i];
        while (entry != NULL && PC_UNLIKELY(!endpoint_is_called(entry->thing, names[i])))
            entry = pc_registry_next(&self->names, entry);
        found[i] = PC_LIKELY(entry != NULL) ? entry->thing : NULL;
        if (PC_UNLIKELY(found[i] == NULL || found[i]->sink == NULL)) {
            count = i;
        } else {
            __builtin_prefetch(found[i]->sink);
            __builtin_prefetch(&found[i]->sink->unfinished);
        }
    }
    return count;
}

// Deliver from the first message on for as long as that runs nothing; how many. *window is how many to look up
// together: few after a delivery that could not be made so, as what was looked up behind it was in vain.
static size_t send_at_once(const router_object *self, PyObject *const *names, PyObject *const *messages, size_t count,
                           size_t *window)
{
    endpoint_object *found[WINDOW];
    size_t done = 0;
    while (done < count) {
        size_t width = *window < count - done ? *window : count - done;
        size_t ready = look_up(self, names + done, width, found), made = 0;
        while (made < ready && PC_LIKELY(endpoint_deliver_at_once(found[made], messages[done + made])))
            made++;
        done += made;
        if (made < width) {
            *window = 1;
            break;
        }
        *window = 2 * *window < WINDOW ? 2 * *window : WINDOW;
    }
    return done;
}

// The rest, from `done` on: one by one while that runs code. Returns as router_send_each().
static Py_ssize_t send_rest(router_object *self, PyObject *names, PyObject *messages, Py_ssize_t done, size_t window)
{
    PyObject **name = PySequence_Fast_ITEMS(names), **message = PySequence_Fast_ITEMS(messages);
    Py_ssize_t count = PyTuple_GET_SIZE(names), made = done;
    while (done < count) {
        endpoint_object *endpoint = router_recall(self, name[done]);
        if (PC_UNLIKELY(endpoint == NULL))
            endpoint = (endpoint_object *)router_find(self, name[done]);
        if (endpoint == NULL)
            return -1;
        if (endpoint_deliver_at_once(endpoint, message[done])) {
            done++;
            size_t more = send_at_once(self, name + done, message + done, (size_t)(count - done), &window);
            done += (Py_ssize_t)more;
            made += 1 + (Py_ssize_t)more;
            continue;
        }
        Py_ssize_t outcome = router_deliver(self, endpoint, message[done]);
        if (outcome < 0)
            return -1;
        made += outcome;
        done++;
    }
    return made;
}

static bool is_array(PyObject *sequence)
{
    return PyList_CheckExact(sequence) || PyTuple_CheckExact(sequence);
}

Py_ssize_t router_send_each(router_object *self, PyObject *names, PyObject *messages)
{
    Py_ssize_t done = 0;
    size_t window = WINDOW;
    if (is_array(names) && is_array(messages) &&
        PySequence_Fast_GET_SIZE(names) == PySequence_Fast_GET_SIZE(messages)) {
        Py_ssize_t count = PySequence_Fast_GET_SIZE(names);
        done = (Py_ssize_t)send_at_once(self, PySequence_Fast_ITEMS(names), PySequence_Fast_ITEMS(messages),
                                        (size_t)count, &window);
        if (done == count)
            return done;
    }
    // Tuples, because what runs from here on may change a list.
    Py_ssize_t made = -1;
    PyObject *each = PySequence_Tuple(names);
    PyObject *all = each != NULL ? PySequence_Tuple(messages) : NULL;
    if (all != NULL && router_check_keys("send_many", each, all) == 0)
        made = send_rest(self, each, all, done, window);
    Py_XDECREF(each);
    Py_XDECREF(all);
    return made;
}
