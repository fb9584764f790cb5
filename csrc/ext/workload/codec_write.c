// SPDX-License-Identifier: MIT
// What the codecs' writers share: the text that grows, what was refused and where it lies, the walk over containers
// (see codec.h).
#include "workload/codec.h"

#include <stdarg.h>

void codec_writer_init(codec_writer *writer, codec_state *state)
{
    pc_out_init(&writer->out, writer->storage, sizeof writer->storage);
    writer->state = state;
    writer->reason = NULL;
    writer->path = NULL;
}

static void raise_encode(codec_writer *writer)
{
    PyObject *type = codec_import(&writer->state->encode_error, "perfcore.errors", "EncodeError");
    if (type == NULL)
        return;
    if (writer->path != NULL)
        PyErr_Format(type, "%U, at %U", writer->reason, writer->path);
    else
        PyErr_SetObject(type, writer->reason);
}

PyObject *codec_writer_finish(codec_writer *writer, int status)
{
    PyObject *result = NULL;
    if (status == 0)
        result = PyBytes_FromStringAndSize(writer->out.data, (Py_ssize_t)writer->out.length);
    else if (writer->reason != NULL)
        raise_encode(writer);
    Py_CLEAR(writer->reason);
    Py_CLEAR(writer->path);
    pc_out_clear(&writer->out);
    return result;
}

int codec_refuse(codec_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Py_XSETREF(writer->reason, PyUnicode_FromFormatV(format, arguments));
    va_end(arguments);
    return -1;
}

// Put `step` (stolen, may be NULL with an exception) before the path.
static int prepend(codec_writer *writer, PyObject *step)
{
    if (step != NULL && writer->path != NULL) {
        PyObject *joined = PyUnicode_Concat(step, writer->path);
        Py_SETREF(step, joined);
    }
    if (step == NULL)
        Py_CLEAR(writer->reason); // the exception that is set counts
    else
        Py_XSETREF(writer->path, step);
    return -1;
}

int codec_at_index(codec_writer *writer, Py_ssize_t index)
{
    return writer->reason != NULL ? prepend(writer, PyUnicode_FromFormat("[%zd]", index)) : -1;
}

int codec_at_key(codec_writer *writer, PyObject *key)
{
    // Exact types alone: no code of the user's is run for an error's text.
    if (writer->reason == NULL)
        return -1;
    PyObject *text = NULL;
    if (PyUnicode_CheckExact(key) || PyLong_CheckExact(key) || PyBytes_CheckExact(key))
        text = PyUnicode_FromFormat("[%.80R]", key);
    if (text == NULL && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear(); // an int of more digits than the interpreter writes
    if (text != NULL || PyErr_Occurred())
        return prepend(writer, text);
    return prepend(writer, PyUnicode_FromFormat("[key of type %.80s]", Py_TYPE(key)->tp_name));
}

int codec_at_field(codec_writer *writer, const char *name)
{
    return writer->reason != NULL ? prepend(writer, PyUnicode_FromFormat(".%s", name)) : -1;
}

int codec_utf8_any(codec_writer *writer, PyObject *text, const char **utf8, size_t *length)
{
    Py_ssize_t size;
    *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (*utf8 == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return -1;
        PyErr_Clear();
        return codec_refuse(writer, "a string with a lone surrogate, which UTF-8 does not have");
    }
    *length = (size_t)size;
    return 0;
}

int codec_refuse_type(codec_writer *writer, const char *codec, PyObject *value)
{
    return codec_refuse(writer, "%s has no type for %.100s; convert it first", codec, Py_TYPE(value)->tp_name);
}

int codec_refuse_depth(codec_writer *writer, int limit)
{
    return codec_refuse(writer, "nested more than %d levels deep (does it contain itself?)", limit);
}

int codec_raise_changed(void)
{
    PyErr_SetString(PyExc_RuntimeError, "a dict changed while it was encoded");
    return -1;
}

int codec_pair(PyObject *items, Py_ssize_t index, PyObject **key, PyObject **value)
{
    PyObject *pair = PyList_GET_ITEM(items, index);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "items() must give pairs");
        return -1;
    }
    *key = PyTuple_GET_ITEM(pair, 0);
    *value = PyTuple_GET_ITEM(pair, 1);
    return 0;
}

// --- messages ---

bool codec_is_message_key(PyObject *key)
{
    return PyUnicode_Check(key) && PyUnicode_GET_LENGTH(key) == sizeof CODEC_MESSAGE_KEY - 1 &&
           PyUnicode_CompareWithASCIIString(key, CODEC_MESSAGE_KEY) == 0;
}

int codec_refuse_message_key(codec_writer *writer)
{
    return codec_refuse(writer, "a dict whose one key is '" CODEC_MESSAGE_KEY "' would come back as a Message");
}
