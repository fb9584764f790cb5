// SPDX-License-Identifier: MIT
// judge_medians: the verdict of csrc/core/judge/pc_verdict.h for Python. What the reasons say is written in
// perfcore/judge/verdict.py; here they are words to tell them apart.
#include "ext.h"

#include "judge/pc_verdict.h"

#include <math.h>

static const char *reason_name(pc_verdict_reason reason)
{
    switch (reason) {
    case PC_VERDICT_CLEAR:
        break;
    case PC_VERDICT_NOISE:
        return "noise";
    case PC_VERDICT_BASE_MEDIAN:
        return "baseline median";
    case PC_VERDICT_HEAD_MEDIAN:
        return "median";
    case PC_VERDICT_NO_SPREAD:
        return "no spread";
    case PC_VERDICT_SLOWER:
        return "slower";
    case PC_VERDICT_FASTER:
        return "faster";
    }
    return "";
}

PyDoc_STRVAR(judge_medians_doc,
             "judge_medians(baseline, head, warning, critical, [baseline_pace, head_pace])\n\n"
             "Judge one run against one run; baseline and head are (median, mad, iqr), the machine's pace of\n"
             "each is (median, low, high), with NaN for what is not known.\n\n"
             "Greater is worse; warning and critical are relative (0.05 is 5 %). Returns (status, reason, ratio, low,\n"
             "high, allowance, pace). Raises ValueError unless 0 < warning <= critical.");

static PyObject *judge_medians(PyObject *Py_UNUSED(module), PyObject *args)
{
    pc_verdict_side base = {.pace = {NAN, NAN, NAN}};
    pc_verdict_side head = base;
    double warning;
    double critical;
    if (!PyArg_ParseTuple(args, "(ddd)(ddd)dd|(ddd)(ddd):judge_medians", &base.median, &base.mad, &base.iqr,
                          &head.median, &head.mad, &head.iqr, &warning, &critical, &base.pace.median, &base.pace.low,
                          &base.pace.high, &head.pace.median, &head.pace.low, &head.pace.high))
        return NULL;
    pc_verdict verdict;
    if (pc_verdict_judge(&base, &head, warning, critical, &verdict) < 0) {
        PyErr_SetString(PyExc_ValueError, "thresholds must be finite, with 0 < warning <= critical");
        return NULL;
    }
    return Py_BuildValue("(ssddddd)", pc_verdict_name(verdict.status), reason_name(verdict.reason), verdict.ratio,
                         verdict.low, verdict.high, verdict.allowance, verdict.pace);
}

PyDoc_STRVAR(pace_effect_doc,
             "pace_effect($module, baseline, head, /)\n--\n\n"
             "Return what the machine's pace, each (median, low, high), may have done to the logarithm of a ratio:\n"
             "(ratio of the paces, slow-down that it may explain, improvement likewise, slow-down that it hides).");

static PyObject *pace_effect(PyObject *Py_UNUSED(module), PyObject *args)
{
    pc_verdict_pace base;
    pc_verdict_pace head;
    if (!PyArg_ParseTuple(args, "(ddd)(ddd):pace_effect", &base.median, &base.low, &base.high, &head.median, &head.low,
                          &head.high))
        return NULL;
    pc_verdict_effect effect = pc_verdict_pace_effect(&base, &head);
    return Py_BuildValue("(dddd)", effect.ratio, effect.slower, effect.faster, effect.hidden);
}

static PyMethodDef verdict_methods[] = {
    {"judge_medians", judge_medians, METH_VARARGS, judge_medians_doc},
    {"pace_effect", pace_effect, METH_VARARGS, pace_effect_doc},
    {NULL, NULL, 0, NULL},
};

int verdict_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, verdict_methods);
}
