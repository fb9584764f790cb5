// SPDX-License-Identifier: MIT
// MessageHistory.query(): from names to chains, and the look-up (see history.h). Nothing that could run code of others
// lies between the first chain that is looked up and the last item that is found.
#include "workload/history.h"

#include "base/pc_alloc.h"
#include "workload/arguments.h"
#include "workload/pc_trie.h"

static bool given(PyObject *value)
{
    return value != NULL && value != Py_None;
}

static int parse_time(PyObject *value, const char *name, int64_t otherwise, int64_t *time_ns)
{
    *time_ns = otherwise;
    if (!given(value))
        return 0;
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s is an int of nanoseconds since 1970, as time.time_ns() gives, not %.100s",
                     name, Py_TYPE(value)->tp_name);
        return -1;
    }
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    *time_ns = overflow == 0 ? number : overflow > 0 ? INT64_MAX : INT64_MIN;
    return 0;
}

// The chain of a name in a role. 1, or 0 when no message has it, or -1 with an exception.
static int look_up(history_object *self, int role, PyObject *value, const char *what, uint32_t *chain)
{
    PyObject *name = arguments_text(value, what);
    if (name == NULL)
        return -1;
    int status = history_find_chain(self, role, name, chain);
    Py_DECREF(name);
    return status < 0 ? -1 : *chain != PC_HISTORY_NONE;
}

// Whether a topic has a UTF-8. One with a lone surrogate has none, and is matched by no filter. Asked first, because an
// exception could collect garbage, whose end may change the history under the look-up.
static bool encodable(PyObject *topic)
{
    if (PyUnicode_MAX_CHAR_VALUE(topic) < 0xD800)
        return true;
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(topic); i++) {
        Py_UCS4 point = PyUnicode_READ_CHAR(topic, i);
        if (point >= 0xD800 && point < 0xE000)
            return false;
    }
    return true;
}

// Bits of the topics' chains that a filter matches: a block for pc_free. 0, or -1 with an exception.
static int match_topics(history_object *self, PyObject *filter, uint64_t **bits)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(filter, &length);
    if (text == NULL)
        return -1;
    if (pc_trie_check_filter(text, (size_t)length) < 0) {
        PyErr_Format(PyExc_ValueError, "%R is no topic filter: '+' and '#' must fill a level, '#' the last one",
                     filter);
        return -1;
    }
    *bits = pc_alloc_zero(self->history.chains[PC_HISTORY_TOPIC].count / 64 + 1, sizeof **bits);
    if (*bits == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *topic, *number;
    Py_ssize_t place = 0;
    while (PyDict_Next(self->names[PC_HISTORY_TOPIC], &place, &topic, &number)) {
        Py_ssize_t size;
        if (!encodable(topic))
            continue;
        const char *name = PyUnicode_AsUTF8AndSize(topic, &size);
        if (name == NULL)
            return -1;
        if (pc_trie_matches(text, (size_t)length, name, (size_t)size)) {
            unsigned long chain = PyLong_AsUnsignedLong(number);
            (*bits)[chain / 64] |= UINT64_C(1) << chain % 64;
        }
    }
    return 0;
}

static int look_up_topic(history_object *self, PyObject *value, pc_history_query *query, uint64_t **bits)
{
    PyObject *name = arguments_text(value, "topic");
    if (name == NULL)
        return -1;
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    bool wild = PyUnicode_FindChar(name, '+', 0, length, 1) >= 0 || PyUnicode_FindChar(name, '#', 0, length, 1) >= 0;
    int found = 1;
    // A topic may hold what a filter may not, as "c#" does: then it is that topic, where there is one.
    Py_ssize_t bytes;
    const char *text = wild ? PyUnicode_AsUTF8AndSize(name, &bytes) : NULL;
    if (wild && text == NULL) {
        Py_DECREF(name);
        return -1;
    }
    if (wild && pc_trie_check_filter(text, (size_t)bytes) < 0) {
        found = look_up(self, PC_HISTORY_TOPIC, name, "topic", &query->chain[PC_HISTORY_TOPIC]);
        wild = found == 0;
    }
    if (wild)
        found = match_topics(self, name, bits) < 0 ? -1 : 1;
    else
        found = look_up(self, PC_HISTORY_TOPIC, name, "topic", &query->chain[PC_HISTORY_TOPIC]);
    query->topics = *bits;
    Py_DECREF(name);
    return found;
}

// The messages of a block of borrowed ones, which is freed, as a list. NULL with MemoryError.
static PyObject *make_list(void **items, size_t count)
{
    // References first: making a list may collect garbage, whose end may change the history.
    for (size_t i = 0; i < count; i++)
        Py_INCREF((PyObject *)items[i]);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; i < count; i++) {
        if (list != NULL)
            PyList_SET_ITEM(list, (Py_ssize_t)i, (PyObject *)items[i]);
        else
            Py_DECREF((PyObject *)items[i]);
    }
    pc_free(items);
    return list;
}

const char history_query_doc[] =
    "query($self, /, *, agent=None, sender=None, recipient=None, topic=None, since=None,\n"
    "      until=None, limit=None)\n--\n\n"
    "Return the messages that have all that is asked for, as a list from the oldest to the newest.\n\n"
    "agent: it is the sender or the recipient. topic: this one, or those that a filter matches\n"
    "('+' one level, '#' all that follow). since <= timestamp < until, in nanoseconds since 1970.\n"
    "limit: the newest so many of them.";

PyObject *history_query(history_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const names[] = {"agent", "sender", "recipient", "topic", "since", "until", "limit", NULL};
    static const arguments_spec spec = {"query", names, 0, 0};
    PyObject *values[7];
    pc_history_query query = {.chain = {PC_HISTORY_NONE, PC_HISTORY_NONE, PC_HISTORY_NONE}};
    int64_t until_ns;
    if (arguments_parse(&spec, args, nargs, kwnames, values) < 0 ||
        parse_time(values[4], "since", INT64_MIN, &query.from_ns) < 0 ||
        parse_time(values[5], "until", INT64_MAX, &until_ns) < 0 ||
        arguments_size(values[6], "limit", &query.limit) < 0)
        return NULL;
    int found = 1; // 0: nothing can match
    query.last_ns = INT64_MAX;
    if (given(values[5])) {
        found = until_ns > INT64_MIN;
        query.last_ns = until_ns - found;
    }
    // What is wrong is said also where nothing can match.
    uint64_t *bits = NULL;
    for (int role = 0; role < 2 && found >= 0; role++) {
        if (given(values[1 + role])) {
            int one = look_up(self, role, values[1 + role], names[1 + role], &query.chain[role]);
            found = one < 0 ? -1 : found & one;
        }
    }
    if (found >= 0 && given(values[0])) {
        int sent = look_up(self, PC_HISTORY_SENDER, values[0], "agent", &query.either[0]);
        int got = sent < 0 ? -1 : look_up(self, PC_HISTORY_RECIPIENT, values[0], "agent", &query.either[1]);
        query.of_agent = true;
        found = got < 0 ? -1 : found & (sent | got);
    }
    if (found >= 0 && given(values[3])) {
        int one = look_up_topic(self, values[3], &query, &bits);
        found = one < 0 ? -1 : found & one;
    }
    void **items = NULL;
    size_t count = 0;
    int status = found == 1 ? pc_history_select(&self->history, &query, &items, &count) : 0;
    pc_free(bits);
    if (found < 0)
        return NULL;
    return status < 0 ? core_raise_errno(status) : make_list(items, count);
}
