// SPDX-License-Identifier: MIT
// heap_types: the objects of the heap, counted and weighed by type. From a list of objects (gc.get_objects()) it goes
// on to what they refer to, since the collector does not know of strings, numbers, bytes and tuples of such.
//
// First all objects are found, and held by a reference each; while tp_traverse runs, nothing but this file's own
// visitor does. Only then are they weighed: a __sizeof__ written in Python may do as it likes, and what it makes (a
// MagicMock's makes another mock, each time) is not of the heap that is looked at. The GIL is held throughout.
#include "ext.h"

#include "base/pc_alloc.h"
#include "base/pc_ptrmap.h"

typedef struct type_use {
    PyTypeObject *type; // a reference
    Py_ssize_t count;
    Py_ssize_t bytes;
} type_use;

typedef struct walk {
    pc_ptrmap seen;
    PyObject **found; // references
    size_t found_count;
    size_t found_capacity;
    pc_ptrmap indices; // of types, from 1
    type_use *uses;
    size_t use_count;
    size_t use_capacity;
    PyObject *getsizeof; // borrowed from the module's state
} walk;

static void walk_clear(walk *self)
{
    for (size_t i = 0; i < self->found_count; i++)
        Py_DECREF(self->found[i]);
    for (size_t i = 0; i < self->use_count; i++)
        Py_DECREF(self->uses[i].type);
    pc_free(self->found);
    pc_free(self->uses);
    pc_ptrmap_clear(&self->seen);
    pc_ptrmap_clear(&self->indices);
}

// Add an object unless it has been found before. -1 without memory, without an exception: also a visitor calls this.
static int add(walk *self, PyObject *object)
{
    size_t *value;
    bool added;
    if (pc_ptrmap_find(&self->seen, object, &value, &added) < 0)
        return -1;
    if (!added)
        return 0;
    if (self->found_count == self->found_capacity) {
        size_t capacity = self->found_capacity == 0 ? 256 : 2 * self->found_capacity;
        PyObject **found = pc_realloc(self->found, capacity, sizeof(PyObject *));
        if (found == NULL)
            return -1;
        self->found = found;
        self->found_capacity = capacity;
    }
    self->found[self->found_count++] = Py_NewRef(object);
    return 0;
}

// What nobody refers to is dead: _asyncio of 3.12 shows the collector its free list (gh-122695), and a reference taken
// and given back would put such an object on that list a second time.
static int visit(PyObject *object, void *self)
{
    return object == NULL || Py_REFCNT(object) <= 0 ? 0 : add(self, object);
}

static type_use *use_of(walk *self, PyTypeObject *type)
{
    size_t *index;
    bool added;
    if (pc_ptrmap_find(&self->indices, type, &index, &added) < 0)
        return NULL;
    if (*index != 0)
        return &self->uses[*index - 1];
    if (self->use_count == self->use_capacity) {
        size_t capacity = self->use_capacity == 0 ? 64 : 2 * self->use_capacity;
        type_use *uses = pc_realloc(self->uses, capacity, sizeof *uses);
        if (uses == NULL)
            return NULL;
        self->uses = uses;
        self->use_capacity = capacity;
    }
    self->uses[self->use_count++] = (type_use){.type = (PyTypeObject *)Py_NewRef((PyObject *)type)};
    *index = self->use_count;
    return &self->uses[self->use_count - 1];
}

// What sys.getsizeof says, or the type's basic size where its own __sizeof__ fails. -1 with MemoryError, or with what
// is no Exception (KeyboardInterrupt).
static Py_ssize_t size_of(walk *self, PyObject *object)
{
    PyObject *result = PyObject_CallOneArg(self->getsizeof, object);
    Py_ssize_t bytes = result == NULL ? -1 : PyLong_AsSsize_t(result);
    Py_XDECREF(result);
    if (bytes >= 0)
        return bytes;
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_MemoryError) || !PyErr_ExceptionMatches(PyExc_Exception)))
        return -1;
    PyErr_Clear();
    return Py_TYPE(object)->tp_basicsize;
}

// A dict shows the collector no keys where all of them are strings.
static int visit_keys(walk *self, PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
        if (PyUnicode_Check(key) && add(self, key) < 0)
            return -1;
    }
    return 0;
}

// Find all objects, from those of a list on. -1 without memory.
static int find_all(walk *self, PyObject *objects)
{
    size_t *value;
    bool added;
    // The list itself is not of the heap that is looked at.
    int status = pc_ptrmap_find(&self->seen, objects, &value, &added);
    for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(objects); i++)
        status = add(self, PyList_GET_ITEM(objects, i));
    for (size_t i = 0; status == 0 && i < self->found_count; i++) {
        PyObject *object = self->found[i];
        traverseproc traverse = Py_TYPE(object)->tp_traverse;
        if (PyObject_IS_GC(object) && traverse != NULL && traverse(object, visit, self) != 0)
            status = -1;
        else if (PyDict_Check(object))
            status = visit_keys(self, object);
    }
    return status;
}

// Count an object and weigh it. -1 with an exception.
static int weigh(walk *self, PyObject *object)
{
    Py_ssize_t bytes = size_of(self, object);
    if (bytes < 0)
        return -1;
    type_use *use = use_of(self, Py_TYPE(object)); // after the call, which may change an object's class
    if (use == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    use->count++;
    if (__builtin_add_overflow(use->bytes, bytes, &use->bytes)) // a __sizeof__ may say what it likes
        use->bytes = PY_SSIZE_T_MAX;
    return 0;
}

static int walk_all(walk *self, PyObject *objects)
{
    if (find_all(self, objects) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < self->found_count; i++) {
        if (weigh(self, self->found[i]) < 0)
            return -1;
    }
    return 0;
}

static PyObject *walk_result(const walk *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->use_count);
    for (size_t i = 0; list != NULL && i < self->use_count; i++) {
        const type_use *use = &self->uses[i];
        PyObject *item = Py_BuildValue("(Onn)", use->type, use->count, use->bytes);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyDoc_STRVAR(heap_types_doc,
             "heap_types($module, objects, /)\n--\n\n"
             "Return (type, objects, bytes) of all types among the objects of a list and all that they refer to.");

static PyObject *heap_types(PyObject *module, PyObject *objects)
{
    if (!PyList_CheckExact(objects)) {
        PyErr_Format(PyExc_TypeError, "heap_types() takes a list, not %.200s", Py_TYPE(objects)->tp_name);
        return NULL;
    }
    walk self = {.getsizeof = core_state_of_module(module)->getsizeof};
    PyObject *result = walk_all(&self, objects) < 0 ? NULL : walk_result(&self);
    walk_clear(&self);
    return result;
}

static PyMethodDef heap_functions[] = {
    {"heap_types", heap_types, METH_O, heap_types_doc},
    {NULL, NULL, 0, NULL},
};

int heap_setup(PyObject *module)
{
    PyObject *sys = PyImport_ImportModule("sys");
    if (sys == NULL)
        return -1;
    core_state *state = core_state_of_module(module);
    state->getsizeof = PyObject_GetAttrString(sys, "getsizeof");
    Py_DECREF(sys);
    if (state->getsizeof == NULL)
        return -1;
    return PyModule_AddFunctions(module, heap_functions);
}
