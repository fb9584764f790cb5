// SPDX-License-Identifier: MIT
// cjson_dumps and cjson_loads: the JSON codec by way of cJSON's tree, so that the difference can be measured. What
// cJSON would lose is refused (NUL characters) or kept from it (numbers are written and read by ours). Reading is the
// record room's: pc_json checks the text, cJSON makes the tree.
#include "workload/codec.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "record/pc_number.h"
#include "record/results.h"

static cJSON *make_node(codec_writer *self, PyObject *value, int depth);

static cJSON *or_no_memory(cJSON *node)
{
    if (node == NULL)
        PyErr_NoMemory();
    return node;
}

// The UTF-8 of a str as a C string, or NULL, refused or with an exception.
static const char *get_text(codec_writer *self, PyObject *value)
{
    const char *utf8;
    size_t length;
    if (codec_utf8(self, value, &utf8, &length) < 0)
        return NULL;
    if (memchr(utf8, '\0', length) != NULL) {
        (void)codec_refuse(self, "a string with a NUL character, where cJSON would end it; use the codec json");
        return NULL;
    }
    return utf8;
}

static cJSON *make_number(codec_writer *self, PyObject *value)
{
    self->out.length = 0;
    if (codec_write_number(self, value) < 0 || codec_reserve(self, 1) < 0)
        return NULL;
    self->out.data[self->out.length] = '\0';
    pc_number number;
    if (pc_number_read(self->out.data, self->out.length, &number) == -ERANGE) {
        (void)codec_refuse(self, "an integer beyond the range of float; use the codec json");
        return NULL;
    }
    return or_no_memory(cJSON_CreateRaw(self->out.data));
}

// Add the pair to the object. 0, or -1 refused or with an exception.
static int add_member(codec_writer *self, cJSON *object, PyObject *key, PyObject *value, int depth)
{
    if (!PyUnicode_Check(key))
        return codec_refuse(self, "JSON has no keys of type %.100s, only str", Py_TYPE(key)->tp_name);
    if (get_text(self, key) == NULL)
        return -1;
    cJSON *node = make_node(self, value, depth);
    const char *text = node != NULL ? get_text(self, key) : NULL; // asked again: code of the user's may have run
    if (text == NULL || !cJSON_AddItemToObject(object, text, node)) {
        if (node != NULL && text != NULL)
            PyErr_NoMemory();
        cJSON_Delete(node);
        return -1;
    }
    return 0;
}

static int fill_object(codec_writer *self, cJSON *object, PyObject *mapping, int depth)
{
    PyObject *items = PyMapping_Items(mapping);
    if (items == NULL)
        return -1;
    int status = 0;
    Py_ssize_t size = PyDict_GET_SIZE(mapping);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && status == 0; i++) {
        PyObject *key;
        PyObject *value;
        if ((status = codec_pair(items, i, &key, &value)) < 0)
            break;
        status = add_member(self, object, key, value, depth);
        if (status < 0)
            (void)codec_at_key(self, key);
        else if (PyDict_CheckExact(mapping) && PyDict_GET_SIZE(mapping) != size)
            status = codec_raise_changed();
    }
    Py_DECREF(items);
    return status;
}

static int fill_array(codec_writer *self, cJSON *array, PyObject *sequence, int depth)
{
    bool list = PyList_Check(sequence);
    for (Py_ssize_t i = 0; i < (list ? PyList_GET_SIZE(sequence) : PyTuple_GET_SIZE(sequence)); i++) {
        PyObject *item = Py_NewRef(list ? PyList_GET_ITEM(sequence, i) : PyTuple_GET_ITEM(sequence, i));
        cJSON *node = make_node(self, item, depth);
        Py_DECREF(item);
        if (node == NULL)
            return codec_at_index(self, i);
        (void)cJSON_AddItemToArray(array, node); // cannot fail: both are there, and different
    }
    return 0;
}

static cJSON *make_container(codec_writer *self, PyObject *value, int depth)
{
    bool object = PyDict_Check(value);
    if (depth == CODEC_MAX_DEPTH) {
        (void)codec_refuse_depth(self, CODEC_MAX_DEPTH);
        return NULL;
    }
    cJSON *node = or_no_memory(object ? cJSON_CreateObject() : cJSON_CreateArray());
    if (node == NULL)
        return NULL;
    int status = object ? fill_object(self, node, value, depth + 1) : fill_array(self, node, value, depth + 1);
    if (status == 0)
        return node;
    cJSON_Delete(node);
    return NULL;
}

// The tree of a value, to be deleted, or NULL, refused or with an exception.
static cJSON *make_node(codec_writer *self, PyObject *value, int depth)
{
    if (value == Py_None)
        return or_no_memory(cJSON_CreateNull());
    if (PyBool_Check(value))
        return or_no_memory(cJSON_CreateBool(value == Py_True));
    if (PyUnicode_Check(value)) {
        const char *text = get_text(self, value);
        return text != NULL ? or_no_memory(cJSON_CreateString(text)) : NULL;
    }
    if (PyLong_Check(value) || PyFloat_Check(value))
        return make_number(self, value);
    if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value))
        return make_container(self, value, depth);
    (void)codec_refuse_type(self, "JSON", value);
    return NULL;
}

PyDoc_STRVAR(cjson_dumps_doc, "cjson_dumps($module, value, /)\n--\n\n"
                              "Return a value as JSON text by way of cJSON's tree. Raises EncodeError.");

static PyObject *cjson_dumps(PyObject *module, PyObject *value)
{
    codec_writer writer;
    codec_writer_init(&writer, core_state_of_module(module)->codec);
    cJSON *root = make_node(&writer, value, 0);
    char *text = NULL;
    PyObject *result = NULL;
    if (root != NULL && (text = cJSON_PrintUnformatted(root)) == NULL)
        PyErr_NoMemory();
    if (text != NULL)
        result = PyBytes_FromString(text);
    cJSON_free(text);
    cJSON_Delete(root);
    (void)codec_writer_finish(&writer, -1);
    return result;
}

PyDoc_STRVAR(cjson_loads_doc, "cjson_loads($module, data, /)\n--\n\n"
                              "Read strict JSON by way of cJSON's tree. Raises DecodeError, which says where.");

static PyObject *cjson_loads(PyObject *module, PyObject *data)
{
    core_state *state = core_state_of_module(module);
    codec_input input;
    if (codec_input_init(state->codec, &input, data, true) < 0)
        return NULL;
    pc_json json = {0};
    pc_json_error error = {0};
    PyObject *result = NULL;
    bool twins = false;
    int status = pc_json_scan(input.text, input.length, NULL, &json, &error);
    if (status == 0)
        status = pc_json_build(&json);
    if (status == 0)
        result = results_tree(state, &json, input.text, &twins);
    if (status == 0 && result != NULL && twins)
        status = pc_json_check(&json, input.text, input.length, &error); // where
    if (status < 0) {
        Py_CLEAR(result);
        if (status == -EINVAL)
            (void)codec_raise_json(state->codec, &error);
        else
            (void)core_raise_errno(status);
    }
    pc_json_clear(&json);
    codec_input_clear(&input);
    return result;
}

static PyMethodDef methods[] = {
    {"cjson_dumps", cjson_dumps, METH_O, cjson_dumps_doc},
    {"cjson_loads", cjson_loads, METH_O, cjson_loads_doc},
    {NULL, NULL, 0, NULL},
};

int cjson_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
