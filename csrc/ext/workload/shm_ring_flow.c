// SPDX-License-Identifier: MIT
// Putting and getting of a ShmRing: the GIL, signals, what is in hand (see shm_ring.h).
//
// A call first tries with the GIL held, which neither waits nor copies much: HELD_BYTES to put, PC_SHM_BATCH_BYTES to
// get. What copies more, or waits, for the other side or for a lock in the shared memory, does so without the GIL, and
// comes back once in a slice at least to look for signals.
#include "workload/shm_ring.h"

#include "base/pc_alloc.h"

enum {
    HELD_BYTES = 1 << 16,             // so much is put without the GIL
    SPARE_BYTES = PC_SHM_BATCH_BYTES, // a larger batch is not kept for the next call
    PIECES = 64,                      // on the C stack
};

// --- the handle ---

pc_shm *shm_ring_handle(shm_ring_object *self)
{
    if (PC_UNLIKELY(self->shm == NULL || self->leaving)) {
        PyErr_SetString(PyExc_ValueError, "this ShmRing is detached; open the ring again by its name");
        return NULL;
    }
    return self->shm;
}

static void free_batches(pc_shm_batch **batches)
{
    while (*batches != NULL) {
        pc_shm_batch *first = *batches;
        *batches = first->next;
        pc_free(first);
    }
}

void shm_ring_leave(shm_ring_object *self)
{
    if (self->shm == NULL)
        return;
    self->leaving = true;
    if (self->busy > 0) {
        pc_shm_wake_all(self->shm); // ours come out; the others look, and sleep on
        return;
    }
    pc_shm *shm = self->shm;
    self->shm = NULL;
    pc_shm_detach(shm);
}

void shm_ring_come_out(shm_ring_object *self)
{
    if (--self->busy == 0 && PC_UNLIKELY(self->leaving))
        shm_ring_leave(self);
}

void shm_ring_free_batches(shm_ring_object *self)
{
    free_batches(&self->spare);
    free_batches(&self->kept);
}

void shm_ring_forget_parent(shm_ring_object *self)
{
    self->busy = 0;
    free_batches(&self->kept);
    if (self->leaving)
        shm_ring_leave(self);
    else if (self->shm != NULL)
        pc_shm_after_fork(self->shm);
}

// After a call without the GIL. 0 to go on, -1 with an exception. The handle is not counted busy while a signal's
// handler runs, which may detach, as may other threads then, or fork. One that is detached stays so: 0 means that it is
// the same as before.
static int come_back(shm_ring_object *self, int status)
{
    shm_ring_come_out(self);
    if (status == 0) // what is done is done
        return 0;
    if (status == -EAGAIN && PyErr_CheckSignals() < 0)
        return -1;
    return shm_ring_handle(self) == NULL ? -1 : 0;
}

// What a try with the GIL that came to `status` leads to: the deadline to try with once more, or 0 to leave it.
static int64_t next_deadline(int status, ring_deadline deadline)
{
    if (deadline != RING_NOT_AT_ALL)
        return status == -EAGAIN || status == -EBUSY ? deadline : 0;
    return status == -EBUSY ? PC_SHM_SOON : 0;
}

// --- put ---

// Put the first of some pieces. A status of the core, or 1 with an exception.
static int put_pieces(shm_ring_object *self, const pc_shm_piece *pieces, size_t count, ring_deadline deadline,
                      size_t *done)
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return 1;
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes < HELD_BYTES; i++)
        bytes += pieces[i].length;
    int status = bytes < HELD_BYTES ? pc_shm_put(shm, pieces, count, PC_SHM_NOW, done) : -EBUSY;
    int64_t until = next_deadline(status, deadline);
    while (PC_UNLIKELY(until != 0)) {
        self->busy++;
        Py_BEGIN_ALLOW_THREADS
        status = pc_shm_put(shm, pieces, count, until, done);
        Py_END_ALLOW_THREADS
        if (come_back(self, status) < 0)
            return 1;
        if (status != -EAGAIN || until == PC_SHM_SOON)
            break;
    }
    return status;
}

int shm_ring_put(shm_ring_object *self, PyObject *item, ring_deadline deadline)
{
    pc_shm_piece piece;
    PyObject *bytes = shm_ring_encode(self, item, &piece);
    if (bytes == NULL)
        return -1;
    size_t done;
    int status = put_pieces(self, &piece, 1, deadline, &done);
    Py_DECREF(bytes);
    if (PC_UNLIKELY(status < 0))
        (void)shm_ring_raise(self, status, false);
    return status == 0 ? 0 : -1;
}

// Put pieces in order. How many went in, or -1 with an exception, which is that of the first piece.
static Py_ssize_t put_all(shm_ring_object *self, const pc_shm_piece *pieces, size_t count, ring_deadline deadline)
{
    size_t all = 0;
    while (all < count) {
        size_t done;
        int status = put_pieces(self, pieces + all, count - all, deadline, &done);
        if (status == 0) {
            all += done;
            continue;
        }
        if (status < 0 && all == 0)
            (void)shm_ring_raise(self, status, false);
        if (status > 0 || all == 0)
            return -1;
        break;
    }
    return (Py_ssize_t)all;
}

PyObject *shm_ring_put_items(shm_ring_object *self, PyObject *items, ring_deadline deadline)
{
    PyObject *sequence = PySequence_Tuple(items); // dumps() may run anything, which must not change it
    if (sequence == NULL)
        return NULL;
    size_t count = (size_t)PyTuple_GET_SIZE(sequence);
    pc_shm_piece few[PIECES], *pieces = few;
    PyObject *encoded = PyTuple_New((Py_ssize_t)count), *result = NULL;
    if (encoded == NULL)
        goto done;
    if (count > PIECES && (pieces = PyMem_New(pc_shm_piece, count)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *bytes = shm_ring_encode(self, PyTuple_GET_ITEM(sequence, (Py_ssize_t)i), &pieces[i]);
        if (bytes == NULL)
            goto done;
        PyTuple_SET_ITEM(encoded, (Py_ssize_t)i, bytes);
    }
    Py_ssize_t all = put_all(self, pieces, count, deadline);
    if (all >= 0)
        result = PyLong_FromSsize_t(all);
done:
    if (pieces != few)
        PyMem_Free(pieces);
    Py_XDECREF(encoded);
    Py_DECREF(sequence);
    return result;
}

// --- get ---

// Put a batch away: what is left in it is the next to be given.
static void put_away(shm_ring_object *self, pc_shm_batch *batch)
{
    if (batch->at < batch->end) {
        batch->next = self->kept;
        self->kept = batch;
    } else if (PC_UNLIKELY(batch->capacity > SPARE_BYTES)) {
        Py_BEGIN_ALLOW_THREADS
        pc_free(batch);
        Py_END_ALLOW_THREADS
    } else if (self->spare == NULL) {
        batch->next = NULL;
        self->spare = batch;
    } else {
        pc_free(batch);
    }
}

static pc_shm_batch *take_kept(shm_ring_object *self)
{
    pc_shm_batch *batch = self->kept;
    if (PC_UNLIKELY(batch != NULL))
        self->kept = batch->next;
    return batch;
}

// Take messages in hand. NULL with an exception.
static pc_shm_batch *take_batch(shm_ring_object *self, size_t limit, ring_deadline deadline)
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    pc_shm_batch *kept = take_kept(self);
    if (PC_UNLIKELY(kept != NULL))
        return kept;
    pc_shm_batch *batch = self->spare;
    self->spare = NULL;
    int status = pc_shm_get(shm, limit, PC_SHM_NOW, &batch);
    int64_t until = next_deadline(status, deadline);
    int raised = 0;
    while (until != 0) {
        self->busy++;
        Py_BEGIN_ALLOW_THREADS
        status = pc_shm_get(shm, limit, until, &batch);
        Py_END_ALLOW_THREADS
        raised = come_back(self, status);
        if (raised < 0 || status != -EAGAIN || until == PC_SHM_SOON || self->kept != NULL)
            break;
    }
    if (PC_LIKELY(status == 0))
        return batch;
    if (raised == 0 && (kept = take_kept(self)) == NULL) // another thread may have put some away meanwhile
        (void)shm_ring_raise(self, status, true);
    if (batch != NULL)
        put_away(self, batch);
    return kept;
}

// Whether the exception says nothing of the message: it is kept then.
static bool is_not_its_fault(void)
{
    return PyErr_ExceptionMatches(PyExc_MemoryError) || !PyErr_ExceptionMatches(PyExc_Exception);
}

PyObject *shm_ring_get(shm_ring_object *self, ring_deadline deadline)
{
    pc_shm_batch *batch = take_batch(self, 1, deadline);
    if (batch == NULL)
        return NULL;
    size_t at = batch->at, count = batch->count;
    pc_shm_piece piece;
    PyObject *item = NULL;
    if (pc_shm_batch_next(batch, &piece)) {
        item = shm_ring_decode(self, &piece);
        if (PC_UNLIKELY(item == NULL) && is_not_its_fault()) {
            batch->at = at;
            batch->count = count;
        }
    } else {
        batch->at = batch->end;
        (void)shm_ring_raise(self, -EBADMSG, true);
    }
    put_away(self, batch);
    return item;
}

PyObject *shm_ring_get_items(shm_ring_object *self, size_t limit, ring_deadline deadline)
{
    PyObject *list = PyList_New(0); // first, so that no message is got that cannot be given
    if (list == NULL)
        return NULL;
    pc_shm_batch *batch = take_batch(self, limit, deadline);
    if (batch == NULL) {
        Py_DECREF(list);
        return NULL;
    }
    const size_t first = batch->at, all = batch->count;
    pc_shm_piece piece;
    bool failed = false;
    while (!failed && (size_t)PyList_GET_SIZE(list) < limit) {
        size_t at = batch->at, count = batch->count;
        if (!pc_shm_batch_next(batch, &piece))
            break;
        PyObject *item = shm_ring_decode(self, &piece);
        failed = item == NULL || PyList_Append(list, item) < 0;
        Py_XDECREF(item);
        if (PC_UNLIKELY(failed) && (PyList_GET_SIZE(list) > 0 || is_not_its_fault())) {
            batch->at = at;
            batch->count = count;
        }
    }
    if (PC_UNLIKELY(failed)) {
        if (PyList_GET_SIZE(list) > 0 && PyErr_ExceptionMatches(PyExc_Exception)) {
            PyErr_Clear(); // it comes again, when that message is the first
        } else {
            if (PyList_GET_SIZE(list) > 0) { // Ctrl-C: the whole list is given later
                batch->at = first;
                batch->count = all;
            }
            Py_CLEAR(list);
        }
    } else if (PC_UNLIKELY(PyList_GET_SIZE(list) == 0)) {
        batch->at = batch->end;
        Py_CLEAR(list);
        (void)shm_ring_raise(self, -EBADMSG, true);
    }
    put_away(self, batch);
    return list;
}

int shm_ring_close(shm_ring_object *self)
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return -1;
    int status;
    do {
        self->busy++;
        Py_BEGIN_ALLOW_THREADS
        status = pc_shm_close(shm);
        Py_END_ALLOW_THREADS
        if (come_back(self, status) < 0)
            return -1;
    } while (status == -EAGAIN);
    if (status < 0)
        (void)shm_ring_raise(self, status, false);
    return status;
}

int shm_ring_watch(shm_ring_object *self, bool getting, uint64_t position)
{
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return -1;
    if (getting && self->kept != NULL)
        return 1;
    int status;
    self->busy++;
    Py_BEGIN_ALLOW_THREADS
    status = pc_shm_watch(shm, getting, position);
    Py_END_ALLOW_THREADS
    if (come_back(self, status) < 0)
        return -1;
    return status == 0 || (getting && self->kept != NULL);
}
