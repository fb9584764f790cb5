// SPDX-License-Identifier: MIT
// msgpack_dumps: Python objects straight to MessagePack, each value in its shortest form and every float as float 64.
#include "workload/codec.h"

#include "workload/message.h"
#include "workload/pc_msgpack.h"

enum { STAMP_BYTES = 15 };

static int write_value(codec_writer *self, PyObject *value, int depth);

// Append a head by one of pc_msgpack_write_*.
#define WRITE_HEAD(self, call)                                                                                         \
    do {                                                                                                               \
        if (codec_reserve(self, PC_MSGPACK_HEAD) < 0)                                                                  \
            return -1;                                                                                                 \
        char *at = (self)->out.data + (self)->out.length;                                                              \
        (self)->out.length = (size_t)((call)-at) + (self)->out.length;                                                 \
    } while (0)

static int refuse_size(codec_writer *self)
{
    return codec_refuse(self, "longer than the 2^32 - 1 bytes or elements that MessagePack can hold");
}

static inline int write_text(codec_writer *self, PyObject *value)
{
    const char *utf8;
    size_t length;
    if (codec_utf8(self, value, &utf8, &length) < 0)
        return -1;
    if (length > UINT32_MAX)
        return refuse_size(self);
    if (codec_reserve(self, length + PC_MSGPACK_HEAD) < 0)
        return -1;
    char *at = self->out.data + self->out.length;
    if (PC_LIKELY(length < 32)) {
        *at = (char)(0xA0 | length);
        at++;
    } else {
        at = pc_msgpack_write_string(at, length);
    }
    if (PC_LIKELY(length >= 8 && length <= 16)) { // most keys: two words that overlap
        uint64_t first, last;
        memcpy(&first, utf8, sizeof first);
        memcpy(&last, utf8 + length - sizeof last, sizeof last);
        memcpy(at, &first, sizeof first);
        memcpy(at + length - sizeof last, &last, sizeof last);
    } else {
        memcpy(at, utf8, length);
    }
    self->out.length = (size_t)(at - self->out.data) + length;
    return 0;
}

static inline int write_integer(codec_writer *self, PyObject *value)
{
    int overflow = 0;
    long long integer;
    if (!codec_small_int(value, &integer))
        integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (PC_LIKELY(overflow == 0)) {
        WRITE_HEAD(self, pc_msgpack_write_integer(at, integer));
        return 0;
    }
    if (overflow > 0) {
        unsigned long long natural = PyLong_AsUnsignedLongLong(value);
        if (!PyErr_Occurred()) {
            WRITE_HEAD(self, pc_msgpack_write_natural(at, natural));
            return 0;
        }
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
    }
    return codec_refuse(self, "an integer outside -2^63 to 2^64 - 1, which are MessagePack's limits");
}

static int write_real(codec_writer *self, double real)
{
    WRITE_HEAD(self, pc_msgpack_write_real(at, real));
    return 0;
}

// A run of bytes: bytes itself, or the buffer of a bytearray or a contiguous memoryview.
static int write_binary(codec_writer *self, PyObject *value)
{
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_BufferError))
            return -1;
        PyErr_Clear();
        return codec_refuse(self, "a memoryview that is not contiguous; convert it first");
    }
    int status = -1;
    if ((size_t)view.len > UINT32_MAX) {
        status = refuse_size(self);
    } else if (codec_reserve(self, PC_MSGPACK_HEAD) == 0) {
        char *at = self->out.data + self->out.length;
        self->out.length = (size_t)(pc_msgpack_write_binary(at, (size_t)view.len) - self->out.data);
        status = codec_write_bytes(self, view.buf, (size_t)view.len);
    }
    PyBuffer_Release(&view);
    return status;
}

// A key is what it may be in Python, and will be once it is read: a tuple comes back as a list.
static int write_key(codec_writer *self, PyObject *key, int depth)
{
    if (PC_UNLIKELY(PyTuple_Check(key)))
        return codec_refuse(self, "a tuple as a key, which MessagePack would give back as a list");
    return write_value(self, key, depth);
}

static int write_dict(codec_writer *self, PyObject *dict, int depth)
{
    codec_walk walk = {.dict = dict, .size = PyDict_GET_SIZE(dict)};
    if ((size_t)walk.size > UINT32_MAX)
        return refuse_size(self);
    WRITE_HEAD(self, pc_msgpack_write_map(at, (size_t)walk.size));
    while (codec_walk_next(&walk)) {
        int status = PyUnicode_CheckExact(walk.key) ? write_text(self, walk.key) : write_key(self, walk.key, depth);
        if (PC_LIKELY(status == 0))
            status = write_value(self, walk.value, depth);
        if (PC_UNLIKELY(codec_walk_end(&walk, self, status) < 0))
            return -1;
    }
    return codec_walk_finish(&walk);
}

// A subclass of dict by its own items().
static int write_mapping(codec_writer *self, PyObject *mapping, int depth)
{
    PyObject *items = PyMapping_Items(mapping);
    if (items == NULL)
        return -1;
    // From here on the list is ours alone, and the same size.
    int status = -1;
    Py_ssize_t count = PyList_GET_SIZE(items);
    if ((size_t)count > UINT32_MAX) {
        status = refuse_size(self);
    } else if (codec_reserve(self, PC_MSGPACK_HEAD) == 0) {
        char *at = self->out.data + self->out.length;
        self->out.length = (size_t)(pc_msgpack_write_map(at, (size_t)count) - self->out.data);
        status = 0;
    }
    for (Py_ssize_t i = 0; i < count && status == 0; i++) {
        PyObject *key;
        PyObject *value;
        if ((status = codec_pair(items, i, &key, &value)) < 0)
            break;
        status = write_key(self, key, depth);
        if (status == 0)
            status = write_value(self, value, depth);
        if (status < 0)
            (void)codec_at_key(self, key);
    }
    Py_DECREF(items);
    return status;
}

static int write_sequence(codec_writer *self, PyObject *sequence, int depth)
{
    Py_ssize_t size = codec_sequence_size(sequence);
    if ((size_t)size > UINT32_MAX)
        return refuse_size(self);
    WRITE_HEAD(self, pc_msgpack_write_array(at, (size_t)size));
    for (Py_ssize_t i = 0; i < size; i++) {
        if (PC_UNLIKELY(codec_sequence_size(sequence) != size)) {
            PyErr_SetString(PyExc_RuntimeError, "a list changed its size while it was encoded");
            return -1;
        }
        PyObject *item = codec_sequence_item(sequence, i);
        int status = write_value(self, item, depth);
        Py_DECREF(item);
        if (PC_UNLIKELY(status < 0))
            return codec_at_index(self, i);
    }
    return 0;
}

// An extension of which only the end tells how long it is: what is written behind a guess of the head is moved where
// the guess was wrong.
static int write_message(codec_writer *self, const message_object *message, int depth)
{
    enum { GUESS = 3 }; // 17 to 255 bytes
    if (PC_UNLIKELY(depth == PC_MSGPACK_MAX_DEPTH))
        return codec_refuse_depth(self, PC_MSGPACK_MAX_DEPTH);
    size_t start = self->out.length;
    if (codec_reserve(self, GUESS) < 0)
        return -1;
    self->out.length += GUESS;
    WRITE_HEAD(self, pc_msgpack_write_array(at, MESSAGE_FIELDS));
    PyObject *const values[] = {message->sender, message->recipient, message->topic, message->payload};
    for (int i = 0; i < 4; i++) {
        if (write_value(self, values[i], depth + 1) < 0)
            return codec_at_field(self, message_field_names[i]);
    }
    WRITE_HEAD(self, pc_msgpack_write_integer(at, message->id));
    WRITE_HEAD(self, pc_msgpack_write_integer(at, message->timestamp));
    size_t length = self->out.length - start - GUESS;
    if (length > UINT32_MAX)
        return refuse_size(self);
    char head[PC_MSGPACK_HEAD];
    size_t size = (size_t)(pc_msgpack_write_extension(head, PC_MSGPACK_MESSAGE, length) - head);
    if (codec_reserve(self, PC_MSGPACK_HEAD) < 0)
        return -1;
    char *at = self->out.data + start;
    if (PC_UNLIKELY(size != GUESS))
        memmove(at + size, at + GUESS, length);
    memcpy(at, head, size);
    self->out.length = start + size + length;
    return 0;
}

static int write_container(codec_writer *self, PyObject *value, int depth)
{
    if (PC_UNLIKELY(depth == PC_MSGPACK_MAX_DEPTH))
        return codec_refuse_depth(self, PC_MSGPACK_MAX_DEPTH);
    if (PyDict_CheckExact(value))
        return write_dict(self, value, depth + 1);
    if (PyDict_Check(value))
        return write_mapping(self, value, depth + 1);
    return write_sequence(self, value, depth + 1);
}

// The attribute as an integer between the limits. 0, or -1 with an exception or refused.
static int get_integer(codec_writer *self, PyObject *value, const char *name, long long low, long long high,
                       long long *result)
{
    PyObject *attribute = PyObject_GetAttrString(value, name);
    if (attribute == NULL)
        return -1;
    int overflow = 1;
    long long integer = PyLong_Check(attribute) ? PyLong_AsLongLongAndOverflow(attribute, &overflow) : 0;
    Py_DECREF(attribute);
    if (overflow != 0 || integer < low || integer > high)
        return codec_refuse(self, "%s.%s is not an integer from %lld to %lld", Py_TYPE(value)->tp_name, name, low,
                            high);
    *result = integer;
    return 0;
}

static int write_timestamp(codec_writer *self, PyObject *value)
{
    long long seconds = 0;
    long long nanoseconds = 0;
    if (get_integer(self, value, "seconds", INT64_MIN, INT64_MAX, &seconds) < 0 ||
        get_integer(self, value, "nanoseconds", 0, 999999999, &nanoseconds) < 0 || codec_reserve(self, STAMP_BYTES) < 0)
        return -1;
    pc_msgpack_stamp stamp = {.seconds = seconds, .nanoseconds = (uint32_t)nanoseconds};
    self->out.length = (size_t)(pc_msgpack_write_stamp(self->out.data + self->out.length, stamp) - self->out.data);
    return 0;
}

static int write_extension(codec_writer *self, PyObject *value)
{
    long long type = 0;
    if (get_integer(self, value, "type", INT8_MIN, INT8_MAX, &type) < 0)
        return -1;
    if (type == PC_MSGPACK_TIMESTAMP)
        return codec_refuse(self, "extension type -1 is the timestamp's; use Timestamp");
    if (type == PC_MSGPACK_MESSAGE)
        return codec_refuse(self, "extension type %d is the message's; use Message", PC_MSGPACK_MESSAGE);
    PyObject *data = PyObject_GetAttrString(value, "data");
    if (data == NULL)
        return -1;
    int status = -1;
    if (!PyBytes_Check(data)) {
        status = codec_refuse(self, "Extension.data is %.100s, not bytes", Py_TYPE(data)->tp_name);
    } else if ((size_t)PyBytes_GET_SIZE(data) > UINT32_MAX) {
        status = refuse_size(self);
    } else if (codec_reserve(self, PC_MSGPACK_HEAD) == 0) {
        size_t length = (size_t)PyBytes_GET_SIZE(data);
        char *at = self->out.data + self->out.length;
        self->out.length = (size_t)(pc_msgpack_write_extension(at, (int8_t)type, length) - self->out.data);
        status = codec_write_bytes(self, PyBytes_AS_STRING(data), length);
    }
    Py_DECREF(data);
    return status;
}

// What is none of the usual types.
static int write_other(codec_writer *self, PyObject *value, int depth)
{
    if (message_check(self->state->core, value))
        return write_message(self, (const message_object *)value, depth);
    if (PyBytes_Check(value) || PyByteArray_Check(value) || PyMemoryView_Check(value))
        return write_binary(self, value);
    if (PyUnicode_Check(value))
        return write_text(self, value);
    if (PyFloat_Check(value))
        return write_real(self, PyFloat_AS_DOUBLE(value));
    if (PyLong_Check(value))
        return write_integer(self, value);
    PyObject *timestamp = codec_import(&self->state->timestamp, "perfcore.codecs", "Timestamp");
    if (timestamp == NULL)
        return -1;
    if ((PyObject *)Py_TYPE(value) == timestamp)
        return write_timestamp(self, value);
    PyObject *extension = codec_import(&self->state->extension, "perfcore.codecs", "Extension");
    if (extension == NULL)
        return -1;
    if ((PyObject *)Py_TYPE(value) == extension)
        return write_extension(self, value);
    return codec_refuse_type(self, "MessagePack", value);
}

static int write_value(codec_writer *self, PyObject *value, int depth)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
        return write_text(self, value);
    if (type == &PyFloat_Type)
        return write_real(self, PyFloat_AS_DOUBLE(value));
    if (type == &PyLong_Type)
        return write_integer(self, value);
    if (value == Py_None)
        return codec_write_bytes(self, "\xC0", 1);
    if (value == Py_True)
        return codec_write_bytes(self, "\xC3", 1);
    if (value == Py_False)
        return codec_write_bytes(self, "\xC2", 1);
    if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value))
        return write_container(self, value, depth);
    return write_other(self, value, depth);
}

PyDoc_STRVAR(msgpack_dumps_doc, "msgpack_dumps($module, value, /)\n--\n\n"
                                "Return a value as MessagePack. Raises EncodeError where MessagePack cannot hold it.");

static PyObject *msgpack_dumps(PyObject *module, PyObject *value)
{
    codec_writer writer;
    codec_writer_init(&writer, core_state_of_module(module)->codec);
    return codec_writer_finish(&writer, write_value(&writer, value, 0));
}

static PyMethodDef methods[] = {
    {"msgpack_dumps", msgpack_dumps, METH_O, msgpack_dumps_doc},
    {NULL, NULL, 0, NULL},
};

int msgpack_dumps_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
