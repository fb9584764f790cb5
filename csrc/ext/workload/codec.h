// SPDX-License-Identifier: MIT
// What the codecs' tree walks share: input that cannot change under them, a stack of values, the texts met before, a
// writer that knows where it is when it refuses, and the errors. Contract: with the GIL held. A call owns its own
// writer, input and stack, so a codec may be entered again from code that an object of the user's runs.
#ifndef PC_EXT_CODEC_H
#define PC_EXT_CODEC_H

#include "ext.h"

#include <string.h>

#include "record/pc_json.h"
#include "workload/codec_words.h"
#include "workload/pc_out.h"

enum {
    CODEC_MAX_DEPTH = PC_JSON_MAX_DEPTH,
    CODEC_STORAGE = 4096, // bytes on the C stack that a message is written to first
    CODEC_STACK = 64,     // values on the C stack
};

typedef struct codec_state {
    codec_word words[CODEC_WORDS];
    PyObject *encode_error; // of perfcore.errors, imported when first raised
    PyObject *decode_error;
    core_state *core;    // that this is part of
    PyObject *extension; // the classes of perfcore.codecs, imported when first met
    PyObject *timestamp;
} codec_state;

// Take the attribute `name` of `module` into *slot, once. A borrowed reference, or NULL with an exception.
PyObject *codec_import(PyObject **slot, const char *module, const char *name);

// --- reading ---

typedef struct codec_input {
    PyObject *owner;
    const char *text; // with a NUL byte behind it
    size_t length;
} codec_input;

// Take bytes, bytearray, memoryview and the like (copied where they could change) and, if `text`, str. 0, or -1 with
// an exception. To be released by codec_input_clear.
int codec_input_init(codec_state *state, codec_input *input, PyObject *data, bool text) PC_NODISCARD;
void codec_input_clear(codec_input *input);

typedef struct codec_stack {
    PyObject **items; // owned references
    size_t count, capacity;
    PyObject *storage[CODEC_STACK];
} codec_stack;

void codec_stack_init(codec_stack *stack);
void codec_stack_clear(codec_stack *stack);
int codec_stack_grow(codec_stack *stack) PC_NODISCARD;

// Push a value, stealing the reference, also on failure. 0, or -1 with MemoryError.
PC_NODISCARD static inline int codec_stack_push(codec_stack *stack, PyObject *value)
{
    if (PC_UNLIKELY(stack->count == stack->capacity) && codec_stack_grow(stack) < 0) {
        Py_DECREF(value);
        return -1;
    }
    stack->items[stack->count++] = value;
    return 0;
}

// Pop everything above `base` as a list.
PyObject *codec_stack_list(codec_stack *stack, size_t base);

// Raise DecodeError. `line` 0: the format has no lines. Returns NULL.
PyObject *codec_raise_decode(codec_state *state, const char *reason, size_t offset, size_t line, size_t column);

// Raise DecodeError for text that is not strict JSON. Returns NULL.
PyObject *codec_raise_json(codec_state *state, const pc_json_error *error);

// --- writing ---

typedef struct codec_writer {
    pc_out out;
    codec_state *state;
    PyObject *reason; // str: why the value is refused; no exception is set while it is
    PyObject *path;   // str: where, built from the inside out
    char storage[CODEC_STORAGE];
} codec_writer;

void codec_writer_init(codec_writer *writer, codec_state *state);

// The bytes written, or NULL with EncodeError if the value was refused, or with the exception that is set.
PyObject *codec_writer_finish(codec_writer *writer, int status);

// Note why the value at hand is refused, in the words of PyUnicode_FromFormat. Returns -1.
int codec_refuse(codec_writer *writer, const char *format, ...);

// While a refusal is on its way out: note the place in the container that it passes. Return -1.
int codec_at_index(codec_writer *writer, Py_ssize_t index);
int codec_at_key(codec_writer *writer, PyObject *key);
int codec_at_field(codec_writer *writer, const char *name);

// What codec_utf8 does for text that is not ASCII.
int codec_utf8_any(codec_writer *writer, PyObject *text, const char **utf8, size_t *length) PC_NODISCARD;

// The UTF-8 of a str. 0, or -1 refused (a lone surrogate) or with MemoryError.
PC_NODISCARD static inline int codec_utf8(codec_writer *writer, PyObject *text, const char **utf8, size_t *length)
{
    if (PC_UNLIKELY(!PyUnicode_IS_COMPACT_ASCII(text)))
        return codec_utf8_any(writer, text, utf8, length);
    *utf8 = (const char *)((PyASCIIObject *)text + 1); // as PyUnicode_DATA, without asking again
    *length = (size_t)PyUnicode_GET_LENGTH(text);
    return 0;
}

// Refuse a value of a type that the format does not have, and containers that are nested too deep. Return -1.
int codec_refuse_type(codec_writer *writer, const char *codec, PyObject *value);
int codec_refuse_depth(codec_writer *writer, int limit);

// Raise for a dict that changed between two of its items. Returns -1.
int codec_raise_changed(void);

// True with the value of an int of one digit of its 30 bits, as nearly all are.
static inline bool codec_small_int(PyObject *number, long long *value)
{
    assert(PyLong_Check(number));
#if PY_VERSION_HEX >= 0x030C0000
    if (PyUnstable_Long_IsCompact((PyLongObject *)number)) {
        *value = PyUnstable_Long_CompactValue((PyLongObject *)number);
        return true;
    }
#else
    Py_ssize_t size = Py_SIZE(number);
    if (size >= -1 && size <= 1) {
        *value = size == 0 ? 0 : size * (long long)((PyLongObject *)number)->ob_digit[0];
        return true;
    }
#endif
    return false;
}

// True for a value that is written without running any code of the user's, whatever happens.
static inline bool codec_is_leaf(PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);
    long long ignored;
    if (type == &PyUnicode_Type)
        return PyUnicode_IS_COMPACT_ASCII(value);
    if (type == &PyLong_Type)
        return codec_small_int(value, &ignored);
    return type == &PyFloat_Type || type == &PyBool_Type || value == Py_None;
}

// A walk over the items of a dict. An item is held while it is written, unless nothing can change the dict meanwhile,
// as the items() of a subclass further in may, or a finalizer that runs because an exception object is made.
typedef struct codec_walk {
    PyObject *dict;
    Py_ssize_t size, place, count;
    PyObject *key, *value; // of the item at hand
    bool held;
} codec_walk;

static inline bool codec_walk_next(codec_walk *walk)
{
    if (!PyDict_Next(walk->dict, &walk->place, &walk->key, &walk->value))
        return false;
    walk->count++;
    walk->held = !codec_is_leaf(walk->key) || !codec_is_leaf(walk->value);
    if (PC_UNLIKELY(walk->held)) {
        Py_INCREF(walk->key);
        Py_INCREF(walk->value);
    }
    return true;
}

// Be done with an item that was written with `status`: let go of it, note where a refusal was, and see that the dict
// still has its size and gave no more items than that. 0, or -1.
PC_NODISCARD static inline int codec_walk_end(const codec_walk *walk, codec_writer *writer, int status)
{
    if (PC_UNLIKELY(status < 0))
        (void)codec_at_key(writer, walk->key);
    if (PC_UNLIKELY(walk->held)) {
        Py_DECREF(walk->key);
        Py_DECREF(walk->value);
    }
    if (PC_UNLIKELY(status < 0))
        return -1;
    return PC_LIKELY(PyDict_GET_SIZE(walk->dict) == walk->size && walk->count <= walk->size) ? 0
                                                                                             : codec_raise_changed();
}

// Behind the last item: see that there were as many as the dict's size said. 0, or -1.
PC_NODISCARD static inline int codec_walk_finish(const codec_walk *walk)
{
    return PC_LIKELY(walk->count == walk->size) ? 0 : codec_raise_changed();
}

// The length and, as an owned reference, an item of a list or tuple (or of a subclass, by what lies in it).
static inline Py_ssize_t codec_sequence_size(PyObject *sequence)
{
    return PyList_Check(sequence) ? PyList_GET_SIZE(sequence) : PyTuple_GET_SIZE(sequence);
}

static inline PyObject *codec_sequence_item(PyObject *sequence, Py_ssize_t index)
{
    return Py_NewRef(PyList_Check(sequence) ? PyList_GET_ITEM(sequence, index) : PyTuple_GET_ITEM(sequence, index));
}

// The pair at `index` of what a mapping's items() gave, borrowed. 0, or -1 with TypeError where it is none.
int codec_pair(PyObject *items, Py_ssize_t index, PyObject **key, PyObject **value) PC_NODISCARD;

// Room in the output, with MemoryError set on failure.
PC_NODISCARD static inline int codec_reserve(codec_writer *writer, size_t extra)
{
    if (PC_LIKELY(writer->out.capacity - writer->out.length >= extra))
        return 0;
    if (pc_out_grow(&writer->out, extra) == 0)
        return 0;
    PyErr_NoMemory();
    return -1;
}

// Append bytes. 0, or -1 with MemoryError.
PC_NODISCARD static inline int codec_write_bytes(codec_writer *writer, const char *bytes, size_t length)
{
    if (length == 0)
        return 0; // then there may be no address either
    if (codec_reserve(writer, length) < 0)
        return -1;
    memcpy(writer->out.data + writer->out.length, bytes, length);
    writer->out.length += length;
    return 0;
}

// Append the text of an int or a float (or of a subclass). 0, or -1 refused or with an exception. Of json_dumps.c.
int codec_write_number(codec_writer *writer, PyObject *number) PC_NODISCARD;

// --- messages ---

// A Message in JSON is an object with this one key, whose value is an object of its fields.
#define CODEC_MESSAGE_KEY "perfcore.Message"

bool codec_is_message_key(PyObject *key);

// Refuse a dict that would be read as a message. Returns -1.
int codec_refuse_message_key(codec_writer *writer);

// A message of fields that were read (NULL where there is none). NULL without an exception: they make no message.
PyObject *codec_make_message(codec_state *state, PyObject *const *values);

// --- the set-up of each format's file ---

int cjson_setup(PyObject *module) PC_NODISCARD;
int json_dumps_setup(PyObject *module) PC_NODISCARD;
int json_loads_setup(PyObject *module) PC_NODISCARD;
int msgpack_dumps_setup(PyObject *module) PC_NODISCARD;
int msgpack_loads_setup(PyObject *module) PC_NODISCARD;

#endif
