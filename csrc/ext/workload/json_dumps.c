// SPDX-License-Identifier: MIT
// json_dumps: Python objects straight to JSON text, the text that json.dumps(value, separators=(",", ":"),
// ensure_ascii=False) gives where both accept the value. What would not come back as it was, apart from tuples, is
// refused instead of changed: NaN, keys that are not str, lone surrogates, unknown types.
#include "workload/codec.h"

#include <math.h>

#include "record/pc_number_write.h"
#include "workload/message.h"
#include "workload/pc_json_text.h"

enum { ITEM_ROOM = PC_DOUBLE_TEXT + 8 }; // a separator and any number, word or short string
static_assert((int)ITEM_ROOM > (int)PC_JSON_SHORT_ROOM, "a separator and a short string");

static int write_other(codec_writer *self, PyObject *value, int depth);

static inline int write_byte(codec_writer *self, char byte)
{
    if (codec_reserve(self, 1) < 0)
        return -1;
    self->out.data[self->out.length++] = byte;
    return 0;
}

// Where ITEM_ROOM bytes are free less a separator, as for numbers.
static inline int write_text(codec_writer *self, PyObject *value)
{
    const char *utf8;
    size_t length;
    if (codec_utf8(self, value, &utf8, &length) < 0)
        return -1;
    char *after = pc_json_write_short(self->out.data + self->out.length, utf8, length);
    if (PC_LIKELY(after != NULL)) {
        self->out.length = (size_t)(after - self->out.data);
        return 0;
    }
    if (PC_UNLIKELY(pc_json_write_string(&self->out, utf8, length) < 0)) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int write_big(codec_writer *self, PyObject *value)
{
    PyObject *text = PyLong_Type.tp_repr(value); // a subclass may have a __repr__ of its own
    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
        return codec_refuse(self, "%s", pc_json_reason(PC_JSON_DIGITS));
    }
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    const char *digits = (const char *)PyUnicode_1BYTE_DATA(text);
    int status;
    if (length - (*digits == '-') > PC_JSON_MAX_DIGITS) // the interpreter's own limit was raised
        status = codec_refuse(self, "%s", pc_json_reason(PC_JSON_DIGITS));
    else
        status = codec_write_bytes(self, digits, (size_t)length);
    Py_DECREF(text);
    return status;
}

static inline int write_integer(codec_writer *self, PyObject *value)
{
    long long integer;
    if (!codec_small_int(value, &integer)) {
        int overflow;
        integer = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (PC_UNLIKELY(overflow != 0))
            return write_big(self, value);
    }
    char *at = self->out.data + self->out.length;
    self->out.length = (size_t)(pc_integer_write(at, integer) - self->out.data);
    return 0;
}

static inline int write_real(codec_writer *self, double real)
{
    char *after = pc_double_write(self->out.data + self->out.length, real);
    if (PC_LIKELY(after != NULL)) {
        self->out.length = (size_t)(after - self->out.data);
        return 0;
    }
    if (!isfinite(real))
        return codec_refuse(self, "JSON has no %s", isnan(real) ? "NaN" : "Infinity");
    char *text = PyOS_double_to_string(real, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL)
        return -1;
    int status = codec_write_bytes(self, text, strlen(text));
    PyMem_Free(text);
    return status;
}

int codec_write_number(codec_writer *writer, PyObject *number)
{
    if (codec_reserve(writer, ITEM_ROOM) < 0)
        return -1;
    return PyFloat_Check(number) ? write_real(writer, PyFloat_AS_DOUBLE(number)) : write_integer(writer, number);
}

// A separator and the value.
static inline int write_item(codec_writer *self, char before, PyObject *value, int depth)
{
    if (codec_reserve(self, ITEM_ROOM) < 0)
        return -1;
    self->out.data[self->out.length++] = before;
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
        return write_text(self, value);
    if (type == &PyFloat_Type)
        return write_real(self, PyFloat_AS_DOUBLE(value));
    if (type == &PyLong_Type)
        return write_integer(self, value);
    return write_other(self, value, depth);
}

// A separator and the key.
static inline int write_key(codec_writer *self, char before, PyObject *key)
{
    if (codec_reserve(self, ITEM_ROOM) < 0)
        return -1;
    self->out.data[self->out.length++] = before;
    if (PC_UNLIKELY(!PyUnicode_Check(key)))
        return codec_refuse(self, "JSON has no keys of type %.100s, only str", Py_TYPE(key)->tp_name);
    return write_text(self, key);
}

static int write_dict(codec_writer *self, PyObject *dict, int depth)
{
    codec_walk walk = {.dict = dict, .size = PyDict_GET_SIZE(dict)};
    char before = '{';
    if (walk.size == 0)
        return codec_write_bytes(self, "{}", 2);
    while (codec_walk_next(&walk)) {
        int status = write_key(self, before, walk.key);
        if (PC_UNLIKELY(walk.size == 1 && codec_is_message_key(walk.key)))
            status = codec_refuse_message_key(self);
        if (PC_LIKELY(status == 0))
            status = write_item(self, ':', walk.value, depth);
        if (PC_UNLIKELY(codec_walk_end(&walk, self, status) < 0))
            return -1;
        before = ',';
    }
    return codec_walk_finish(&walk) == 0 ? write_byte(self, '}') : -1;
}

// A subclass of dict by its own items(), which is what it means by its contents (OrderedDict).
static int write_mapping(codec_writer *self, PyObject *mapping, int depth)
{
    PyObject *items = PyMapping_Items(mapping);
    if (items == NULL)
        return -1;
    int status = 0;
    Py_ssize_t count = PyList_GET_SIZE(items);
    for (Py_ssize_t i = 0; i < count && status == 0; i++) {
        PyObject *key;
        PyObject *value;
        if ((status = codec_pair(items, i, &key, &value)) < 0)
            break;
        status = write_key(self, i == 0 ? '{' : ',', key);
        if (count == 1 && codec_is_message_key(key))
            status = codec_refuse_message_key(self);
        if (status == 0)
            status = write_item(self, ':', value, depth);
        if (status < 0)
            (void)codec_at_key(self, key);
    }
    Py_DECREF(items);
    if (status < 0)
        return -1;
    return count == 0 ? codec_write_bytes(self, "{}", 2) : write_byte(self, '}');
}

static int write_sequence(codec_writer *self, PyObject *sequence, int depth)
{
    char before = '[';
    Py_ssize_t i = 0;
    for (; i < codec_sequence_size(sequence); i++) {
        PyObject *item = codec_sequence_item(sequence, i);
        int status = write_item(self, before, item, depth);
        Py_DECREF(item);
        if (PC_UNLIKELY(status < 0))
            return codec_at_index(self, i);
        before = ',';
    }
    return i == 0 ? codec_write_bytes(self, "[]", 2) : write_byte(self, ']');
}

static int write_message(codec_writer *self, const message_object *message, int depth)
{
    static const char *const before[] = {"{\"" CODEC_MESSAGE_KEY "\":{\"sender\":", ",\"recipient\":", ",\"topic\":"};
    if (PC_UNLIKELY(depth + 1 >= CODEC_MAX_DEPTH)) // two levels
        return codec_refuse_depth(self, CODEC_MAX_DEPTH);
    PyObject *const texts[] = {message->sender, message->recipient, message->topic};
    for (int i = 0; i < 3; i++) {
        if (codec_write_bytes(self, before[i], strlen(before[i])) < 0 || codec_reserve(self, ITEM_ROOM) < 0)
            return -1;
        if ((texts[i] == Py_None ? codec_write_bytes(self, "null", 4) : write_text(self, texts[i])) < 0)
            return codec_at_field(self, message_field_names[i]);
    }
    if (codec_write_bytes(self, ",\"payload\"", 10) < 0)
        return -1;
    if (write_item(self, ':', message->payload, depth + 2) < 0)
        return codec_at_field(self, "payload");
    if (codec_reserve(self, 2 * ITEM_ROOM + 32) < 0)
        return -1;
    char *at = self->out.data + self->out.length;
    at = pc_integer_write(mempcpy(at, ",\"id\":", 6), message->id);
    at = pc_integer_write(mempcpy(at, ",\"timestamp\":", 13), message->timestamp);
    at = mempcpy(at, "}}", 2);
    self->out.length = (size_t)(at - self->out.data);
    return 0;
}

static int write_container(codec_writer *self, PyObject *value, int depth)
{
    if (PC_UNLIKELY(depth == CODEC_MAX_DEPTH))
        return codec_refuse_depth(self, CODEC_MAX_DEPTH);
    if (PyDict_CheckExact(value))
        return write_dict(self, value, depth + 1);
    if (PyDict_Check(value))
        return write_mapping(self, value, depth + 1);
    return write_sequence(self, value, depth + 1);
}

// What is not exactly a str, float or int; and anything at the top.
static int write_other(codec_writer *self, PyObject *value, int depth)
{
    if (value == Py_None)
        return codec_write_bytes(self, "null", 4);
    if (value == Py_True)
        return codec_write_bytes(self, "true", 4);
    if (value == Py_False)
        return codec_write_bytes(self, "false", 5);
    if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value))
        return write_container(self, value, depth);
    if (PyUnicode_Check(value))
        return write_text(self, value);
    if (PyFloat_Check(value))
        return write_real(self, PyFloat_AS_DOUBLE(value));
    if (PyLong_Check(value))
        return write_integer(self, value);
    if (message_check(self->state->core, value))
        return write_message(self, (const message_object *)value, depth);
    return codec_refuse_type(self, "JSON", value);
}

PyDoc_STRVAR(json_dumps_doc, "json_dumps($module, value, /)\n--\n\n"
                             "Return a value as JSON text in UTF-8. Raises EncodeError where JSON cannot hold it.");

static PyObject *json_dumps(PyObject *module, PyObject *value)
{
    codec_writer writer;
    codec_writer_init(&writer, core_state_of_module(module)->codec);
    return codec_writer_finish(&writer, write_other(&writer, value, 0));
}

static PyMethodDef methods[] = {
    {"json_dumps", json_dumps, METH_O, json_dumps_doc},
    {NULL, NULL, 0, NULL},
};

int json_dumps_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
