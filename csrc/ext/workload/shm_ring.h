// SPDX-License-Identifier: MIT
// ShmRing as the bindings see it: a handle of a pc_shm, two callables that turn objects into bytes and back, and the
// messages in hand.
//
// A message that was got and cannot be given (no memory, Ctrl-C while it is decoded) is kept in the handle, counts as
// in, and is the next to be given: nothing that left the shared memory is lost while the process lives. Who waits
// already sees it a slice later.
//
// The handle outlives every call that is inside it: `busy` counts those, and the last one out lets go of it when
// detach() was called meanwhile. Thread contract: the GIL is held, except around the core calls of shm_ring_flow.c.
#ifndef PC_EXT_SHM_RING_H
#define PC_EXT_SHM_RING_H

#include "ext.h"
#include "workload/pc_shm.h"
#include "workload/ring.h"

typedef struct shm_ring_object {
    PyObject_HEAD
    pc_shm *shm; // NULL when detached
    size_t busy; // calls inside it that have let go of the GIL
    bool leaving;
    PyObject *dumps;
    PyObject *dumps_extra; // a second argument of dumps, or NULL
    PyObject *loads;
    PyObject *plain_dumps; // for plain data, see shm_ring_codec.c; or NULL
    PyObject *plain_loads;
    pc_shm_batch *spare; // an empty one to use again
    pc_shm_batch *kept;  // messages to be given before those in the ring
    PyObject *weakrefs;
} shm_ring_object;

// What a message is: bytes as they are, an object through the codec, or plain data through the second codec.
typedef enum { SHM_RING_BYTES = 0, SHM_RING_OBJECT = 1, SHM_RING_PLAIN = 2 } shm_ring_kind;

// Turn an object into bytes, which the caller owns. NULL with an exception, also when it is too large for the ring.
PyObject *shm_ring_encode(shm_ring_object *self, PyObject *item, pc_shm_piece *piece);

// Turn a message into an object. NULL with an exception.
PyObject *shm_ring_decode(shm_ring_object *self, const pc_shm_piece *piece);

// The handle to use, or NULL with ValueError when it is detached.
pc_shm *shm_ring_handle(shm_ring_object *self);

// Let go of the handle, now or when the last call is out of it.
void shm_ring_leave(shm_ring_object *self);

// After a call without the GIL, which counted itself in `busy`: the last one out lets go of the handle.
void shm_ring_come_out(shm_ring_object *self);

// Free the messages in hand, and the memory for them.
void shm_ring_free_batches(shm_ring_object *self);

// In the child of a fork: no other thread is in here, and what the parent has in hand is the parent's.
void shm_ring_forget_parent(shm_ring_object *self);

// Raise what a status of the core means: Closed, Full or Empty (`getting`), SegmentError, MemoryError, OSError. NULL.
PyObject *shm_ring_raise(shm_ring_object *self, int status, bool getting);

// Raise why a segment of this name (NULL for none) and size cannot be had. Returns NULL.
PyObject *shm_ring_raise_opening(core_state *state, int status, const char *name, Py_ssize_t size);

// The properties.
extern PyGetSetDef shm_ring_getset[];

// Put one object. 0, or -1 with an exception.
int shm_ring_put(shm_ring_object *self, PyObject *item, ring_deadline deadline) PC_NODISCARD;

// Put the items of an iterable, as many as can be until the deadline: how many as an int, or NULL with an exception.
PyObject *shm_ring_put_items(shm_ring_object *self, PyObject *items, ring_deadline deadline);

// Get one object. NULL with an exception.
PyObject *shm_ring_get(shm_ring_object *self, ring_deadline deadline);

// Get 1 to `limit` objects as a list. NULL with an exception.
PyObject *shm_ring_get_items(shm_ring_object *self, size_t limit, ring_deadline deadline);

// Sleep for a slice at most until it is worth trying to get (or to put), see pc_shm_watch. 1, or 0 if it is not yet, or
// -1 with an exception.
int shm_ring_watch(shm_ring_object *self, bool getting, uint64_t position) PC_NODISCARD;

// The methods for those who wait on event loops (shm_ring_look.c).
extern const char shm_ring_position_doc[], shm_ring_watch_doc[], shm_ring_pass_on_doc[];
PyObject *shm_ring_method_position(shm_ring_object *self, PyObject *for_get);
PyObject *shm_ring_method_watch(shm_ring_object *self, PyObject *args);
PyObject *shm_ring_method_pass_on(shm_ring_object *self, PyObject *for_get);

// Close the ring for all. 0, or -1 with an exception.
int shm_ring_close(shm_ring_object *self) PC_NODISCARD;

#endif
