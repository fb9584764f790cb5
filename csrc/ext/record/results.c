// SPDX-License-Identifier: MIT
// load_results: the bytes of a results file to Python objects, the samples of each benchmark as a Samples. The input is
// bytes and nothing else, because only they cannot change while the GIL is released. The tree is made with the GIL
// held: it is small, since the samples are not in it.
#include "ext.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "measure/samples.h"
#include "record/results.h"
#include "record/pc_results.h"

enum { KEY_SLOTS = 256, KEY_BYTES = 32 }; // a benchmark of perfcore's has some fifty different keys

// What the conversion of one file carries along.
typedef struct loader {
    core_state *state;
    const char *text;
    pc_json *json;
    bool twins;                // an object has a key twice
    PyObject *keys[KEY_SLOTS]; // short ones met lately, all ASCII: those of many benchmarks are one object, hashed once
} loader;

static PyObject *convert(loader *self, const cJSON *node);

static PyObject *convert_integer(const char *text, size_t length)
{
    // Up to 18 characters cannot overflow; the rest goes to Python's own reader, which wants a terminated copy. A
    // number within the range of double has at most 310.
    if (length <= 18) {
        const char *end = text + length;
        bool negative = *text == '-';
        long long value = 0;
        for (const char *at = text + negative; at < end; at++)
            value = value * 10 + (*at - '0');
        return PyLong_FromLongLong(negative ? -value : value);
    }
    char copy[512];
    if (length >= sizeof copy) {
        PyErr_SetString(PyExc_SystemError, "an integer longer than any double");
        return NULL;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    return PyLong_FromString(copy, NULL, 10);
}

static PyObject *convert_number(loader *self, const cJSON *node)
{
    const pc_json_entry *entry = pc_json_entry_of(self->json, node);
    switch (entry->kind) {
    case PC_JSON_FLOAT:
        return PyFloat_FromDouble(entry->value);
    case PC_JSON_INTEGER:
        return convert_integer(self->text + entry->at, entry->length);
    case PC_JSON_SAMPLES:
        break;
    }
    samples_object *samples = samples_create(self->state);
    if (samples != NULL)
        samples->values = pc_results_take(self->json, entry);
    return (PyObject *)samples;
}

// A str of UTF-8 that is known to be right. Most is ASCII, which is only copied.
static PyObject *make_string(const char *text, size_t length, bool ascii)
{
    if (!ascii)
        return PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, NULL);
    PyObject *string = PyUnicode_New((Py_ssize_t)length, 127);
    if (string != NULL && length > 0)
        memcpy(PyUnicode_1BYTE_DATA(string), text, length);
    return string;
}

static PyObject *convert_string(const char *text)
{
    size_t length = 0;
    unsigned char all = 0;
    for (; text[length] != '\0'; length++)
        all |= (unsigned char)text[length];
    return make_string(text, length, all < 0x80);
}

static PyObject *convert_key(loader *self, const char *text)
{
    uint32_t hash = 2166136261u; // FNV-1a: a clash costs a str made anew
    size_t length = 0;
    unsigned char all = 0;
    for (; text[length] != '\0'; length++) {
        all |= (unsigned char)text[length];
        hash = (hash ^ (unsigned char)text[length]) * 16777619u;
    }
    if (all >= 0x80 || length > KEY_BYTES)
        return make_string(text, length, all < 0x80);
    PyObject **slot = &self->keys[(hash ^ hash >> 16) % KEY_SLOTS];
    if (*slot == NULL || (size_t)PyUnicode_GET_LENGTH(*slot) != length ||
        memcmp(PyUnicode_1BYTE_DATA(*slot), text, length) != 0) {
        PyObject *key = make_string(text, length, true);
        if (key == NULL)
            return NULL;
        Py_XSETREF(*slot, key);
    }
    return Py_NewRef(*slot);
}

static PyObject *convert_array(loader *self, const cJSON *node)
{
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return NULL;
    for (const cJSON *child = node->child; child != NULL; child = child->next) {
        PyObject *item = convert(self, child);
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_XDECREF(item);
            Py_DECREF(list);
            return NULL;
        }
        Py_DECREF(item);
    }
    return list;
}

static PyObject *convert_object(loader *self, const cJSON *node)
{
    PyObject *dict = PyDict_New();
    PyObject *key = NULL;
    PyObject *value = NULL;
    Py_ssize_t count = 0;
    if (dict == NULL)
        return NULL;
    for (const cJSON *child = node->child; child != NULL; child = child->next, count++) {
        key = convert_key(self, child->string);
        if (key == NULL)
            goto error;
        value = convert(self, child);
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0)
            goto error;
        Py_CLEAR(key);
        Py_CLEAR(value);
    }
    if (PC_UNLIKELY(PyDict_GET_SIZE(dict) != count))
        self->twins = true;
    return dict;
error:
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_DECREF(dict);
    return NULL;
}

static PyObject *convert(loader *self, const cJSON *node)
{
    if (cJSON_IsNumber(node))
        return convert_number(self, node);
    if (cJSON_IsString(node))
        return convert_string(node->valuestring);
    if (cJSON_IsArray(node))
        return convert_array(self, node);
    if (cJSON_IsObject(node))
        return convert_object(self, node);
    if (cJSON_IsTrue(node))
        Py_RETURN_TRUE;
    if (cJSON_IsFalse(node))
        Py_RETURN_FALSE;
    Py_RETURN_NONE;
}

PyObject *results_tree(core_state *state, pc_json *json, const char *text, bool *twins)
{
    loader self = {.state = state, .text = text, .json = json};
    PyObject *result = convert(&self, json->root);
    for (size_t i = 0; i < KEY_SLOTS; i++)
        Py_XDECREF(self.keys[i]);
    *twins = self.twins;
    return result;
}

static void raise_json_error(core_state *state, const pc_json_error *error)
{
    PyObject *args = Py_BuildValue("(snnn)", pc_json_reason(error->code), (Py_ssize_t)error->line,
                                   (Py_ssize_t)error->column, (Py_ssize_t)error->offset);
    if (args != NULL) {
        PyErr_SetObject(state->json_error, args);
        Py_DECREF(args);
    }
}

PyDoc_STRVAR(load_results_doc,
             "load_results($module, data, /)\n--\n\n"
             "Read the bytes of a results file as strict JSON. The arrays benchmarks[*].stats.data become Samples.\n\n"
             "Raises JSONError(reason, line, column, offset) where the bytes are not strict JSON.");

static PyObject *load_results(PyObject *module, PyObject *data)
{
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "load_results() wants bytes, not %.100s", Py_TYPE(data)->tp_name);
        return NULL;
    }
    core_state *state = core_state_of_module(module);
    const char *text = PyBytes_AS_STRING(data);
    size_t length = (size_t)PyBytes_GET_SIZE(data);
    pc_json json = {0};
    pc_json_error error = {0};
    PyObject *result = NULL;
    bool twins = false;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_results_scan(text, length, &json, &error);
    Py_END_ALLOW_THREADS
    if (status == 0)
        status = pc_json_build(&json);
    if (status == 0)
        result = results_tree(state, &json, text, &twins);
    if (status == 0 && result != NULL && twins)
        status = pc_json_check(&json, text, length, &error); // where
    if (status < 0) {
        Py_CLEAR(result);
        if (status == -EINVAL)
            raise_json_error(state, &error);
        else
            (void)core_raise_errno(status);
    }
    pc_json_clear(&json);
    return result;
}

static PyMethodDef results_methods[] = {
    {"load_results", load_results, METH_O, load_results_doc},
    {NULL, NULL, 0, NULL},
};

int results_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    state->json_error = PyErr_NewExceptionWithDoc("perfcore._core.JSONError",
                                                  "Not strict JSON; args are (reason, line, column, byte offset).",
                                                  PyExc_ValueError, NULL);
    if (state->json_error == NULL || PyModule_AddObjectRef(module, "JSONError", state->json_error) < 0)
        return -1;
    if (PyModule_AddFunctions(module, results_methods) < 0)
        return -1;
    return results_write_setup(module);
}
