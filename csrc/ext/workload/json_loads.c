// SPDX-License-Identifier: MIT
// json_loads: strict JSON text straight to Python objects. The words and the value stack are codec.h's; what is a
// string or a number is pc_json_text's. Errors are noted as a code and a place, and raised once, at the end.
#include "workload/codec.h"

#include "record/pc_json_scan.h"
#include "workload/message.h"
#include "workload/pc_json_text.h"

typedef struct reader {
    const char *text;
    const char *at; // never past `end`, where a NUL byte is
    const char *end;
    codec_state *state;
    pc_json_code code; // set where the text is wrong; no exception is set then
    const char *where; // the place of the code
    pc_out scratch;    // a string with escapes
    codec_stack stack; // elements of the lists that are open
    char storage[256];
} reader;

static PyObject *read_value(reader *self, int depth);

static PyObject *refuse(reader *self, pc_json_code code, const char *where)
{
    self->code = code;
    self->where = where;
    return NULL;
}

// Say why the byte at self->at cannot stand there.
static PyObject *unexpected(reader *self)
{
    if (self->at == self->end)
        return refuse(self, PC_JSON_TRUNCATED, self->at);
    bool utf8 = pc_json_utf8(self->at, self->end) != 0;
    return refuse(self, utf8 ? PC_JSON_UNEXPECTED : PC_JSON_NOT_UTF8, self->at);
}

// A str of UTF-8 bytes that are part of the text or, unescaped, in the scratch. `start` is where the string is in the
// text, for the place of an error.
static PyObject *decode_utf8(reader *self, const char *text, size_t length, const char *start)
{
    PyObject *string = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, NULL);
    if (string == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        const char *at = start; // everything else about the string is known to be right
        size_t size;
        while (at < self->end && (size = pc_json_utf8(at, self->end)) != 0)
            at += size;
        return refuse(self, PC_JSON_NOT_UTF8, at);
    }
    return string;
}

static PyObject *read_escaped(reader *self)
{
    const char *start = self->at + 1;
    const char *after;
    int status;
    self->scratch.length = 0;
    pc_json_code code = pc_json_unescape(start, self->end, &self->scratch, &after, &status);
    if (status < 0)
        return PyErr_NoMemory();
    if (code != PC_JSON_FINE)
        return refuse(self, code, after);
    self->at = after;
    return decode_utf8(self, self->scratch.data, self->scratch.length, start);
}

// The string at self->at.
static inline PyObject *read_string(reader *self)
{
    const char *start = self->at + 1;
    bool ascii = true;
    const char *stop = pc_json_plain(start, self->end, &ascii);
    if (PC_UNLIKELY(stop == self->end || *stop != '"'))
        return read_escaped(self); // also finds what is wrong
    size_t length = (size_t)(stop - start);
    self->at = stop + 1;
    if (PC_UNLIKELY(!ascii))
        return decode_utf8(self, start, length, start);
    return codec_word_text(self->state->words, start, length);
}

static PyObject *read_big(const char *text, size_t length)
{
    char copy[PC_JSON_MAX_DIGITS + 2];
    assert(length < sizeof copy);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return PyLong_FromString(copy, NULL, 10);
}

static inline PyObject *read_number(reader *self)
{
    pc_json_scalar scalar;
    const char *start = self->at;
    int status = pc_json_read_number(start, self->end, &scalar, &self->code, &self->where);
    if (PC_UNLIKELY(status < 0))
        return status == -ENOMEM ? PyErr_NoMemory() : NULL;
    self->at = scalar.after;
    switch (scalar.kind) {
    case PC_JSON_REAL:
        return PyFloat_FromDouble(scalar.real);
    case PC_JSON_SMALL:
        return PyLong_FromLongLong(scalar.integer);
    case PC_JSON_BIG:
        break;
    }
    PyObject *big = read_big(start, (size_t)(scalar.after - start));
    if (big == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) { // the interpreter's own limit was lowered
        PyErr_Clear();
        return refuse(self, PC_JSON_DIGITS, start);
    }
    return big;
}

static PyObject *read_word(reader *self, const char *word, PyObject *value)
{
    for (; *word != '\0'; word++, self->at++) {
        if (*self->at != *word)
            return unexpected(self);
    }
    return Py_NewRef(value);
}

static PyObject *read_array(reader *self, int depth)
{
    codec_stack *stack = &self->stack;
    size_t base = stack->count;
    if (PC_UNLIKELY(depth == CODEC_MAX_DEPTH))
        return refuse(self, PC_JSON_DEPTH, self->at);
    self->at = pc_json_space(self->at + 1);
    if (*self->at == ']') {
        self->at++;
        return PyList_New(0);
    }
    for (;;) {
        bool number = *self->at >= '0' && *self->at <= '9'; // numbers come in rows
        PyObject *value = number ? read_number(self) : read_value(self, depth + 1);
        if (PC_UNLIKELY(value == NULL || codec_stack_push(stack, value) < 0))
            return NULL;
        self->at = pc_json_space(self->at);
        if (*self->at == ']')
            break;
        if (PC_UNLIKELY(*self->at != ','))
            return unexpected(self);
        self->at = pc_json_space(self->at + 1);
    }
    self->at++;
    return codec_stack_list(stack, base);
}

// One key, its colon and its value into the dict, which then has `count` entries.
static int read_member(reader *self, PyObject *dict, Py_ssize_t count, int depth)
{
    const char *start = self->at;
    if (PC_UNLIKELY(*start != '"')) {
        (void)unexpected(self);
        return -1;
    }
    PyObject *key = read_string(self);
    if (PC_UNLIKELY(key == NULL))
        return -1;
    PyObject *value = NULL;
    int status = -1;
    self->at = pc_json_space(self->at);
    if (PC_LIKELY(*self->at == ':')) {
        self->at = pc_json_space(self->at + 1);
        value = read_value(self, depth);
        if (PC_LIKELY(value != NULL))
            status = PyDict_SetItem(dict, key, value);
        if (PC_UNLIKELY(status == 0 && PyDict_GET_SIZE(dict) != count)) {
            (void)refuse(self, PC_JSON_DUPLICATE, start);
            status = -1;
        }
    } else {
        (void)unexpected(self);
    }
    Py_DECREF(key);
    Py_XDECREF(value);
    return status;
}

// The message that an object with the one key of messages stands for; it begins at `where`.
static PyObject *read_message(reader *self, PyObject *object, const char *where)
{
    PyObject *key, *fields, *values[MESSAGE_FIELDS];
    Py_ssize_t place = 0;
    PyObject *names = self->state->core->message_names;
    (void)PyDict_Next(object, &place, &key, &fields);
    bool right = PyDict_Check(fields) && PyDict_GET_SIZE(fields) == MESSAGE_FIELDS;
    for (Py_ssize_t i = 0; right && i < MESSAGE_FIELDS; i++) {
        values[i] = PyDict_GetItemWithError(fields, PyTuple_GET_ITEM(names, i));
        if (values[i] == NULL && PyErr_Occurred())
            return NULL;
    }
    PyObject *message = right ? codec_make_message(self->state, values) : NULL;
    if (message == NULL && !PyErr_Occurred()) {
        pc_json_error at = pc_json_locate(self->text, PC_JSON_UNEXPECTED, (size_t)(where - self->text));
        (void)codec_raise_decode(self->state, "an object with the key " CODEC_MESSAGE_KEY " is no message", at.offset,
                                 at.line, at.column);
    }
    return message;
}

static bool is_message(PyObject *object)
{
    PyObject *key, *value;
    Py_ssize_t place = 0;
    return PyDict_GET_SIZE(object) == 1 && PyDict_Next(object, &place, &key, &value) && codec_is_message_key(key);
}

static PyObject *read_object(reader *self, int depth)
{
    const char *start = self->at;
    if (PC_UNLIKELY(depth == CODEC_MAX_DEPTH))
        return refuse(self, PC_JSON_DEPTH, self->at);
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    self->at = pc_json_space(self->at + 1);
    if (*self->at == '}') {
        self->at++;
        return dict;
    }
    for (Py_ssize_t count = 1;; count++) {
        if (PC_UNLIKELY(read_member(self, dict, count, depth + 1) < 0))
            break;
        self->at = pc_json_space(self->at);
        if (*self->at == '}') {
            self->at++;
            if (PC_UNLIKELY(count == 1 && is_message(dict)))
                Py_SETREF(dict, read_message(self, dict, start));
            return dict;
        }
        if (PC_UNLIKELY(*self->at != ',')) {
            (void)unexpected(self);
            break;
        }
        self->at = pc_json_space(self->at + 1);
    }
    Py_DECREF(dict);
    return NULL;
}

static PyObject *read_value(reader *self, int depth)
{
    switch (*self->at) {
    case '"':
        return read_string(self);
    case '{':
        return read_object(self, depth);
    case '[':
        return read_array(self, depth);
    case 't':
        return read_word(self, "true", Py_True);
    case 'f':
        return read_word(self, "false", Py_False);
    case 'n':
        return read_word(self, "null", Py_None);
    case 'N':
    case 'I': {
        const char *word = *self->at == 'N' ? "NaN" : "Infinity";
        size_t length = strlen(word);
        if ((size_t)(self->end - self->at) >= length && memcmp(self->at, word, length) == 0)
            return refuse(self, PC_JSON_NOT_FINITE, self->at);
        return unexpected(self);
    }
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(self);
    default:
        return unexpected(self);
    }
}

static PyObject *read_text(reader *self)
{
    if (self->end - self->at >= 3 && memcmp(self->at, "\xEF\xBB\xBF", 3) == 0)
        return refuse(self, PC_JSON_MARK, self->at);
    self->at = pc_json_space(self->at);
    if (self->at == self->end)
        return refuse(self, PC_JSON_EMPTY, self->at);
    PyObject *value = read_value(self, 0);
    if (value == NULL)
        return NULL;
    self->at = pc_json_space(self->at);
    if (self->at != self->end) {
        Py_DECREF(value);
        return refuse(self, PC_JSON_TRAILING, self->at);
    }
    return value;
}

PyDoc_STRVAR(json_loads_doc, "json_loads($module, data, /)\n--\n\n"
                             "Read strict JSON from str, bytes or a buffer. Raises DecodeError, which says where.");

static PyObject *json_loads(PyObject *module, PyObject *data)
{
    codec_state *state = core_state_of_module(module)->codec;
    codec_input input;
    if (codec_input_init(state, &input, data, true) < 0)
        return NULL;
    reader self;
    self.text = self.at = input.text;
    self.end = input.text + input.length;
    self.state = state;
    self.code = PC_JSON_FINE;
    pc_out_init(&self.scratch, self.storage, sizeof self.storage);
    codec_stack_init(&self.stack);
    PyObject *value = read_text(&self);
    if (value == NULL && self.code != PC_JSON_FINE) {
        pc_json_error error = pc_json_locate(input.text, self.code, (size_t)(self.where - input.text));
        (void)codec_raise_json(state, &error);
    }
    codec_stack_clear(&self.stack);
    pc_out_clear(&self.scratch);
    codec_input_clear(&input);
    return value;
}

static PyMethodDef methods[] = {
    {"json_loads", json_loads, METH_O, json_loads_doc},
    {NULL, NULL, 0, NULL},
};

int json_loads_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
