// SPDX-License-Identifier: MIT
// The MessageHistory type and its iterator (see history.h; the look-up is in history_query.c).
#include "workload/history.h"

#include "workload/arguments.h"

// How many messages may be appended without a look at signals.
enum { MESSAGES_TO_A_LOOK = 65536 };

typedef struct iterator_object {
    PyObject_HEAD
    history_object *history; // NULL at the end
    uint64_t next, end;
} iterator_object;

// --- names ---

static PyObject *name_of(const message_object *message, int role)
{
    PyObject *const name[PC_HISTORY_ROLES] = {message->sender, message->recipient, message->topic};
    return name[role];
}

int history_find_chain(history_object *self, int role, PyObject *name, uint32_t *chain)
{
    PyObject *number = PyDict_GetItemWithError(self->names[role], name);
    *chain = number == NULL ? PC_HISTORY_NONE : (uint32_t)PyLong_AsUnsignedLong(number);
    return number == NULL && PyErr_Occurred() ? -1 : 0;
}

static int open_chain(history_object *self, int role, PyObject *name, uint32_t *chain)
{
    uint32_t opened;
    if (pc_history_open(&self->history, (pc_history_role)role, &opened) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *number = PyLong_FromUnsignedLong(opened);
    int status = number == NULL ? -1 : PyDict_SetItem(self->names[role], name, number);
    Py_XDECREF(number);
    if (status < 0)
        pc_history_close(&self->history, (pc_history_role)role, opened);
    else
        *chain = opened;
    return status;
}

// Forget a name that no entry has. The key is there and its hash is known: nothing fails.
static void close_chain(history_object *self, int role, PyObject *name, uint32_t chain)
{
    (void)PyDict_DelItem(self->names[role], name);
    assert(!PyErr_Occurred());
    pc_history_close(&self->history, (pc_history_role)role, chain);
}

// --- appending ---

static int append(history_object *self, message_object *message)
{
    uint32_t chain[PC_HISTORY_ROLES] = {PC_HISTORY_NONE, PC_HISTORY_NONE, PC_HISTORY_NONE};
    bool opened[PC_HISTORY_ROLES] = {false};
    int status = pc_history_reserve(&self->history);
    if (status < 0)
        (void)core_raise_errno(status);
    for (int role = 0; status == 0 && role < PC_HISTORY_ROLES; role++) {
        PyObject *name = name_of(message, role);
        if (name == Py_None || (status = history_find_chain(self, role, name, &chain[role])) < 0 ||
            chain[role] != PC_HISTORY_NONE)
            continue;
        status = open_chain(self, role, name, &chain[role]);
        opened[role] = status == 0;
    }
    if (PC_UNLIKELY(status < 0)) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        for (int role = 0; role < PC_HISTORY_ROLES; role++) {
            if (opened[role])
                close_chain(self, role, name_of(message, role), chain[role]);
        }
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    pc_history_append(&self->history, Py_NewRef(message), message->timestamp, chain);
    if (pc_history_length(&self->history) <= self->limit)
        return 0;
    uint32_t emptied[PC_HISTORY_ROLES];
    message_object *oldest = pc_history_drop(&self->history, emptied);
    self->dropped++;
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (emptied[role] != PC_HISTORY_NONE)
            close_chain(self, role, name_of(oldest, role), emptied[role]);
    }
    Py_DECREF(oldest);
    return 0;
}

PyDoc_STRVAR(history_append_doc, "append($self, message, /)\n--\n\n"
                                 "Append a Message; beyond maxlen the oldest one is dropped.");

static PyObject *history_append(history_object *self, PyObject *message)
{
    if (!message_check(core_state_of_type(Py_TYPE(self)), message))
        return PyErr_Format(PyExc_TypeError, "a history holds Message, not %.100s", Py_TYPE(message)->tp_name);
    if (append(self, (message_object *)message) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(history_extend_doc, "extend($self, messages, /)\n--\n\nAppend each message of an iterable.");

static PyObject *history_extend(history_object *self, PyObject *messages)
{
    PyObject *each = PyObject_GetIter(messages);
    if (each == NULL)
        return NULL;
    PyObject *message;
    for (size_t count = 1; (message = PyIter_Next(each)) != NULL; count++) {
        PyObject *done = history_append(self, message);
        Py_DECREF(message);
        Py_XDECREF(done);
        // An iterator in C may go on without end, which a history with a maxlen has room for, and nobody else would
        // look.
        if (done == NULL || (count % MESSAGES_TO_A_LOOK == 0 && PyErr_CheckSignals() < 0))
            break;
    }
    Py_DECREF(each);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *history_item(history_object *self, Py_ssize_t index)
{
    if (index < 0 || (size_t)index >= pc_history_length(&self->history)) {
        PyErr_SetString(PyExc_IndexError, "the history has no message at this index");
        return NULL;
    }
    return Py_NewRef(pc_history_at(&self->history, self->history.first + (uint64_t)index)->item);
}

static Py_ssize_t history_length(history_object *self)
{
    return (Py_ssize_t)pc_history_length(&self->history);
}

// --- iteration ---

static PyObject *history_iter(history_object *self)
{
    core_state *state = core_state_of_type(Py_TYPE(self));
    iterator_object *each = PyObject_GC_New(iterator_object, state->history_iterator_type);
    if (each == NULL)
        return NULL;
    each->history = (history_object *)Py_NewRef(self);
    each->next = self->history.first;
    each->end = self->history.next;
    PyObject_GC_Track(each);
    return (PyObject *)each;
}

static PyObject *iterator_next(iterator_object *self)
{
    if (self->history == NULL)
        return NULL;
    const pc_history *history = &self->history->history;
    if (self->next < history->first)
        self->next = history->first; // dropped meanwhile
    if (self->next < self->end)
        return Py_NewRef(pc_history_at(history, self->next++)->item);
    Py_CLEAR(self->history);
    return NULL;
}

static int iterator_traverse(iterator_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->history);
    return 0;
}

static void iterator_dealloc(iterator_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->history);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_traverse, iterator_traverse},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {0, NULL},
};

static PyType_Spec iterator_spec = {
    .name = "perfcore._core.MessageHistoryIterator",
    .basicsize = sizeof(iterator_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = iterator_slots,
};

// --- life ---

static PyObject *history_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"maxlen", NULL};
    PyObject *maxlen = Py_None;
    size_t limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:MessageHistory", names, &maxlen) ||
        arguments_size(maxlen, "maxlen", &limit) < 0)
        return NULL;
    history_object *self = (history_object *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    self->limit = limit;
    pc_history_init(&self->history);
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if ((self->names[role] = PyDict_New()) == NULL) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

// Empty the history. The messages go last, when it is an empty one.
static void let_go(history_object *self)
{
    pc_history old = self->history;
    pc_history_init(&self->history);
    self->history.first = self->history.next = self->history.ordered_from = old.next;
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (self->names[role] != NULL)
            PyDict_Clear(self->names[role]);
    }
    for (uint64_t number = old.first; number < old.next; number++)
        Py_DECREF((PyObject *)pc_history_at(&old, number)->item);
    pc_history_clear(&old);
}

PyDoc_STRVAR(history_clear_doc, "clear($self, /)\n--\n\nTake all messages out, which does not count as dropping them.");

static PyObject *history_clear(history_object *self, PyObject *Py_UNUSED(ignored))
{
    let_go(self);
    Py_RETURN_NONE;
}

static int history_tp_clear(history_object *self)
{
    let_go(self);
    return 0;
}

static int history_traverse(history_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (uint64_t number = self->history.first; number < self->history.next; number++)
        Py_VISIT((PyObject *)pc_history_at(&self->history, number)->item);
    return 0; // the dicts hold strs and ints
}

static void history_dealloc(history_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    let_go(self);
    for (int role = 0; role < PC_HISTORY_ROLES; role++)
        Py_CLEAR(self->names[role]);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *history_repr(history_object *self)
{
    size_t length = pc_history_length(&self->history);
    if (self->limit == SIZE_MAX)
        return PyUnicode_FromFormat("<perfcore.MessageHistory: %zu messages>", length);
    return PyUnicode_FromFormat("<perfcore.MessageHistory: %zu messages of at most %zu>", length, self->limit);
}

PyDoc_STRVAR(history_sizeof_doc, "__sizeof__($self, /)\n--\n\n"
                                 "Return the bytes of the history and its index, without the messages.");

static PyObject *history_sizeof(history_object *self, PyObject *Py_UNUSED(ignored))
{
    size_t bytes = sizeof *self + pc_history_bytes(&self->history);
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        PyObject *size = PyObject_CallMethod(self->names[role], "__sizeof__", NULL);
        if (size == NULL)
            return NULL;
        bytes += PyLong_AsSize_t(size) + (size_t)PyDict_GET_SIZE(self->names[role]) * (size_t)PyLong_Type.tp_basicsize;
        Py_DECREF(size);
    }
    return PyLong_FromSize_t(bytes);
}

static PyObject *history_get_maxlen(history_object *self, void *Py_UNUSED(closure))
{
    if (self->limit == SIZE_MAX)
        Py_RETURN_NONE;
    return PyLong_FromSize_t(self->limit);
}

static PyObject *history_get_dropped(history_object *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->dropped);
}

static PyGetSetDef history_getset[] = {
    {"maxlen", (getter)history_get_maxlen, NULL, "Messages at most, or None.", NULL},
    {"dropped", (getter)history_get_dropped, NULL, "Messages that newer ones have driven out.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef history_methods[] = {
    {"append", (PyCFunction)history_append, METH_O, history_append_doc},
    {"extend", (PyCFunction)history_extend, METH_O, history_extend_doc},
    {"query", (PyCFunction)(void (*)(void))history_query, METH_FASTCALL | METH_KEYWORDS, history_query_doc},
    {"clear", (PyCFunction)history_clear, METH_NOARGS, history_clear_doc},
    {"__sizeof__", (PyCFunction)history_sizeof, METH_NOARGS, history_sizeof_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(history_doc,
             "MessageHistory(maxlen=None)\n--\n\n"
             "Messages in the order they were appended, found again by agent, topic and time.\n\n"
             "With a maxlen the oldest make room for the newest. Any thread may append and ask. Iterating gives\n"
             "what was in when it began, less what is dropped on the way, and nothing that came later.");

static PyType_Slot history_slots[] = {
    {Py_tp_doc, (void *)history_doc},   {Py_tp_new, history_new},         {Py_tp_dealloc, history_dealloc},
    {Py_tp_traverse, history_traverse}, {Py_tp_clear, history_tp_clear},  {Py_tp_repr, history_repr},
    {Py_tp_iter, history_iter},         {Py_tp_methods, history_methods}, {Py_tp_getset, history_getset},
    {Py_sq_length, history_length},     {Py_sq_item, history_item},       {0, NULL},
};

static PyType_Spec history_spec = {
    .name = "perfcore._core.MessageHistory",
    .basicsize = sizeof(history_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = history_slots,
};

int history_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    state->history_iterator_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &iterator_spec, NULL);
    if (state->history_iterator_type == NULL)
        return -1;
    return core_add_type(module, &history_spec, &state->history_type);
}
