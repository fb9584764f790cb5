// SPDX-License-Identifier: MIT
// Decisions over pairs of processes (judge/pc_pairs.h) for Python: pair_effect, judge_pairs, significance_cutoff. All
// take sequences of floats; the counts are small.
#include "ext.h"

#include "judge/pc_pairs.h"

// Copy a sequence of floats into a new array of PyMem, of one element at least. NULL with an exception.
static double *get_floats(PyObject *object, const char *what, size_t *count)
{
    PyObject *sequence = PySequence_Fast(object, what);
    if (sequence == NULL)
        return NULL;
    Py_ssize_t length = PySequence_Fast_GET_SIZE(sequence);
    double *values = PyMem_New(double, length > 0 ? (size_t)length : 1);
    if (values == NULL) {
        Py_DECREF(sequence);
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < length; i++) {
        // A __float__ may change the list meanwhile.
        if (i >= PySequence_Fast_GET_SIZE(sequence)) {
            PyErr_Format(PyExc_RuntimeError, "%s, and one that does not change", what);
            goto error;
        }
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, i));
        values[i] = PyFloat_AsDouble(item);
        Py_DECREF(item);
        if (values[i] == -1.0 && PyErr_Occurred())
            goto error;
    }
    Py_DECREF(sequence);
    *count = (size_t)length;
    return values;

error:
    Py_DECREF(sequence);
    PyMem_Free(values);
    return NULL;
}

PyDoc_STRVAR(pair_effect_doc, "pair_effect($module, base, head, /)\n--\n\n"
                              "Return the median of ln(head / base) over pairs of neighbouring blocks of one pair of\n"
                              "processes; base and head are sequences of times, equally long.\n\n"
                              "Raises ValueError without blocks, with more than 64, and for a time not above 0.");

static PyObject *pair_effect(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *base_object;
    PyObject *head_object;
    if (!PyArg_ParseTuple(args, "OO:pair_effect", &base_object, &head_object))
        return NULL;
    PyObject *result = NULL;
    double *head = NULL;
    size_t base_count, head_count;
    double *base = get_floats(base_object, "base must be a sequence of floats", &base_count);
    if (base == NULL)
        return NULL;
    head = get_floats(head_object, "head must be a sequence of floats", &head_count);
    if (head == NULL)
        goto done;
    if (base_count != head_count) {
        PyErr_Format(PyExc_ValueError, "base has %zu blocks and head %zu; they come in pairs", base_count, head_count);
        goto done;
    }
    double effect;
    int status = pc_pairs_effect(base, head, base_count, &effect);
    if (status == -EDOM)
        PyErr_SetString(PyExc_ValueError, "the time of a block must be finite and above 0");
    else if (status < 0)
        PyErr_Format(PyExc_ValueError, "a pair has 1 to %d blocks on each side, not %zu", PC_PAIRS_BLOCKS, base_count);
    else
        result = PyFloat_FromDouble(effect);
done:
    PyMem_Free(base);
    PyMem_Free(head);
    return result;
}

PyDoc_STRVAR(judge_pairs_doc,
             "judge_pairs($module, effects, threshold, alpha, exceeds, /)\n--\n\n"
             "Judge the effects, ln(head / base), of 1 to 64 pairs of processes; the rule is in pc_pairs.h.\n\n"
             "threshold is relative (0.05 is 5 %); alpha is the chance that one side of the interval ever misses.\n"
             "Returns (status, estimate, low, high, p_value), all of them logarithms; the interval is infinite before\n"
             "the fourth pair. Raises ValueError for values out of range.");

static PyObject *judge_pairs(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *object;
    int exceeds;
    pc_pairs_rule rule;
    if (!PyArg_ParseTuple(args, "Oddp:judge_pairs", &object, &rule.threshold, &rule.alpha, &exceeds))
        return NULL;
    rule.mode = exceeds ? PC_PAIRS_EXCEEDS : PC_PAIRS_DETECT;
    size_t count;
    double *effects = get_floats(object, "effects must be a sequence of floats", &count);
    if (effects == NULL)
        return NULL;
    pc_pairs_verdict verdict;
    int status = pc_pairs_judge(effects, count, &rule, &verdict);
    PyMem_Free(effects);
    if (status == -EDOM)
        return PyErr_Format(PyExc_ValueError, "an effect is not finite");
    if (status < 0)
        return PyErr_Format(PyExc_ValueError,
                            "judging takes 1 to %d effects, a threshold above 0 and an alpha between 0 and 0.5",
                            PC_PAIRS_MOST);
    return Py_BuildValue("(sdddd)", pc_pairs_name(verdict.status), verdict.estimate, verdict.low, verdict.high,
                         verdict.p_value);
}

PyDoc_STRVAR(
    significance_cutoff_doc,
    "significance_cutoff($module, p_values, rate, /)\n--\n\n"
    "Return the largest p-value that is significant at this false discovery rate (Benjamini and Hochberg), or\n"
    "-1.0 when none is. Raises ValueError unless 0 < rate < 1 and every p-value is from 0 to 1.");

static PyObject *significance_cutoff(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *object;
    double rate;
    if (!PyArg_ParseTuple(args, "Od:significance_cutoff", &object, &rate))
        return NULL;
    size_t count;
    double *p_values = get_floats(object, "p_values must be a sequence of floats", &count);
    if (p_values == NULL)
        return NULL;
    double cutoff;
    int status = pc_pairs_cutoff(p_values, count, rate, &cutoff);
    PyMem_Free(p_values);
    if (status < 0)
        return PyErr_Format(PyExc_ValueError,
                            status == -EDOM ? "a p-value is not from 0 to 1" : "the rate must be between 0 and 1");
    return PyFloat_FromDouble(cutoff);
}

static PyMethodDef pairs_functions[] = {
    {"pair_effect", pair_effect, METH_VARARGS, pair_effect_doc},
    {"judge_pairs", judge_pairs, METH_VARARGS, judge_pairs_doc},
    {"significance_cutoff", significance_cutoff, METH_VARARGS, significance_cutoff_doc},
    {NULL, NULL, 0, NULL},
};

int pairs_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, pairs_functions);
}
