// SPDX-License-Identifier: MIT
// ShmRing: the type. How messages move is in shm_ring_flow.c. It is the base class of a thin Python one, which chooses
// the codec and knows of multiprocessing.
#include "workload/shm_ring.h"

#include <structmember.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "workload/arguments.h"

// --- life ---

static PyObject *shm_ring_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "size", "tag", "fd", NULL};
    const char *name = NULL;
    Py_ssize_t size = 1 << 20;
    unsigned int tag = 0;
    int fd = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|znIi:ShmRing", names, &name, &size, &tag, &fd))
        return NULL;
    if (size < 1 || (size_t)size > PC_SHM_MAX_BYTES)
        return PyErr_Format(PyExc_ValueError, "size is %zd; a ring has 1 to %zu bytes", size, PC_SHM_MAX_BYTES);
    shm_ring_object *self = (shm_ring_object *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    if (fd >= 0)
        status = pc_shm_attach(fd, &self->shm);
    else if (name != NULL)
        status = pc_shm_open(name, (size_t)size, tag, &self->shm);
    else
        status = pc_shm_create((size_t)size, tag, &self->shm);
    Py_END_ALLOW_THREADS
    if (status < 0) {
        Py_DECREF(self);
        return shm_ring_raise_opening(core_state_of_type(type), status, name, size);
    }
    return (PyObject *)self;
}

static int shm_ring_traverse(shm_ring_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->dumps);
    Py_VISIT(self->dumps_extra);
    Py_VISIT(self->loads);
    Py_VISIT(self->plain_dumps);
    Py_VISIT(self->plain_loads);
    return 0;
}

static int shm_ring_tp_clear(shm_ring_object *self)
{
    Py_CLEAR(self->dumps);
    Py_CLEAR(self->dumps_extra);
    Py_CLEAR(self->loads);
    Py_CLEAR(self->plain_dumps);
    Py_CLEAR(self->plain_loads);
    return 0;
}

static void shm_ring_dealloc(shm_ring_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    assert(self->busy == 0); // a call holds a reference
    shm_ring_leave(self);
    shm_ring_free_batches(self);
    (void)shm_ring_tp_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

// --- put and get ---

PyDoc_STRVAR(put_doc, "put($self, item, block=True, timeout=None)\n--\n\n"
                      "Put an item, waiting for room as queue.Queue.put does.\n\n"
                      "Raises queue.Full, Closed on a closed ring, or ValueError if it is too large for the ring.");

static PyObject *shm_ring_method_put(shm_ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    ring_deadline deadline = RING_FOREVER;
    PyObject *values[3];
    if (PC_LIKELY(nargs == 1 && kwnames == NULL)) {
        values[0] = args[0];
    } else {
        static const char *const names[] = {"item", "block", "timeout", NULL};
        static const arguments_spec spec = {"put", names, 1, 3};
        if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
            ring_parse_deadline(values[1], values[2], &deadline) < 0)
            return NULL;
    }
    if (shm_ring_put(self, values[0], deadline) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(put_nowait_doc, "put_nowait($self, item, /)\n--\n\nPut an item, or raise queue.Full.");

static PyObject *shm_ring_put_nowait(shm_ring_object *self, PyObject *item)
{
    if (shm_ring_put(self, item, RING_NOT_AT_ALL) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(put_many_doc, "put_many($self, items, block=True, timeout=None)\n--\n\n"
                           "Put items in order and return how many went in.\n\n"
                           "That is all of them, unless the time is up or the ring is closed on the way: then the\n"
                           "first so many. Raises queue.Full or Closed when not one went in.");

static PyObject *shm_ring_put_many(shm_ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"items", "block", "timeout", NULL};
    static const arguments_spec spec = {"put_many", names, 1, 3};
    PyObject *values[3];
    ring_deadline deadline;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return shm_ring_put_items(self, values[0], deadline);
}

PyDoc_STRVAR(get_doc, "get($self, block=True, timeout=None)\n--\n\n"
                      "Get the first item, waiting for one as queue.Queue.get does.\n\n"
                      "Raises queue.Empty, or Closed when the ring is closed and drained.");

static PyObject *shm_ring_method_get(shm_ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    ring_deadline deadline = RING_FOREVER;
    if (PC_UNLIKELY(nargs != 0 || kwnames != NULL)) {
        static const char *const names[] = {"block", "timeout", NULL};
        static const arguments_spec spec = {"get", names, 0, 2};
        PyObject *values[2];
        if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
            ring_parse_deadline(values[0], values[1], &deadline) < 0)
            return NULL;
    }
    return shm_ring_get(self, deadline);
}

PyDoc_STRVAR(get_nowait_doc, "get_nowait($self, /)\n--\n\nGet the first item, or raise queue.Empty.");

static PyObject *shm_ring_get_nowait(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return shm_ring_get(self, RING_NOT_AT_ALL);
}

PyDoc_STRVAR(get_many_doc, "get_many($self, max_items=None, block=True, timeout=None)\n--\n\n"
                           "Get what is there, at most max_items and about 256 KiB; wait for the first item alone.\n\n"
                           "Raises queue.Empty, or Closed when the ring is closed and drained.");

static PyObject *shm_ring_get_many(shm_ring_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"max_items", "block", "timeout", NULL};
    static const arguments_spec spec = {"get_many", names, 0, 3};
    PyObject *values[3];
    ring_deadline deadline;
    size_t limit;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        arguments_size(values[0], "max_items", &limit) < 0 || ring_parse_deadline(values[1], values[2], &deadline) < 0)
        return NULL;
    return shm_ring_get_items(self, limit, deadline);
}

// --- the end ---

PyDoc_STRVAR(close_doc, "close($self, /)\n--\n\n"
                        "Take no more items, from any process. What is in can still be got; then get() raises Closed.");

static PyObject *shm_ring_method_close(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    if (shm_ring_close(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(detach_doc, "detach($self, /)\n--\n\n"
                         "Let go of the shared memory, in this process; it ends with its last user. Other methods\n"
                         "raise ValueError from then on, also those that wait in other threads.");

static PyObject *shm_ring_detach(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    shm_ring_leave(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(enter_doc, "__enter__($self, /)\n--\n\nReturn the ring.");

static PyObject *shm_ring_enter(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    return shm_ring_handle(self) == NULL ? NULL : Py_NewRef((PyObject *)self);
}

PyDoc_STRVAR(exit_doc, "__exit__($self, /, *exc)\n--\n\ndetach().");

static PyObject *shm_ring_exit(shm_ring_object *self, PyObject *Py_UNUSED(args))
{
    return shm_ring_detach(self, NULL);
}

// --- what it is like ---

PyDoc_STRVAR(qsize_doc, "qsize($self, /)\n--\n\nReturn how many items are in.");

static PyObject *shm_ring_qsize(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_shm_state state;
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    pc_shm_look(shm, &state);
    // An item may be got a moment before it is counted as put.
    uint64_t items = state.puts > state.gets ? state.puts - state.gets : 0;
    for (const pc_shm_batch *batch = self->kept; batch != NULL; batch = batch->next)
        items += batch->count;
    return PyLong_FromUnsignedLongLong(items);
}

PyDoc_STRVAR(empty_doc, "empty($self, /)\n--\n\nSay whether no item is in.");

static PyObject *shm_ring_empty(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_shm *shm = shm_ring_handle(self);
    return shm == NULL ? NULL : PyBool_FromLong(self->kept == NULL && pc_shm_is_empty(shm));
}

PyDoc_STRVAR(users_doc, "users($self, /)\n--\n\n"
                        "Return the process ids of the ring's users that are alive (the first 256), in order.");

static PyObject *shm_ring_users(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    pid_t pids[PC_SHM_USERS];
    pc_shm *shm = shm_ring_handle(self);
    if (shm == NULL)
        return NULL;
    size_t count;
    self->busy++;
    Py_BEGIN_ALLOW_THREADS
    count = pc_shm_users(shm, pids);
    Py_END_ALLOW_THREADS
    shm_ring_come_out(self);
    PyObject *set = PySet_New(NULL); // a process may have several handles
    for (size_t i = 0; set != NULL && i < count; i++) {
        PyObject *pid = PyLong_FromLong(pids[i]);
        if (pid == NULL || PySet_Add(set, pid) < 0)
            Py_CLEAR(set);
        Py_XDECREF(pid);
    }
    PyObject *list = set == NULL ? NULL : PySequence_List(set);
    Py_XDECREF(set);
    if (list != NULL && PyList_Sort(list) < 0)
        Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(bind_doc, "_bind($self, dumps, extra, loads, plain_dumps=None, plain_loads=None, /)\n--\n\n"
                       "Set the codec: dumps(item), or dumps(item, extra) where that is not None, and loads(bytes);\n"
                       "and a faster one for plain data.");

static PyObject *shm_ring_bind(shm_ring_object *self, PyObject *args)
{
    PyObject *given[5] = {NULL, NULL, NULL, NULL, NULL};
    if (!PyArg_ParseTuple(args, "OOO|OO:_bind", &given[0], &given[1], &given[2], &given[3], &given[4]))
        return NULL;
    PyObject **const slots[] = {&self->dumps, &self->dumps_extra, &self->loads, &self->plain_dumps, &self->plain_loads};
    for (size_t i = 0; i < 5; i++) {
        PyObject *before = *slots[i];
        *slots[i] = given[i] == Py_None ? NULL : Py_XNewRef(given[i]);
        Py_XDECREF(before);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(forked_doc, "_forked($self, /)\n--\n\nIn the child of a fork: become a user of one's own.");

static PyObject *shm_ring_forked(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    shm_ring_forget_parent(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(release_doc, "_release($self, /)\n--\n\nAs the process ends: give up the name, if nobody else uses it.");

static PyObject *shm_ring_release(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    if (self->shm != NULL)
        pc_shm_release(self->shm);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(fileno_doc, "fileno($self, /)\n--\n\nReturn the file descriptor of the shared memory.");

static PyObject *shm_ring_fileno(shm_ring_object *self, PyObject *Py_UNUSED(ignored))
{
    pc_shm *shm = shm_ring_handle(self);
    return shm == NULL ? NULL : PyLong_FromLong(pc_shm_fd(shm));
}

static PyMemberDef shm_ring_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(shm_ring_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS
#define NOARGS(function) (PyCFunction)(function), METH_NOARGS
PyDoc_STRVAR(class_getitem_doc, "__class_getitem__($type, item, /)\n--\n\nSupport ShmRing[int] in annotations.");

static PyMethodDef shm_ring_methods[] = {
    {"put", FAST(shm_ring_method_put), put_doc},
    {"put_nowait", (PyCFunction)shm_ring_put_nowait, METH_O, put_nowait_doc},
    {"put_many", FAST(shm_ring_put_many), put_many_doc},
    {"get", FAST(shm_ring_method_get), get_doc},
    {"get_nowait", NOARGS(shm_ring_get_nowait), get_nowait_doc},
    {"get_many", FAST(shm_ring_get_many), get_many_doc},
    {"close", NOARGS(shm_ring_method_close), close_doc},
    {"detach", NOARGS(shm_ring_detach), detach_doc},
    {"qsize", NOARGS(shm_ring_qsize), qsize_doc},
    {"empty", NOARGS(shm_ring_empty), empty_doc},
    {"users", NOARGS(shm_ring_users), users_doc},
    {"fileno", NOARGS(shm_ring_fileno), fileno_doc},
    {"_bind", (PyCFunction)shm_ring_bind, METH_VARARGS, bind_doc},
    {"_forked", NOARGS(shm_ring_forked), forked_doc},
    {"_release", NOARGS(shm_ring_release), release_doc},
    {"_position", (PyCFunction)shm_ring_method_position, METH_O, shm_ring_position_doc},
    {"_watch", (PyCFunction)shm_ring_method_watch, METH_VARARGS, shm_ring_watch_doc},
    {"_pass_on", (PyCFunction)shm_ring_method_pass_on, METH_O, shm_ring_pass_on_doc},
    {"__enter__", NOARGS(shm_ring_enter), enter_doc},
    {"__exit__", (PyCFunction)shm_ring_exit, METH_VARARGS, exit_doc},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, class_getitem_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(shm_ring_doc,
             "ShmRing(name=None, size=1048576, tag=0, fd=-1)\n--\n\n"
             "A ring in shared memory: by name, new without one, or of a file descriptor, which it takes.");

static PyType_Slot shm_ring_slots[] = {
    {Py_tp_doc, (void *)shm_ring_doc},   {Py_tp_new, shm_ring_new},         {Py_tp_dealloc, shm_ring_dealloc},
    {Py_tp_traverse, shm_ring_traverse}, {Py_tp_clear, shm_ring_tp_clear},  {Py_tp_methods, shm_ring_methods},
    {Py_tp_getset, shm_ring_getset},     {Py_tp_members, shm_ring_members}, {0, NULL},
};

static PyType_Spec shm_ring_spec = {
    .name = "perfcore._core.ShmRing",
    .basicsize = sizeof(shm_ring_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = shm_ring_slots,
};

int shm_ring_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    return core_add_type(module, &shm_ring_spec, &state->shm_ring_type);
}
