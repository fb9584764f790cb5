// SPDX-License-Identifier: MIT
// judge_medians: the verdict of csrc/core/judge/pc_verdict.h for Python. What the reasons say is written in
// perfcore/judge/verdict.py; here they are words to tell them apart.
#include "ext.h"

#include "judge/pc_verdict.h"

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
    }
    return "";
}

PyDoc_STRVAR(judge_medians_doc,
             "judge_medians($module, baseline, head, warning, critical, /)\n--\n\n"
             "Judge one run against one run; baseline and head are (median, mad, iqr), NaN where not known.\n\n"
             "Greater is worse; warning and critical are relative (0.05 is 5 %). Returns (status, reason, ratio, low,\n"
             "high, allowance). Raises ValueError unless 0 < warning <= critical.");

static PyObject *judge_medians(PyObject *Py_UNUSED(module), PyObject *args)
{
    pc_verdict_side base;
    pc_verdict_side head;
    double warning;
    double critical;
    if (!PyArg_ParseTuple(args, "(ddd)(ddd)dd:judge_medians", &base.median, &base.mad, &base.iqr, &head.median,
                          &head.mad, &head.iqr, &warning, &critical))
        return NULL;
    pc_verdict verdict;
    if (pc_verdict_judge(&base, &head, warning, critical, &verdict) < 0) {
        PyErr_SetString(PyExc_ValueError, "thresholds must be finite, with 0 < warning <= critical");
        return NULL;
    }
    return Py_BuildValue("(ssdddd)", pc_verdict_name(verdict.status), reason_name(verdict.reason), verdict.ratio,
                         verdict.low, verdict.high, verdict.allowance);
}

static PyMethodDef verdict_methods[] = {
    {"judge_medians", judge_medians, METH_VARARGS, judge_medians_doc},
    {NULL, NULL, 0, NULL},
};

int verdict_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, verdict_methods);
}
