// SPDX-License-Identifier: MIT
// summarize(): the statistics of one benchmark (judge/pc_stats.h) as a dict. Takes any one-dimensional C-contiguous
// buffer of doubles.
#include "ext.h"

#include "judge/doubles.h"
#include "judge/pc_stats.h"

// Below this many samples the call takes less than about 50 microseconds, and the GIL is kept.
enum { SHORT_LENGTH = 4096 };

typedef struct field {
    const char *name;
    size_t offset;
    bool is_count;
} field;

static const field fields[] = {
    {"rounds", offsetof(pc_stats, rounds), true},
    {"min", offsetof(pc_stats, min), false},
    {"max", offsetof(pc_stats, max), false},
    {"mean", offsetof(pc_stats, mean), false},
    {"stddev", offsetof(pc_stats, stddev), false},
    {"total", offsetof(pc_stats, total), false},
    {"median", offsetof(pc_stats, median), false},
    {"q1", offsetof(pc_stats, q1), false},
    {"q3", offsetof(pc_stats, q3), false},
    {"iqr", offsetof(pc_stats, iqr), false},
    {"iqr_outliers", offsetof(pc_stats, iqr_outliers), true},
    {"stddev_outliers", offsetof(pc_stats, stddev_outliers), true},
    {"ld15iqr", offsetof(pc_stats, ld15iqr), false},
    {"hd15iqr", offsetof(pc_stats, hd15iqr), false},
    {"ops", offsetof(pc_stats, ops), false},
    {"p50", offsetof(pc_stats, p50), false},
    {"p90", offsetof(pc_stats, p90), false},
    {"p95", offsetof(pc_stats, p95), false},
    {"p99", offsetof(pc_stats, p99), false},
    {"p999", offsetof(pc_stats, p999), false},
    {"mad", offsetof(pc_stats, mad), false},
    {"median_low", offsetof(pc_stats, median_low), false},
    {"median_high", offsetof(pc_stats, median_high), false},
    {"median_level", offsetof(pc_stats, median_level), false},
};

// `names` are the fields' names as str objects: made once, since making them anew takes longer than the rest.
static PyObject *stats_to_dict(const pc_stats *stats, PyObject *names)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *place = (const char *)stats + fields[i].offset;
        PyObject *value = fields[i].is_count ? PyLong_FromSize_t(*(const size_t *)(const void *)place)
                                             : PyFloat_FromDouble(*(const double *)(const void *)place);
        if (value == NULL || PyDict_SetItem(dict, PyTuple_GET_ITEM(names, (Py_ssize_t)i), value) < 0) {
            Py_XDECREF(value);
            Py_DECREF(dict);
            return NULL;
        }
        Py_DECREF(value);
    }
    return dict;
}

// Fill `held` with the samples. 0, or -1 with an exception and nothing to release.
static int get_samples(const core_state *state, PyObject *object, doubles *held)
{
    if (doubles_get(state, object, "samples", held) < 0)
        return -1;
    if (held->count > 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "there are no samples to summarize");
    doubles_release(held);
    return -1;
}

static void raise_status(int status, const doubles *held, double level)
{
    if (status == -EINVAL) {
        PyObject *value = PyFloat_FromDouble(level);
        if (value != NULL)
            PyErr_Format(PyExc_ValueError, "level must be between 0 and 1, not %R", value);
        Py_XDECREF(value);
    } else if (status == -EDOM) {
        size_t index = pc_stats_first_nonfinite(held->values, held->count);
        PyObject *value = PyFloat_FromDouble(held->values[index]);
        if (value != NULL)
            PyErr_Format(PyExc_ValueError, "samples must be finite, and number %zu is %R", index, value);
        Py_XDECREF(value);
    } else if (status == -EOVERFLOW) {
        PyErr_Format(PyExc_OverflowError, "%zu samples are more than can be summarized (4294967295)", held->count);
    } else {
        (void)core_raise_errno(status);
    }
}

PyDoc_STRVAR(summarize_doc, "summarize($module, samples, /, *, compensated_sum=None, legacy_hd15iqr=False,\n"
                            "          level=0.95)\n--\n\n"
                            "Return the statistics of samples, a buffer of doubles, as a dict.\n\n"
                            "The fields that pytest-benchmark has equal its own bit for bit.\n\n"
                            "compensated_sum: add the total as sum() does from Python 3.12 on; None: as here.\n"
                            "legacy_hd15iqr: hd15iqr is the first sample above the upper fence, as in\n"
                            "pytest-benchmark up to 5.3.0, not the last one within it.\n"
                            "level: of the confidence interval of the median.\n\n"
                            "Raises ValueError when there are no samples, or one of them is not finite.");

static PyObject *summarize(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "compensated_sum", "legacy_hd15iqr", "level", NULL};
    PyObject *object;
    PyObject *compensation = Py_None;
    int compensated_sum = PY_VERSION_HEX >= 0x030c0000, legacy_hd15iqr = 0;
    double level = 0.95;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$Opd:summarize", names, &object, &compensation, &legacy_hd15iqr,
                                     &level))
        return NULL;
    if (compensation != Py_None && (compensated_sum = PyObject_IsTrue(compensation)) < 0)
        return NULL;
    core_state *state = core_state_of_module(module);
    doubles held;
    if (get_samples(state, object, &held) < 0)
        return NULL;
    const pc_stats_options options = {
        .compensated_sum = compensated_sum, .legacy_hd15iqr = legacy_hd15iqr, .level = level};
    pc_stats stats;
    int status;
    if (held.count < SHORT_LENGTH) {
        status = pc_stats_summarize(held.values, held.count, &options, &stats);
    } else {
        Py_BEGIN_ALLOW_THREADS
        status = pc_stats_summarize(held.values, held.count, &options, &stats);
        Py_END_ALLOW_THREADS
    }
    PyObject *result = NULL;
    if (status == 0)
        result = stats_to_dict(&stats, state->stats_names);
    else
        raise_status(status, &held, level);
    doubles_release(&held);
    return result;
}

static PyMethodDef stats_functions[] = {
    {"summarize", (PyCFunction)(void (*)(void))summarize, METH_VARARGS | METH_KEYWORDS, summarize_doc},
    {NULL, NULL, 0, NULL},
};

int stats_setup(PyObject *module)
{
    const Py_ssize_t count = sizeof fields / sizeof *fields;
    PyObject *names = PyTuple_New(count);
    if (names == NULL)
        return -1;
    core_state_of_module(module)->stats_names = names; // the state owns this reference
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyUnicode_InternFromString(fields[i].name);
        if (name == NULL)
            return -1;
        PyTuple_SET_ITEM(names, i, name);
    }
    return PyModule_AddFunctions(module, stats_functions);
}
