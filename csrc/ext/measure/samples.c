// SPDX-License-Identifier: MIT
// Samples: a growing array of doubles that Python sees as a sequence and as a buffer of format "d". While a buffer is
// exported the array cannot grow (as with bytearray). Holds no Python objects, so it takes no part in garbage
// collection.
#include "measure/samples.h"

// How many values may be appended without a look at signals.
enum { VALUES_TO_A_LOOK = 65536 };

int samples_reserve(samples_object *self, size_t extra)
{
    // Refused whether or not there is capacity left, so that what a program may do never depends on it.
    if (extra > 0 && self->exports > 0) {
        PyErr_SetString(PyExc_BufferError, "samples cannot grow while a memoryview of them exists; release it first");
        return -1;
    }
    int status = pc_samples_reserve(&self->values, extra);
    if (status < 0) {
        (void)core_raise_errno(status);
        return -1;
    }
    return 0;
}

samples_object *samples_create(core_state *state)
{
    PyTypeObject *type = state->samples_type;
    samples_object *self = (samples_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    pc_samples_init(&self->values);
    self->exports = 0;
    return self;
}

// The values of another Samples, or of the same one as it is now.
static int extend_by_samples(samples_object *self, const samples_object *other)
{
    const size_t count = other->values.length;
    if (samples_reserve(self, count) < 0)
        return -1;
    if (count > 0)
        memcpy(self->values.data + self->values.length, other->values.data, count * sizeof(double));
    self->values.length += count;
    return 0;
}

static int extend(samples_object *self, PyObject *iterable)
{
    if (Py_IS_TYPE(iterable, Py_TYPE(self)))
        return extend_by_samples(self, (const samples_object *)iterable);
    PyObject *iterator = PyObject_GetIter(iterable);
    if (iterator == NULL)
        return -1;
    PyObject *item;
    while ((item = PyIter_Next(iterator)) != NULL) {
        double value = PyFloat_AsDouble(item);
        Py_DECREF(item);
        if ((value == -1.0 && PyErr_Occurred()) || samples_reserve(self, 1) < 0)
            break;
        self->values.data[self->values.length++] = value;
        // An iterator in C may go on without end, and nobody else would look.
        if (self->values.length % VALUES_TO_A_LOOK == 0 && PyErr_CheckSignals() < 0)
            break;
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *samples_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", NULL};
    PyObject *iterable = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Samples", names, &iterable))
        return NULL;
    samples_object *self = samples_create(core_state_of_type(type));
    if (self == NULL)
        return NULL;
    if (iterable != NULL && extend(self, iterable) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void samples_dealloc(samples_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pc_samples_clear(&self->values);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

PyDoc_STRVAR(samples_append_doc, "append($self, value, /)\n--\n\n"
                                 "Append one sample (float, seconds).");

static PyObject *samples_append(samples_object *self, PyObject *item)
{
    double value = PyFloat_AsDouble(item);
    if (value == -1.0 && PyErr_Occurred())
        return NULL;
    if (samples_reserve(self, 1) < 0)
        return NULL;
    self->values.data[self->values.length++] = value;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(samples_extend_doc, "extend($self, values, /)\n--\n\n"
                                 "Append every float of an iterable.");

static PyObject *samples_extend(samples_object *self, PyObject *iterable)
{
    if (extend(self, iterable) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(samples_tolist_doc, "tolist($self, /)\n--\n\n"
                                 "Return the samples as a list of floats.");

static PyObject *samples_tolist(samples_object *self, PyObject *Py_UNUSED(ignored))
{
    Py_ssize_t length = (Py_ssize_t)self->values.length;
    PyObject *list = PyList_New(length);
    if (list == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PyFloat_FromDouble(self->values.data[i]);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

PyDoc_STRVAR(samples_sizeof_doc, "__sizeof__($self, /)\n--\n\n"
                                 "Return the size in bytes, the array included.");

static PyObject *samples_sizeof(samples_object *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromSize_t(sizeof *self + self->values.capacity * sizeof(double));
}

static Py_ssize_t samples_length(samples_object *self)
{
    return (Py_ssize_t)self->values.length;
}

static PyObject *samples_item(samples_object *self, Py_ssize_t index)
{
    if (index < 0 || (size_t)index >= self->values.length) {
        PyErr_SetString(PyExc_IndexError, "sample index out of range");
        return NULL;
    }
    return PyFloat_FromDouble(self->values.data[index]);
}

static PyObject *samples_repr(samples_object *self)
{
    return PyUnicode_FromFormat("<perfcore.Samples of %zd values>", (Py_ssize_t)self->values.length);
}

static int samples_getbuffer(samples_object *self, Py_buffer *view, int flags)
{
    static double nothing; // a valid address for an empty array
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "samples are read-only");
        view->obj = NULL;
        return -1;
    }
    // The shape is in memory of its own, which the release frees; the stride is the view's own itemsize.
    view->obj = Py_NewRef((PyObject *)self);
    view->buf = self->values.data != NULL ? self->values.data : &nothing;
    view->len = (Py_ssize_t)(self->values.length * sizeof(double));
    view->itemsize = sizeof(double);
    view->readonly = 1;
    view->ndim = 1;
    view->format = (flags & PyBUF_FORMAT) ? "d" : NULL;
    view->shape = NULL;
    view->strides = NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    if (flags & PyBUF_ND) {
        Py_ssize_t *shape = PyMem_Malloc(sizeof *shape);
        if (shape == NULL) {
            Py_CLEAR(view->obj);
            PyErr_NoMemory();
            return -1;
        }
        *shape = (Py_ssize_t)self->values.length;
        view->shape = shape;
        view->internal = shape;
        if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES)
            view->strides = &view->itemsize;
    }
    self->exports++;
    return 0;
}

static void samples_releasebuffer(samples_object *self, Py_buffer *view)
{
    PyMem_Free(view->internal);
    self->exports--;
}

static PyMethodDef samples_methods[] = {
    {"append", (PyCFunction)samples_append, METH_O, samples_append_doc},
    {"extend", (PyCFunction)samples_extend, METH_O, samples_extend_doc},
    {"tolist", (PyCFunction)samples_tolist, METH_NOARGS, samples_tolist_doc},
    {"__sizeof__", (PyCFunction)samples_sizeof, METH_NOARGS, samples_sizeof_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(samples_doc,
             "Samples(values=(), /)\n--\n\n"
             "A growing array of floats, 8 bytes each: a sequence, and a read-only buffer of format 'd' that\n"
             "memoryview and NumPy take without a copy. It cannot grow while such a buffer exists.");

static PyType_Slot samples_slots[] = {
    {Py_tp_doc, (void *)samples_doc},
    {Py_tp_new, samples_new},
    {Py_tp_dealloc, samples_dealloc},
    {Py_tp_repr, samples_repr},
    {Py_tp_methods, samples_methods},
    {Py_sq_length, samples_length},
    {Py_sq_item, samples_item},
    {Py_bf_getbuffer, samples_getbuffer},
    {Py_bf_releasebuffer, samples_releasebuffer},
    {0, NULL},
};

static PyType_Spec samples_spec = {
    .name = "perfcore._core.Samples",
    .basicsize = sizeof(samples_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = samples_slots,
};

int samples_setup(PyObject *module)
{
    return core_add_type(module, &samples_spec, &core_state_of_module(module)->samples_type);
}
