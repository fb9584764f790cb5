// SPDX-License-Identifier: MIT
// Rank tests, Hodges-Lehmann estimates, bootstrap, and the distributions behind them, for Python. Results are tuples;
// perfcore/judge/rank.py names their fields and documents them.
#include "ext.h"

#include <math.h>

#include "judge/doubles.h"
#include "judge/pc_bootstrap.h"
#include "judge/pc_rank_test.h"
#include "judge/pc_robust.h"
#include "judge/pc_shift.h"
#include "judge/pc_special.h"

static PyObject *raise_status(int status)
{
    if (status == -ERANGE)
        PyErr_SetString(PyExc_ValueError, "method 'exact' needs fewer values, without ties for rank_sum; use 'auto'");
    else if (status == -EINVAL)
        PyErr_SetString(PyExc_ValueError, "all differences are zero; there is nothing to rank");
    else if (status == -EOVERFLOW)
        PyErr_SetString(PyExc_OverflowError, "there are too many values; give fewer than 2147483648");
    else if (status == -EDOM)
        PyErr_SetString(PyExc_ValueError, "a ratio needs positive values: the base's middle or that of a resample is "
                                          "zero or negative");
    else
        return core_raise_errno(status);
    return NULL;
}

static int level_converter(PyObject *object, void *result)
{
    const double level = PyFloat_AsDouble(object);
    if (level == -1.0 && PyErr_Occurred())
        return 0;
    if (!(level > 0.0 && level < 1.0)) {
        PyErr_Format(PyExc_ValueError, "level must be between 0 and 1, not %R", object);
        return 0;
    }
    *(double *)result = level;
    return 1;
}

static int method_converter(PyObject *object, void *result)
{
    static const char *const names[] = {
        [PC_RANK_AUTO] = "auto", [PC_RANK_EXACT] = "exact", [PC_RANK_NORMAL] = "normal"};
    for (size_t i = 0; PyUnicode_Check(object) && i < sizeof names / sizeof *names; i++) {
        if (PyUnicode_CompareWithASCIIString(object, names[i]) == 0) {
            *(pc_rank_method *)result = (pc_rank_method)i;
            return 1;
        }
    }
    PyErr_Format(PyExc_ValueError, "method must be 'auto', 'exact' or 'normal', not %R", object);
    return 0;
}

static PyObject *test_to_tuple(int status, const pc_rank_test *test)
{
    if (status < 0)
        return raise_status(status);
    return Py_BuildValue("(dddddn)", test->statistic, test->less, test->greater, test->two_sided, test->z,
                         (Py_ssize_t)test->count);
}

// Two samples as arguments: both, or -1 with an exception and nothing to release.
static int get_two(PyObject *module, PyObject *objects[2], const char *const names[2], doubles held[2])
{
    const core_state *state = core_state_of_module(module);
    if (doubles_get_finite(state, objects[0], names[0], &held[0]) < 0)
        return -1;
    if (doubles_get_finite(state, objects[1], names[1], &held[1]) == 0)
        return 0;
    doubles_release(&held[0]);
    return -1;
}

static void release_two(const doubles held[2])
{
    doubles_release(&held[0]);
    doubles_release(&held[1]);
}

static const char *const x_and_y[2] = {"x", "y"};

PyDoc_STRVAR(rank_sum_doc, "rank_sum($module, x, y, method, /)\n--\n\n"
                           "Compare two samples: (U, p less, p greater, p two-sided, z, count).");

static PyObject *rank_sum(PyObject *module, PyObject *args)
{
    PyObject *objects[2];
    pc_rank_method method;
    if (!PyArg_ParseTuple(args, "OOO&:rank_sum", &objects[0], &objects[1], method_converter, &method))
        return NULL;
    doubles held[2];
    if (get_two(module, objects, x_and_y, held) < 0)
        return NULL;
    pc_rank_test test;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_rank_sum(held[0].values, held[0].count, held[1].values, held[1].count, method, &test);
    Py_END_ALLOW_THREADS
    release_two(held);
    return test_to_tuple(status, &test);
}

PyDoc_STRVAR(signed_rank_doc, "signed_rank($module, differences, method, /)\n--\n\n"
                              "Test symmetry about zero: (W, p less, p greater, p two-sided, z, count).");

static PyObject *signed_rank(PyObject *module, PyObject *args)
{
    PyObject *object;
    pc_rank_method method;
    doubles held;
    if (!PyArg_ParseTuple(args, "OO&:signed_rank", &object, method_converter, &method) ||
        doubles_get_finite(core_state_of_module(module), object, "differences", &held) < 0)
        return NULL;
    pc_rank_test test;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_signed_rank(held.values, held.count, method, &test);
    Py_END_ALLOW_THREADS
    doubles_release(&held);
    return test_to_tuple(status, &test);
}

static PyObject *shift_to_tuple(int status, const pc_shift *shift)
{
    if (status < 0)
        return raise_status(status);
    return Py_BuildValue("(dddd)", shift->estimate, shift->low, shift->high, shift->level);
}

PyDoc_STRVAR(shift_two_sample_doc, "shift_two_sample($module, x, y, level, /)\n--\n\n"
                                   "Hodges-Lehmann shift from y to x: (estimate, low, high, level).");

static PyObject *shift_two_sample(PyObject *module, PyObject *args)
{
    PyObject *objects[2];
    double level;
    doubles held[2];
    if (!PyArg_ParseTuple(args, "OOO&:shift_two_sample", &objects[0], &objects[1], level_converter, &level) ||
        get_two(module, objects, x_and_y, held) < 0)
        return NULL;
    pc_shift shift;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_shift_two_sample(held[0].values, held[0].count, held[1].values, held[1].count, level, &shift);
    Py_END_ALLOW_THREADS
    release_two(held);
    return shift_to_tuple(status, &shift);
}

PyDoc_STRVAR(shift_one_sample_doc, "shift_one_sample($module, x, level, /)\n--\n\n"
                                   "Hodges-Lehmann center of x: (estimate, low, high, level).");

static PyObject *shift_one_sample(PyObject *module, PyObject *args)
{
    PyObject *object;
    double level;
    doubles held;
    if (!PyArg_ParseTuple(args, "OO&:shift_one_sample", &object, level_converter, &level) ||
        doubles_get_finite(core_state_of_module(module), object, "x", &held) < 0)
        return NULL;
    pc_shift shift;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_shift_one_sample(held.values, held.count, level, &shift);
    Py_END_ALLOW_THREADS
    doubles_release(&held);
    return shift_to_tuple(status, &shift);
}

PyDoc_STRVAR(median_mad_doc, "median_mad($module, values, /)\n--\n\n"
                             "The median and the median distance from it: (median, mad).");

static PyObject *median_mad(PyObject *module, PyObject *object)
{
    doubles held;
    if (doubles_get_finite(core_state_of_module(module), object, "values", &held) < 0)
        return NULL;
    double median, mad;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_robust_mad(held.values, held.count, &median, &mad);
    Py_END_ALLOW_THREADS
    doubles_release(&held);
    return status < 0 ? raise_status(status) : Py_BuildValue("(dd)", median, mad);
}

PyDoc_STRVAR(autocorrelation_doc, "autocorrelation($module, values, lag, /)\n--\n\n"
                                  "The autocorrelation of a series at a lag; NaN for a constant one.");

static PyObject *autocorrelation(PyObject *module, PyObject *args)
{
    PyObject *object;
    Py_ssize_t lag;
    doubles held;
    if (!PyArg_ParseTuple(args, "On:autocorrelation", &object, &lag) ||
        doubles_get_finite(core_state_of_module(module), object, "values", &held) < 0)
        return NULL;
    const size_t count = held.count;
    double value = 0.0;
    const bool possible = lag >= 0 && (size_t)lag < count;
    if (possible) {
        Py_BEGIN_ALLOW_THREADS
        value = pc_robust_autocorrelation(held.values, count, (size_t)lag);
        Py_END_ALLOW_THREADS
    }
    doubles_release(&held);
    if (!possible)
        return PyErr_Format(PyExc_ValueError, "lag must be from 0 to %zu for %zu values, not %zd", count - 1, count,
                            lag);
    return PyFloat_FromDouble(value);
}

PyDoc_STRVAR(adjust_pvalues_doc, "adjust_pvalues($module, pvalues, /)\n--\n\n"
                                 "Benjamini and Hochberg's adjusted p-values, as a list.");

static PyObject *adjust_pvalues(PyObject *module, PyObject *object)
{
    doubles held;
    if (doubles_get_finite(core_state_of_module(module), object, "pvalues", &held) < 0)
        return NULL;
    const double *pvalues = held.values;
    const size_t count = held.count;
    double *adjusted = NULL;
    PyObject *list = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!(pvalues[i] >= 0.0 && pvalues[i] <= 1.0)) {
            PyErr_Format(PyExc_ValueError, "pvalues must be between 0 and 1, and number %zu is not", i);
            goto done;
        }
    }
    adjusted = PyMem_New(double, count);
    if (adjusted == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    const int status = pc_robust_adjust(pvalues, count, adjusted);
    if (status < 0) {
        raise_status(status);
        goto done;
    }
    list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *value = PyFloat_FromDouble(adjusted[i]);
        if (value == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, value);
    }
done:
    PyMem_Free(adjusted);
    doubles_release(&held);
    return list;
}

PyDoc_STRVAR(bootstrap_ratio_doc, "bootstrap_ratio($module, base, head, /, *, mean=False, bca=True, resamples=9999,\n"
                                  "                level=0.95, seed=0)\n--\n\n"
                                  "Bootstrap interval of the ratio of medians (or means) of head to base:\n"
                                  "(ratio, low, high, standard error).");

static PyObject *bootstrap_ratio(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "", "mean", "bca", "resamples", "level", "seed", NULL};
    static const char *const base_and_head[2] = {"base", "head"};
    PyObject *objects[2];
    int mean = 0, bca = 1, resamples = 9999;
    pc_bootstrap_options options = {.level = 0.95};
    unsigned long long seed = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|$ppiO&K:bootstrap_ratio", names, &objects[0], &objects[1], &mean,
                                     &bca, &resamples, level_converter, &options.level, &seed))
        return NULL;
    if (resamples < 100)
        return PyErr_Format(PyExc_ValueError, "resamples must be at least 100, not %d", resamples);
    options.mean = mean;
    options.bca = bca;
    options.resamples = (uint32_t)resamples;
    options.seed = seed;
    doubles held[2];
    if (get_two(module, objects, base_and_head, held) < 0)
        return NULL;
    pc_bootstrap found;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pc_bootstrap_ratio(held[0].values, held[0].count, held[1].values, held[1].count, &options, &found);
    Py_END_ALLOW_THREADS
    release_two(held);
    if (status < 0)
        return raise_status(status);
    return Py_BuildValue("(dddd)", found.ratio, found.low, found.high, found.standard_error);
}

static PyObject *one_argument(PyObject *object, double (*function)(double))
{
    const double x = PyFloat_AsDouble(object);
    if (x == -1.0 && PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(function(x));
}

static PyObject *two_arguments(PyObject *args, double (*function)(double, double))
{
    double x, df;
    if (!PyArg_ParseTuple(args, "dd", &x, &df))
        return NULL;
    if (!(df > 0.0)) {
        PyErr_SetString(PyExc_ValueError, "df, the degrees of freedom, must be positive");
        return NULL;
    }
    return PyFloat_FromDouble(function(x, df));
}

PyDoc_STRVAR(normal_cdf_doc, "normal_cdf($module, x, /)\n--\n\nP(Z <= x) for a standard normal Z.");

static PyObject *normal_cdf(PyObject *Py_UNUSED(module), PyObject *x)
{
    return one_argument(x, pc_normal_cdf);
}

PyDoc_STRVAR(normal_quantile_doc, "normal_quantile($module, p, /)\n--\n\n"
                                  "x with P(Z <= x) = p for a standard normal Z; NaN for p outside [0, 1].");

static PyObject *normal_quantile(PyObject *Py_UNUSED(module), PyObject *p)
{
    return one_argument(p, pc_normal_quantile);
}

PyDoc_STRVAR(student_cdf_doc, "student_cdf($module, t, df, /)\n--\n\nP(T <= t) for Student's T.");

static PyObject *student_cdf(PyObject *Py_UNUSED(module), PyObject *args)
{
    return two_arguments(args, pc_student_cdf);
}

PyDoc_STRVAR(student_quantile_doc, "student_quantile($module, p, df, /)\n--\n\n"
                                   "t with P(T <= t) = p for Student's T; NaN for p outside [0, 1].");

static PyObject *student_quantile(PyObject *Py_UNUSED(module), PyObject *args)
{
    return two_arguments(args, pc_student_quantile);
}

static PyMethodDef rank_methods[] = {
    {"rank_sum", rank_sum, METH_VARARGS, rank_sum_doc},
    {"signed_rank", signed_rank, METH_VARARGS, signed_rank_doc},
    {"shift_two_sample", shift_two_sample, METH_VARARGS, shift_two_sample_doc},
    {"shift_one_sample", shift_one_sample, METH_VARARGS, shift_one_sample_doc},
    {"median_mad", median_mad, METH_O, median_mad_doc},
    {"autocorrelation", autocorrelation, METH_VARARGS, autocorrelation_doc},
    {"adjust_pvalues", adjust_pvalues, METH_O, adjust_pvalues_doc},
    {"bootstrap_ratio", (PyCFunction)(void (*)(void))bootstrap_ratio, METH_VARARGS | METH_KEYWORDS,
     bootstrap_ratio_doc},
    {"normal_cdf", normal_cdf, METH_O, normal_cdf_doc},
    {"normal_quantile", normal_quantile, METH_O, normal_quantile_doc},
    {"student_cdf", student_cdf, METH_VARARGS, student_cdf_doc},
    {"student_quantile", student_quantile, METH_VARARGS, student_quantile_doc},
    {NULL, NULL, 0, NULL},
};

int rank_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, rank_methods);
}
