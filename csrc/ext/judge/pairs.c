// SPDX-License-Identifier: MIT
// Decisions over pairs of processes (judge/pc_pairs.h) for Python: pair_effect and judge_pairs, on buffers of doubles.
// The counts are small, so the GIL is kept.
#include "ext.h"

#include "judge/doubles.h"
#include "judge/pc_pairs.h"

PyDoc_STRVAR(pair_effect_doc, "pair_effect($module, base, head, /)\n--\n\n"
                              "Return the median of ln(head / base) over pairs of neighbouring blocks of one pair of\n"
                              "processes; base and head are times, as many of one as of the other.\n\n"
                              "Raises ValueError without blocks and for a time that is not above 0.");

static PyObject *pair_effect(PyObject *module, PyObject *args)
{
    PyObject *base_object, *head_object;
    const core_state *state = core_state_of_module(module);
    doubles base, head;
    if (!PyArg_ParseTuple(args, "OO:pair_effect", &base_object, &head_object) ||
        doubles_get_finite(state, base_object, "base", &base) < 0)
        return NULL;
    if (doubles_get_finite(state, head_object, "head", &head) < 0) {
        doubles_release(&base);
        return NULL;
    }
    const size_t blocks = base.count, head_blocks = head.count;
    double effect;
    const int status = blocks == head_blocks ? pc_pairs_effect(base.values, head.values, blocks, &effect) : -EINVAL;
    doubles_release(&base);
    doubles_release(&head);
    if (status == -EINVAL)
        return PyErr_Format(PyExc_ValueError, "base has %zu blocks and head %zu; they come in pairs", blocks,
                            head_blocks);
    if (status == -EDOM)
        return PyErr_Format(PyExc_ValueError, "the time of a block must be above 0");
    return status < 0 ? core_raise_errno(status) : PyFloat_FromDouble(effect);
}

PyDoc_STRVAR(
    judge_pairs_doc,
    "judge_pairs($module, effects, threshold, alpha, exceeds, looks, /)\n--\n\n"
    "Judge the effects, ln(head / base), of pairs of processes; the rule is in pc_pairs.h.\n\n"
    "threshold is relative (0.05 is 5 %); alpha is the chance that one side of the interval ever misses, over\n"
    "all looks, of which there are at most so many, the first after the fourth pair.\n"
    "Returns (status, estimate, low, high, p_value), all of them logarithms; the interval is infinite before\n"
    "the fourth pair. Raises ValueError for values out of range.");

static PyObject *judge_pairs(PyObject *module, PyObject *args)
{
    PyObject *object;
    int exceeds, looks;
    pc_pairs_rule rule;
    doubles effects;
    if (!PyArg_ParseTuple(args, "Oddpi:judge_pairs", &object, &rule.threshold, &rule.alpha, &exceeds, &looks) ||
        doubles_get_finite(core_state_of_module(module), object, "effects", &effects) < 0)
        return NULL;
    rule.mode = exceeds ? PC_PAIRS_EXCEEDS : PC_PAIRS_DETECT;
    rule.looks = looks > 0 ? (uint32_t)looks : 0;
    pc_pairs_verdict verdict;
    const int status = pc_pairs_judge(effects.values, effects.count, &rule, &verdict);
    doubles_release(&effects);
    if (status == -EINVAL)
        return PyErr_Format(PyExc_ValueError,
                            "judging takes a threshold above 0, an alpha between 0 and 0.5, and looks from 1 on");
    if (status < 0)
        return core_raise_errno(status);
    return Py_BuildValue("(sdddd)", pc_pairs_name(verdict.status), verdict.estimate, verdict.low, verdict.high,
                         verdict.p_value);
}

static PyMethodDef pairs_functions[] = {
    {"pair_effect", pair_effect, METH_VARARGS, pair_effect_doc},
    {"judge_pairs", judge_pairs, METH_VARARGS, judge_pairs_doc},
    {NULL, NULL, 0, NULL},
};

int pairs_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, pairs_functions);
}
