// SPDX-License-Identifier: MIT
// What the codecs share: input, stack, words, errors of reading (see codec.h; for writing there is codec_write.c).
#include "workload/codec.h"

#include <string.h>

#include "workload/message.h"

PyObject *codec_import(PyObject **slot, const char *module, const char *name)
{
    if (*slot == NULL) {
        PyObject *imported = PyImport_ImportModule(module);
        if (imported == NULL)
            return NULL;
        PyObject *found = PyObject_GetAttrString(imported, name);
        Py_DECREF(imported);
        if (found == NULL)
            return NULL;
        Py_XSETREF(*slot, found);
    }
    return *slot;
}

// --- reading ---

int codec_input_init(codec_state *state, codec_input *input, PyObject *data, bool text)
{
    if (PyBytes_Check(data)) {
        *input = (codec_input){Py_NewRef(data), PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
        return 0;
    }
    if (text && PyUnicode_Check(data)) {
        Py_ssize_t length;
        const char *utf8 = PyUnicode_AsUTF8AndSize(data, &length);
        if (utf8 == NULL) {
            if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
                PyErr_Clear();
                codec_raise_decode(state, "the text has a lone surrogate", 0, 1, 1);
            }
            return -1;
        }
        *input = (codec_input){Py_NewRef(data), utf8, (size_t)length};
        return 0;
    }
    if (!PyObject_CheckBuffer(data)) {
        PyErr_Format(PyExc_TypeError, "loads() wants bytes, a buffer%s, not %.100s", text ? " or str" : "",
                     Py_TYPE(data)->tp_name);
        return -1;
    }
    PyObject *copy = PyBytes_FromObject(data); // others may write to it while we read
    if (copy == NULL)
        return -1;
    *input = (codec_input){copy, PyBytes_AS_STRING(copy), (size_t)PyBytes_GET_SIZE(copy)};
    return 0;
}

void codec_input_clear(codec_input *input)
{
    Py_CLEAR(input->owner);
}

void codec_stack_init(codec_stack *stack)
{
    stack->items = stack->storage;
    stack->count = 0;
    stack->capacity = CODEC_STACK;
}

void codec_stack_clear(codec_stack *stack)
{
    while (stack->count > 0)
        Py_DECREF(stack->items[--stack->count]);
    if (stack->items != stack->storage)
        PyMem_Free(stack->items);
}

int codec_stack_grow(codec_stack *stack)
{
    PyObject **moved = NULL;
    size_t bigger = stack->capacity * 2; // each item took a byte of input at least: no overflow
    if (bigger <= PY_SSIZE_T_MAX / sizeof *moved)
        moved = PyMem_Realloc(stack->items == stack->storage ? NULL : stack->items, bigger * sizeof *moved);
    if (moved == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (stack->items == stack->storage)
        memcpy(moved, stack->storage, sizeof stack->storage);
    stack->items = moved;
    stack->capacity = bigger;
    return 0;
}

PyObject *codec_stack_list(codec_stack *stack, size_t base)
{
    Py_ssize_t count = (Py_ssize_t)(stack->count - base);
    PyObject *list = PyList_New(count);
    if (list == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++)
        PyList_SET_ITEM(list, i, stack->items[base + (size_t)i]);
    stack->count = base;
    return list;
}

// Copy short texts in words that overlap: a call of memcpy costs more than that.
static inline void copy_text(char *to, const char *text, size_t length)
{
    if (length > CODEC_WORD_BYTES) {
        memcpy(to, text, length);
    } else if (length >= 8) {
        for (size_t at = 0; at + 8 < length; at += 8)
            memcpy(to + at, text + at, 8);
        memcpy(to + length - 8, text + length - 8, 8);
    } else if (length >= 4) {
        uint32_t last;
        memcpy(&last, text + length - 4, 4);
        memcpy(to, text, 4);
        memcpy(to + length - 4, &last, 4);
    } else {
        for (size_t at = 0; at < length; at++)
            to[at] = text[at];
    }
}

PyObject *codec_ascii(const char *text, size_t length)
{
    if (length < 2)
        return PyUnicode_FromStringAndSize(text, (Py_ssize_t)length); // one of the interpreter's own
    PyObject *string = PyUnicode_New((Py_ssize_t)length, 127);
    if (string != NULL)
        copy_text((char *)PyUnicode_1BYTE_DATA(string), text, length);
    return string;
}

PyObject *codec_word_make(codec_word *words, const char *text, size_t length, uint64_t mixed)
{
    PyObject *string = codec_ascii(text, length);
    codec_word *word = codec_word_place(words, mixed);
    uint32_t tag = codec_word_tag(mixed);
    if (word->candidate != tag) {
        word->candidate = tag;
    } else if (string != NULL) {
        word->tag = tag;
        Py_XSETREF(word->text, Py_NewRef(string));
    }
    return string;
}

PyObject *codec_raise_decode(codec_state *state, const char *reason, size_t offset, size_t line, size_t column)
{
    PyObject *type = codec_import(&state->decode_error, "perfcore.errors", "DecodeError");
    if (type == NULL)
        return NULL;
    PyObject *error = NULL;
    if (line > 0) {
        PyObject *text = PyUnicode_FromFormat("line %zu, column %zu: %s", line, column, reason);
        if (text != NULL)
            error = PyObject_CallFunction(type, "Nnnn", text, (Py_ssize_t)offset, (Py_ssize_t)line, (Py_ssize_t)column);
    } else {
        PyObject *text = PyUnicode_FromFormat("at byte %zu: %s", offset, reason);
        if (text != NULL)
            error = PyObject_CallFunction(type, "Nn", text, (Py_ssize_t)offset);
    }
    if (error != NULL) {
        PyErr_SetObject(type, error);
        Py_DECREF(error);
    }
    return NULL;
}

PyObject *codec_raise_json(codec_state *state, const pc_json_error *error)
{
    const char *reason;
    switch (error->code) { // where the record room speaks of its file
    case PC_JSON_EMPTY:
        reason = "there is no text";
        break;
    case PC_JSON_TRUNCATED:
        reason = "the text ends in the middle of a value";
        break;
    case PC_JSON_UNEXPECTED:
        reason = "unexpected character";
        break;
    case PC_JSON_MARK:
        reason = "the text begins with a byte order mark";
        break;
    default:
        reason = pc_json_reason(error->code);
    }
    return codec_raise_decode(state, reason, error->offset, error->line, error->column);
}

// --- messages ---

PyObject *codec_make_message(codec_state *state, PyObject *const *values)
{
    for (int i = 0; i < MESSAGE_FIELDS; i++) {
        if (values[i] == NULL || (i >= 4 && !PyLong_Check(values[i]))) // None would be given an id and a time
            return NULL;
    }
    PyObject *message = message_create(state->core, values);
    if (message == NULL && (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError)))
        PyErr_Clear();
    return message;
}

// --- the room's set-up ---

int codec_traverse(core_state *state, visitproc visit, void *arg)
{
    codec_state *codec = state->codec;
    if (codec != NULL) { // the words are strings, which belong to no cycle
        Py_VISIT(codec->encode_error);
        Py_VISIT(codec->decode_error);
        Py_VISIT(codec->extension);
        Py_VISIT(codec->timestamp);
    }
    return 0;
}

void codec_clear(core_state *state)
{
    codec_state *codec = state->codec;
    if (codec == NULL)
        return;
    state->codec = NULL;
    for (size_t i = 0; i < CODEC_WORDS; i++)
        Py_CLEAR(codec->words[i].text);
    Py_CLEAR(codec->encode_error);
    Py_CLEAR(codec->decode_error);
    Py_CLEAR(codec->extension);
    Py_CLEAR(codec->timestamp);
    PyMem_Free(codec);
}

int codec_setup(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    state->codec = PyMem_Calloc(1, sizeof *state->codec);
    if (state->codec == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->codec->core = state;
    if (json_dumps_setup(module) < 0 || json_loads_setup(module) < 0)
        return -1;
    if (msgpack_dumps_setup(module) < 0 || msgpack_loads_setup(module) < 0)
        return -1;
    return cjson_setup(module);
}
