// SPDX-License-Identifier: MIT
// The Message type (see the header).
#include "workload/message.h"

#include <pthread.h>
#include <stdatomic.h>
#include <structmember.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "workload/arguments.h"

const char *const message_field_names[] = {"sender", "recipient", "topic", "payload", "id", "timestamp", NULL};

// --- ids ---

// How many forks lie between this process and the one that loaded the module, and one. It belongs to the process, as
// forks do, and so to no module's state. Relaxed: written alone by a child's only thread, before fork() returns there.
static atomic_uint fork_count = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    (void)atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork); // fails for want of memory alone, at start-up
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static long long next_id(core_state *state)
{
    unsigned forks = atomic_load_explicit(&fork_count, memory_order_relaxed);
    if (PC_UNLIKELY(state->message_forks != forks)) {
        uint64_t drawn;
        if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) // a kernel's sandbox may forbid it
            drawn = (clock_ns() ^ (uint64_t)getpid() << 32) * UINT64_C(0x9e3779b97f4a7c15);
        state->message_id = drawn;
        state->message_forks = forks;
    }
    return (long long)(state->message_id++ & ((UINT64_C(1) << 53) - 1));
}

// --- making ---

// A new reference to the exact str of a field, or to None.
static PyObject *take_text(PyObject *value, const char *name, bool required)
{
    if (PC_LIKELY(value != NULL && PyUnicode_CheckExact(value)))
        return Py_NewRef(value);
    if (!required && (value == NULL || value == Py_None))
        return Py_NewRef(Py_None);
    if (value != NULL && PyUnicode_Check(value))
        return PyUnicode_FromObject(value); // such as a StrEnum
    return PyErr_Format(PyExc_TypeError, "a message's %s is a str%s, not %.100s", name, required ? "" : " or None",
                        value == NULL ? "missing" : Py_TYPE(value)->tp_name);
}

static int take_integer(PyObject *value, const char *name, long long low, long long *number)
{
    if (!PyLong_Check(value) || PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a message's %s is an int, not %.100s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0 && *number >= low)
        return 0;
    PyErr_Format(PyExc_ValueError, "a message's %s lies between %s and 2**63 - 1, not at %R", name,
                 low == 0 ? "0" : "-2**63", value);
    return -1;
}

static bool given(PyObject *value)
{
    return value != NULL && value != Py_None;
}

PyObject *message_create(core_state *state, PyObject *const *values)
{
    long long id = 0, timestamp = 0;
    if ((given(values[4]) && take_integer(values[4], "id", 0, &id) < 0) ||
        (given(values[5]) && take_integer(values[5], "timestamp", INT64_MIN, &timestamp) < 0))
        return NULL;
    message_object *self = PyObject_GC_New(message_object, state->message_type);
    if (self == NULL)
        return NULL;
    self->payload = Py_NewRef(values[3] != NULL ? values[3] : Py_None);
    self->topic = NULL;
    self->recipient = NULL;
    self->sender = take_text(values[0], "sender", true);
    if (self->sender != NULL)
        self->recipient = take_text(values[1], "recipient", false);
    if (self->recipient != NULL)
        self->topic = take_text(values[2], "topic", false);
    if (self->topic == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->id = given(values[4]) ? id : next_id(state);
    self->timestamp = given(values[5]) ? timestamp : (long long)clock_ns();
    if (PyObject_IS_GC(self->payload))
        PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyObject *message_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    static const arguments_spec spec = {"Message", message_field_names, 1, MESSAGE_FIELDS};
    PyObject *values[MESSAGE_FIELDS];
    if (arguments_parse(&spec, args, PyVectorcall_NARGS(nargsf), kwnames, values) < 0)
        return NULL;
    return message_create(core_state_of_type((PyTypeObject *)type), values);
}

static PyObject *message_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *values[MESSAGE_FIELDS] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOOOO:Message", (char **)(uintptr_t)message_field_names,
                                     &values[0], &values[1], &values[2], &values[3], &values[4], &values[5]))
        return NULL;
    return message_create(core_state_of_type(type), values);
}

// --- life ---

// No tp_clear: whatever closes a cycle was changed after the message was made, so it is not the message.
static int message_traverse(message_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->payload);
    return 0;
}

static void message_dealloc(message_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, message_dealloc); // a payload may be a message, and so on without end
    Py_XDECREF(self->sender);
    Py_XDECREF(self->recipient);
    Py_XDECREF(self->topic);
    Py_XDECREF(self->payload);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    Py_TRASHCAN_END;
}

// --- as a value ---

static bool same_text(PyObject *one, PyObject *other)
{
    return one == other || (one != Py_None && other != Py_None && PyUnicode_Compare(one, other) == 0);
}

static PyObject *message_richcompare(PyObject *one, PyObject *other, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(one) != Py_TYPE(other))
        Py_RETURN_NOTIMPLEMENTED;
    message_object *a = (message_object *)one, *b = (message_object *)other;
    int same = a->id == b->id && a->timestamp == b->timestamp && same_text(a->sender, b->sender) &&
               same_text(a->recipient, b->recipient) && same_text(a->topic, b->topic);
    if (same != 0)
        same = PyObject_RichCompareBool(a->payload, b->payload, Py_EQ);
    return same < 0 ? NULL : PyBool_FromLong(same == (operation == Py_EQ));
}

// Equal messages have one id, and others hardly ever the same; so a message can be hashed whatever its payload.
static Py_hash_t message_hash(message_object *self)
{
    return (Py_hash_t)self->id;
}

static PyObject *message_repr(message_object *self)
{
    return PyUnicode_FromFormat("Message(sender=%R, recipient=%R, topic=%R, payload=%R, id=%lld, timestamp=%lld)",
                                self->sender, self->recipient, self->topic, self->payload, self->id, self->timestamp);
}

PyDoc_STRVAR(message_reduce_doc, "__reduce__($self, /)\n--\n\nSupport pickle and copy.deepcopy.");

static PyObject *message_reduce(message_object *self, PyObject *Py_UNUSED(ignored))
{
    return Py_BuildValue("O(OOOOLL)", Py_TYPE(self), self->sender, self->recipient, self->topic, self->payload,
                         self->id, self->timestamp);
}

PyDoc_STRVAR(message_copy_doc, "__copy__($self, /)\n--\n\nReturn the message itself, since it never changes.");

static PyObject *message_copy(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

static PyMethodDef message_methods[] = {
    {"__reduce__", (PyCFunction)message_reduce, METH_NOARGS, message_reduce_doc},
    {"__copy__", message_copy, METH_NOARGS, message_copy_doc},
    {NULL, NULL, 0, NULL},
};

#define MEMBER(name, type, doc)                                                                                        \
    {                                                                                                                  \
#name, type, offsetof(message_object, name), READONLY, doc                                                     \
    }

static PyMemberDef message_members[] = {
    MEMBER(sender, T_OBJECT, "Who sends it, a str."),
    MEMBER(recipient, T_OBJECT, "The endpoint that it is for, or None."),
    MEMBER(topic, T_OBJECT, "What it is about, or None."),
    MEMBER(payload, T_OBJECT, "Any object."),
    MEMBER(id, T_LONGLONG, "Its number, which no other message has."),
    MEMBER(timestamp, T_LONGLONG, "When it was made: nanoseconds since 1970, as time.time_ns() counts."),
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(message_doc,
             "Message(sender, recipient=None, topic=None, payload=None, id=None, timestamp=None)\n--\n\n"
             "A message: six fields that cannot be changed.\n\n"
             "Without an id it gets one of its own (53 bits, unlike any of this process and its forks),\n"
             "without a timestamp the time of now. Messages are equal when all fields are, and hashed by id.");

static PyType_Slot message_slots[] = {
    {Py_tp_doc, (void *)message_doc},
    {Py_tp_new, message_new},
    {Py_tp_dealloc, message_dealloc},
    {Py_tp_traverse, message_traverse},
    {Py_tp_richcompare, message_richcompare},
    {Py_tp_hash, message_hash},
    {Py_tp_repr, message_repr},
    {Py_tp_methods, message_methods},
    {Py_tp_members, message_members},
    {0, NULL},
};

static PyType_Spec message_spec = {
    .name = "perfcore.messaging.Message", // where pickles look for it
    .basicsize = sizeof(message_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = message_slots,
};

int message_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    (void)pthread_once(&fork_once, watch_forks);
    if (core_add_type(module, &message_spec, &state->message_type) < 0)
        return -1;
    state->message_type->tp_vectorcall = message_vectorcall; // no slot for it before 3.14
    PyObject *names = PyTuple_New(MESSAGE_FIELDS);
    for (Py_ssize_t i = 0; names != NULL && i < MESSAGE_FIELDS; i++) {
        PyObject *name = PyUnicode_InternFromString(message_field_names[i]);
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, name);
    }
    // The type is immutable to Python; nobody has looked anything up in it yet.
    state->message_names = names;
    return names == NULL ? -1 : PyDict_SetItemString(state->message_type->tp_dict, "__match_args__", names);
}
