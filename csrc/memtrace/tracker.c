// SPDX-License-Identifier: MIT
// The type Tracker (see tracker.h): methods, figures, spec.
#include "tracker.h"

#include "base/pc_alloc.h"

static PyObject *tracker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sites", NULL};
    int sites = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:Tracker", names, &sites))
        return NULL;
    if (hooks_init() < 0)
        return NULL;
    tracker *self = (tracker *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->sites = sites != 0;
        self->complete = true;
    }
    return (PyObject *)self;
}

static void tracker_dealloc(tracker *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->running)
        window_close(self);
    marks_clear(&self->began);
    marks_clear(&self->ended);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(tracker_start_doc,
             "start($self, /)\n--\n\n"
             "Begin a window, whose figures add to those of earlier ones. MemoryError without memory.");

static PyObject *tracker_start(tracker *self, PyObject *Py_UNUSED(none))
{
    if (window_open(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tracker_stop_doc, "stop($self, /)\n--\n\n"
                               "End the window; nothing if none is open.");

static PyObject *tracker_stop(tracker *self, PyObject *Py_UNUSED(none))
{
    if (self->running)
        window_close(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tracker_reset_doc, "reset($self, /)\n--\n\n"
                                "Set all figures to zero; a running tracker begins anew.");

static PyObject *tracker_reset(tracker *self, PyObject *Py_UNUSED(none))
{
    marks began = {.threads = NULL};
    if (self->running && marks_take(&began, self->sites) < 0)
        return NULL;
    marks_clear(&self->began);
    marks_clear(&self->ended);
    self->began = began;
    self->unmarked = false;
    self->done = (pc_alloc_totals){.live = 0};
    self->done_peak = 0;
    self->complete = true;
    if (self->running)
        window_rebase(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tracker_enter_doc, "__enter__($self, /)\n--\n\nBegin a window; return the tracker.");

static PyObject *tracker_enter(tracker *self, PyObject *Py_UNUSED(none))
{
    return window_open(self) < 0 ? NULL : Py_NewRef((PyObject *)self);
}

PyDoc_STRVAR(tracker_exit_doc, "__exit__($self, kind, error, traceback, /)\n--\n\nEnd the window.");

static PyObject *tracker_exit(tracker *self, PyObject *const *Py_UNUSED(args), Py_ssize_t Py_UNUSED(nargs))
{
    if (self->running)
        window_close(self);
    Py_RETURN_NONE;
}

// Lay out `args` and `kwargs` for vectorcall: an array for pc_free that borrows, and the names of the keywords.
static PyObject **call_layout(PyObject *args, PyObject *kwargs, PyObject **names)
{
    Py_ssize_t given = PyTuple_GET_SIZE(args), named = kwargs == NULL ? 0 : PyDict_GET_SIZE(kwargs);
    PyObject **slots = pc_alloc((size_t)(given + named) + 1, sizeof *slots);
    if (slots == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < given; i++)
        slots[1 + i] = PyTuple_GET_ITEM(args, i);
    PyObject *key, *value;
    Py_ssize_t position = 0, index = 0;
    if (named > 0 && (*names = PyTuple_New(named)) == NULL) {
        pc_free(slots);
        return NULL;
    }
    while (named > 0 && PyDict_Next(kwargs, &position, &key, &value)) {
        if (!PyUnicode_Check(key)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            Py_CLEAR(*names);
            pc_free(slots);
            return NULL;
        }
        PyTuple_SET_ITEM(*names, index, Py_NewRef(key));
        slots[1 + given + index++] = value;
    }
    return slots;
}

PyDoc_STRVAR(tracker_run_doc,
             "run($self, function, args=(), kwargs={}, /, calls=1)\n--\n\n"
             "Call function(*args, **kwargs) in a window of its own, dropping what it returns. Only what the calls\n"
             "themselves allocate is counted. An exception ends the window and is passed on.");

static PyObject *tracker_run(tracker *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"", "", "", "calls", NULL};
    PyObject *function, *positional = NULL, *named = NULL;
    Py_ssize_t calls = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O!O!n:run", keywords, &function, &PyTuple_Type, &positional,
                                     &PyDict_Type, &named, &calls))
        return NULL;
    PyObject *names = NULL, *result = NULL;
    PyObject **slots = NULL;
    // References of our own: the call may change the dict.
    PyObject *own_args = positional == NULL ? PyTuple_New(0) : Py_NewRef(positional);
    PyObject *own_kwargs = named == NULL ? NULL : PyDict_Copy(named);
    if (own_args == NULL || (named != NULL && own_kwargs == NULL))
        goto done;
    slots = call_layout(own_args, own_kwargs, &names);
    if (slots == NULL || window_open(self) < 0)
        goto done;
    size_t count = (size_t)PyTuple_GET_SIZE(own_args) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    PyObject *returned = Py_None;
    for (Py_ssize_t i = 0; i < calls; i++) {
        returned = PyObject_Vectorcall(function, slots + 1, count, names);
        if (returned == NULL)
            break;
        Py_DECREF(returned);
    }
    if (self->running) // the function may have stopped it
        window_close(self);
    if (returned != NULL)
        result = Py_NewRef(Py_None);
done:
    pc_free(slots);
    Py_XDECREF(names);
    Py_XDECREF(own_args);
    Py_XDECREF(own_kwargs);
    return result;
}

// --- figures

typedef enum figure {
    ALLOCATIONS,
    FREES,
    REALLOCATIONS,
    BYTES,
    LIVE,
    LIVE_BLOCKS,
    PEAK,
    UNKNOWN_FREES,
    UNTRACKED,
    FIGURES
} figure;

static const char *const figure_names[FIGURES] = {
    "allocations", "frees", "reallocations", "bytes", "live", "live_blocks", "peak", "unknown_frees", "untracked",
};

static long long figure_of(const figures *now, figure which)
{
    const uint64_t *counts = now->totals.counts;
    switch (which) {
    case ALLOCATIONS:
        return (long long)counts[PC_ALLOC_ALLOCATIONS];
    case FREES:
        return (long long)counts[PC_ALLOC_FREES];
    case REALLOCATIONS:
        return (long long)counts[PC_ALLOC_REALLOCATIONS];
    case BYTES:
        return (long long)counts[PC_ALLOC_BYTES];
    case LIVE:
        return (long long)now->totals.live;
    case LIVE_BLOCKS:
        return (long long)(counts[PC_ALLOC_ALLOCATIONS] + counts[PC_ALLOC_ADOPTED] - counts[PC_ALLOC_UNTRACKED] -
                           counts[PC_ALLOC_FREES]);
    case PEAK:
        return (long long)now->peak;
    case UNKNOWN_FREES:
        return (long long)counts[PC_ALLOC_UNKNOWN_FREES];
    default:
        return (long long)(counts[PC_ALLOC_UNTRACKED] + now->totals.lost);
    }
}

static PyObject *tracker_figure(tracker *self, void *which)
{
    figures now = window_read(self);
    return PyLong_FromLongLong(figure_of(&now, (figure)(intptr_t)which));
}

static int set_number(PyObject *dict, const char *key, long long value)
{
    PyObject *number = PyLong_FromLongLong(value);
    int status = number == NULL ? -1 : PyDict_SetItemString(dict, key, number);
    Py_XDECREF(number);
    return status;
}

PyDoc_STRVAR(tracker_counts_doc, "counts($self, /)\n--\n\n"
                                 "Return all figures of one moment as a dict.");

static PyObject *tracker_counts(tracker *self, PyObject *Py_UNUSED(none))
{
    figures now = window_read(self);
    PyObject *dict = PyDict_New();
    for (int which = 0; dict != NULL && which < FIGURES; which++) {
        if (set_number(dict, figure_names[which], figure_of(&now, (figure)which)) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *tracker_is_running(tracker *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->running);
}

static PyObject *tracker_is_complete(tracker *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->complete && (!self->running || hooks_in_place()));
}

// The marks at the end of the latest window, or of now, into `scratch`. NULL with an exception.
static const marks *latest(tracker *self, marks *scratch)
{
    if (self->running)
        return marks_take(scratch, self->sites) < 0 ? NULL : scratch;
    if (self->unmarked) {
        PyErr_SetString(PyExc_MemoryError, "as the window ended there was no memory for its threads and sites");
        return NULL;
    }
    if (self->ended.threads == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "there is nothing yet: start the tracker first");
        return NULL;
    }
    return &self->ended;
}

static int append_new(PyObject *list, PyObject *item)
{
    int status = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return status;
}

static const thread_mark *mark_of(const marks *at, const thread_mark *wanted)
{
    for (size_t i = 0; i < at->thread_count; i++) {
        if (at->threads[i].thread == wanted->thread && at->threads[i].turn == wanted->turn)
            return &at->threads[i];
    }
    return NULL;
}

PyDoc_STRVAR(
    tracker_threads_doc,
    "threads($self, /)\n--\n\n"
    "Return (native id, allocations, frees, reallocations, bytes) for each thread that lives at the end of the\n"
    "latest window.");

static PyObject *tracker_threads(tracker *self, PyObject *Py_UNUSED(none))
{
    marks scratch = {.threads = NULL};
    const marks *end = latest(self, &scratch);
    PyObject *list = end == NULL ? NULL : PyList_New(0);
    for (size_t i = 0; list != NULL && i < end->thread_count; i++) {
        const thread_mark *now = &end->threads[i], *before = mark_of(&self->began, now);
        unsigned long long spent[PC_ALLOC_KINDS];
        for (size_t kind = 0; kind < PC_ALLOC_KINDS; kind++)
            spent[kind] = now->counts[kind] - (before == NULL ? 0 : before->counts[kind]);
        PyObject *item = Py_BuildValue("(LKKKK)", (long long)now->id, spent[PC_ALLOC_ALLOCATIONS],
                                       spent[PC_ALLOC_FREES], spent[PC_ALLOC_REALLOCATIONS], spent[PC_ALLOC_BYTES]);
        if (append_new(list, item) < 0)
            Py_CLEAR(list);
    }
    marks_clear(&scratch);
    return list;
}

PyDoc_STRVAR(
    tracker_sites_doc,
    "sites($self, /)\n--\n\n"
    "Return (file, line, allocations, bytes, live blocks, live bytes) for each call site that allocated in the\n"
    "latest window, or whose live blocks changed. Needs Tracker(sites=True).");

static PyObject *tracker_sites(tracker *self, PyObject *Py_UNUSED(none))
{
    if (!self->sites) {
        PyErr_SetString(PyExc_RuntimeError, "call sites were not recorded; make the tracker with sites=True");
        return NULL;
    }
    marks scratch = {.threads = NULL};
    const marks *end = latest(self, &scratch);
    PyObject *list = end == NULL ? NULL : PyList_New(0);
    for (size_t i = 0; list != NULL && i < end->site_count; i++) {
        site_totals spent = end->sites[i];
        if (i < self->began.site_count) {
            const site_totals *before = &self->began.sites[i];
            spent = (site_totals){spent.allocations - before->allocations, spent.bytes - before->bytes,
                                  spent.live_blocks - before->live_blocks, spent.live_bytes - before->live_bytes};
        }
        if (spent.allocations == 0 && spent.live_blocks == 0 && spent.live_bytes == 0)
            continue;
        PyObject *item =
            Py_BuildValue("(OiLLLL)", site_file(i), site_line(i), (long long)spent.allocations, (long long)spent.bytes,
                          (long long)spent.live_blocks, (long long)spent.live_bytes);
        if (append_new(list, item) < 0)
            Py_CLEAR(list);
    }
    marks_clear(&scratch);
    return list;
}

static PyMethodDef tracker_methods[] = {
    {"start", (PyCFunction)(void (*)(void))tracker_start, METH_NOARGS, tracker_start_doc},
    {"stop", (PyCFunction)(void (*)(void))tracker_stop, METH_NOARGS, tracker_stop_doc},
    {"reset", (PyCFunction)(void (*)(void))tracker_reset, METH_NOARGS, tracker_reset_doc},
    {"run", (PyCFunction)(void (*)(void))tracker_run, METH_VARARGS | METH_KEYWORDS, tracker_run_doc},
    {"counts", (PyCFunction)(void (*)(void))tracker_counts, METH_NOARGS, tracker_counts_doc},
    {"threads", (PyCFunction)(void (*)(void))tracker_threads, METH_NOARGS, tracker_threads_doc},
    {"sites", (PyCFunction)(void (*)(void))tracker_sites, METH_NOARGS, tracker_sites_doc},
    {"__enter__", (PyCFunction)(void (*)(void))tracker_enter, METH_NOARGS, tracker_enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))tracker_exit, METH_FASTCALL, tracker_exit_doc},
    {NULL, NULL, 0, NULL},
};

#define FIGURE(name, which, doc)                                                                                       \
    {                                                                                                                  \
        name, (getter)tracker_figure, NULL, doc, (void *)(intptr_t)(which)                                             \
    }

static PyGetSetDef tracker_getset[] = {
    FIGURE("allocations", ALLOCATIONS, "Blocks that were allocated."),
    FIGURE("frees", FREES, "Tracked blocks that were freed."),
    FIGURE("reallocations", REALLOCATIONS, "Blocks whose size was changed."),
    FIGURE("bytes", BYTES, "Bytes that allocations, and growing reallocations, asked for."),
    FIGURE("live", LIVE, "By how many bytes the tracked blocks have grown."),
    FIGURE("live_blocks", LIVE_BLOCKS, "By how many the tracked blocks have become more."),
    FIGURE("peak", PEAK, "The largest that `live` has been, in bytes."),
    FIGURE("unknown_frees", UNKNOWN_FREES, "Freed or reallocated blocks that are older than the tracking."),
    FIGURE("untracked", UNTRACKED, "Blocks that could not be tracked for want of memory; 0 when all is well."),
    {"running", (getter)tracker_is_running, NULL, "Whether a window is open.", NULL},
    {"complete", (getter)tracker_is_complete, NULL,
     "False when another tool replaced the allocators in a window, so that calls were missed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(tracker_doc,
             "Tracker(*, sites=False)\n--\n\n"
             "Counts the allocations of CPython's allocators in this process, from start() to stop() or in a\n"
             "`with` block. Trackers may overlap. sites: record call sites too, which is slow.");

static PyType_Slot tracker_slots[] = {
    {Py_tp_doc, (void *)tracker_doc}, {Py_tp_new, tracker_new},       {Py_tp_dealloc, tracker_dealloc},
    {Py_tp_methods, tracker_methods}, {Py_tp_getset, tracker_getset}, {0, NULL},
};

static PyType_Spec tracker_spec = {
    .name = "perfcore._memtrace.Tracker",
    .basicsize = sizeof(tracker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tracker_slots,
};

int tracker_setup(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &tracker_spec, NULL);
    if (type == NULL)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}
