// SPDX-License-Identifier: MIT
// msgpack_loads: MessagePack straight to Python objects. Hostile bytes are expected: heads are checked by pc_msgpack
// against the bytes that are left, lists are made when their elements are there, and depth is limited.
#include "workload/codec.h"

#include "workload/message.h"
#include "workload/pc_msgpack.h"

typedef struct reader {
    const char *at;
    const char *end;
    codec_state *state;
    pc_msgpack_code code; // set where the data are wrong; no exception is set then
    const char *where;    // the place of the code
    codec_stack stack;    // elements of the lists that are open
} reader;

static PyObject *read_value(reader *self, int depth);

static PyObject *refuse(reader *self, pc_msgpack_code code, const char *where)
{
    self->code = code;
    self->where = where;
    return NULL;
}

static inline bool is_ascii(const char *text, size_t length)
{
    if (length < 2)
        return length == 0 || (unsigned char)*text < 0x80;
    codec_ends ends = codec_ends_of(text, length);
    uint64_t all = ends.first | ends.last;
    for (size_t at = 8; at + 8 < length; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        all |= word;
    }
    return (all & 0x8080808080808080u) == 0;
}

// The str of a text that is not among the words met before; `mixed` is theirs, if it could be.
static PyObject *new_string(reader *self, const pc_msgpack_token *token, const char *where, uint64_t mixed)
{
    if (PC_LIKELY(is_ascii(token->bytes, token->length))) {
        if (codec_word_fits(token->length))
            return codec_word_make(self->state->words, token->bytes, token->length, mixed);
        return codec_ascii(token->bytes, token->length);
    }
    PyObject *string = PyUnicode_DecodeUTF8(token->bytes, (Py_ssize_t)token->length, NULL);
    if (string == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        return refuse(self, PC_MSGPACK_NOT_UTF8, where);
    }
    return string;
}

static inline PyObject *make_string(reader *self, const pc_msgpack_token *token, const char *where)
{
    uint64_t mixed = 0;
    if (PC_LIKELY(codec_word_fits(token->length))) {
        PyObject *known = codec_word_find(self->state->words, token->bytes, token->length, &mixed);
        if (PC_LIKELY(known != NULL))
            return known;
    }
    return new_string(self, token, where, mixed);
}

// The message whose fields, an array, are all of an extension's bytes.
static PyObject *read_message(reader *self, const pc_msgpack_token *token, const char *where, int depth)
{
    if (PC_UNLIKELY(depth == PC_MSGPACK_MAX_DEPTH))
        return refuse(self, PC_MSGPACK_DEPTH, where);
    const char *after = self->at, *end = self->end;
    PyObject *values[MESSAGE_FIELDS] = {NULL}, *message = NULL;
    pc_msgpack_token fields = {.kind = PC_MSGPACK_NIL};
    self->at = token->bytes;
    self->end = token->bytes + token->length;
    bool right = pc_msgpack_read(&self->at, self->end, &fields) == PC_MSGPACK_FINE && fields.kind == PC_MSGPACK_ARRAY &&
                 fields.length == MESSAGE_FIELDS;
    for (int i = 0; right && i < MESSAGE_FIELDS; i++) {
        values[i] = read_value(self, depth + 1);
        right = values[i] != NULL;
    }
    if (right && self->at == self->end)
        message = codec_make_message(self->state, values);
    for (int i = 0; i < MESSAGE_FIELDS; i++)
        Py_XDECREF(values[i]);
    self->at = after;
    self->end = end;
    if (message == NULL && self->code == PC_MSGPACK_FINE && !PyErr_Occurred())
        return refuse(self, PC_MSGPACK_NO_MESSAGE, where);
    return message;
}

static PyObject *make_extension(reader *self, const pc_msgpack_token *token, const char *where, int depth)
{
    if (token->type == PC_MSGPACK_MESSAGE)
        return read_message(self, token, where, depth);
    if (token->type == PC_MSGPACK_TIMESTAMP) {
        pc_msgpack_stamp stamp;
        pc_msgpack_code code = pc_msgpack_read_stamp(token->bytes, token->length, &stamp);
        if (code != PC_MSGPACK_FINE)
            return refuse(self, code, where);
        PyObject *type = codec_import(&self->state->timestamp, "perfcore.codecs", "Timestamp");
        return type == NULL ? NULL
                            : PyObject_CallFunction(type, "LI", (long long)stamp.seconds, (unsigned)stamp.nanoseconds);
    }
    PyObject *type = codec_import(&self->state->extension, "perfcore.codecs", "Extension");
    return type == NULL ? NULL
                        : PyObject_CallFunction(type, "iy#", (int)token->type, token->bytes, (Py_ssize_t)token->length);
}

static PyObject *read_array(reader *self, size_t count, const char *where, int depth)
{
    size_t base = self->stack.count;
    if (PC_UNLIKELY(depth == PC_MSGPACK_MAX_DEPTH))
        return refuse(self, PC_MSGPACK_DEPTH, where);
    for (; count > 0; count--) {
        double real; // numbers come in rows
        bool row = pc_msgpack_read_real(&self->at, self->end, &real);
        PyObject *value = row ? PyFloat_FromDouble(real) : read_value(self, depth + 1);
        if (PC_UNLIKELY(value == NULL || codec_stack_push(&self->stack, value) < 0))
            return NULL;
    }
    return codec_stack_list(&self->stack, base);
}

static PyObject *read_key(reader *self, int depth)
{
    const char *where = self->at;
    if (PC_LIKELY(self->at < self->end)) {
        unsigned char head = (unsigned char)*where;
        if (PC_LIKELY(head >= 0xA0 && head < 0xC0)) { // a short string, as nearly every key is
            pc_msgpack_token token;
            pc_msgpack_code code = pc_msgpack_read(&self->at, self->end, &token);
            return code == PC_MSGPACK_FINE ? make_string(self, &token, where) : refuse(self, code, where);
        }
        if ((head >= 0x80 && head < 0xA0) || head >= 0xDC)
            if (head < 0xE0)
                return refuse(self, PC_MSGPACK_KEY, where);
    }
    return read_value(self, depth);
}

static PyObject *read_map(reader *self, size_t count, const char *where, int depth)
{
    if (PC_UNLIKELY(depth == PC_MSGPACK_MAX_DEPTH))
        return refuse(self, PC_MSGPACK_DEPTH, where);
    PyObject *dict = PyDict_New();
    PyObject *key = NULL;
    PyObject *value = NULL;
    if (dict == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *start = self->at;
        key = read_key(self, depth + 1);
        if (PC_UNLIKELY(key == NULL))
            goto error;
        value = read_value(self, depth + 1);
        if (PC_UNLIKELY(value == NULL || PyDict_SetItem(dict, key, value) < 0))
            goto error;
        if (PC_UNLIKELY((size_t)PyDict_GET_SIZE(dict) != i + 1)) {
            (void)refuse(self, PC_MSGPACK_DUPLICATE, start);
            goto error;
        }
        Py_CLEAR(key);
        Py_CLEAR(value);
    }
    return dict;
error:
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_DECREF(dict);
    return NULL;
}

static PyObject *read_value(reader *self, int depth)
{
    const char *where = self->at;
    pc_msgpack_token token;
    pc_msgpack_code code = pc_msgpack_read(&self->at, self->end, &token);
    if (PC_UNLIKELY(code != PC_MSGPACK_FINE))
        return refuse(self, code, where);
    switch (token.kind) {
    case PC_MSGPACK_NIL:
        Py_RETURN_NONE;
    case PC_MSGPACK_FALSE:
        Py_RETURN_FALSE;
    case PC_MSGPACK_TRUE:
        Py_RETURN_TRUE;
    case PC_MSGPACK_INTEGER:
        return PyLong_FromLongLong(token.integer);
    case PC_MSGPACK_UNSIGNED:
        return PyLong_FromUnsignedLongLong(token.natural);
    case PC_MSGPACK_REAL:
        return PyFloat_FromDouble(token.real);
    case PC_MSGPACK_STRING:
        return make_string(self, &token, where);
    case PC_MSGPACK_BINARY:
        return PyBytes_FromStringAndSize(token.bytes, (Py_ssize_t)token.length);
    case PC_MSGPACK_EXTENSION:
        return make_extension(self, &token, where, depth);
    case PC_MSGPACK_ARRAY:
        return read_array(self, token.length, where, depth);
    case PC_MSGPACK_MAP:
        return read_map(self, token.length, where, depth);
    }
    Py_UNREACHABLE();
}

PyDoc_STRVAR(msgpack_loads_doc,
             "msgpack_loads($module, data, /)\n--\n\n"
             "Read one MessagePack value from bytes or a buffer. Raises DecodeError, which says where.");

static PyObject *msgpack_loads(PyObject *module, PyObject *data)
{
    codec_state *state = core_state_of_module(module)->codec;
    codec_input input;
    if (codec_input_init(state, &input, data, false) < 0)
        return NULL;
    reader self;
    self.at = input.text;
    self.end = input.text + input.length;
    self.state = state;
    self.code = PC_MSGPACK_FINE;
    codec_stack_init(&self.stack);
    PyObject *value;
    if (input.length == 0)
        value = refuse(&self, PC_MSGPACK_EMPTY, self.at);
    else
        value = read_value(&self, 0);
    if (value != NULL && self.at != self.end) {
        Py_CLEAR(value);
        (void)refuse(&self, PC_MSGPACK_TRAILING, self.at);
    }
    if (self.code != PC_MSGPACK_FINE)
        (void)codec_raise_decode(state, pc_msgpack_reason(self.code), (size_t)(self.where - input.text), 0, 0);
    codec_stack_clear(&self.stack);
    codec_input_clear(&input);
    return value;
}

static PyMethodDef methods[] = {
    {"msgpack_loads", msgpack_loads, METH_O, msgpack_loads_doc},
    {NULL, NULL, 0, NULL},
};

int msgpack_loads_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
