// SPDX-License-Identifier: MIT
// Rounds with a set-up before and a tear-down after each (pytest-benchmark's pedantic mode). The set-up may return the
// arguments of its round as (args, kwargs). Only the call stands between the two readings of the clock.
#include "measure/round_loop.h"

// The arguments of one round: the loop's own, or what set-up returned.
typedef struct round_arguments {
    PyObject *args;   // tuple
    PyObject *kwargs; // dict
} round_arguments;

// The mapping as a dict, for vectorcall. A dict is taken as it is: nobody changes it.
static PyObject *as_dict(PyObject *mapping)
{
    if (PyDict_CheckExact(mapping))
        return Py_NewRef(mapping);
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    if (PyDict_Update(dict, mapping) < 0) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) // no keys(): what a call with stars calls a TypeError
            PyErr_Format(PyExc_TypeError, "setup must return (args, kwargs) with a mapping, not %.100s, as kwargs",
                         Py_TYPE(mapping)->tp_name);
        Py_DECREF(dict);
        return NULL;
    }
    return dict;
}

// Turn what set-up returned into the round's arguments, as `args, kwargs = value` and a call with stars would.
static int unpack_arguments(PyObject *value, round_arguments *arguments)
{
    PyObject *pair = PySequence_Tuple(value);
    if (pair == NULL)
        return -1;
    PyObject *args = NULL, *kwargs = NULL;
    if (PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_ValueError, "setup must return (args, kwargs) or nothing, not %zd values",
                     PyTuple_GET_SIZE(pair));
        goto error;
    }
    args = PySequence_Tuple(PyTuple_GET_ITEM(pair, 0));
    if (args == NULL)
        goto error;
    kwargs = as_dict(PyTuple_GET_ITEM(pair, 1));
    if (kwargs == NULL)
        goto error;
    Py_DECREF(pair);
    Py_XSETREF(arguments->args, args);
    Py_XSETREF(arguments->kwargs, kwargs);
    return 0;

error:
    Py_DECREF(pair);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return -1;
}

static int set_up(PyObject *setup, bool has_arguments, round_arguments *arguments)
{
    PyObject *value = PyObject_CallNoArgs(setup);
    if (value == NULL)
        return -1;
    int given = PyObject_IsTrue(value);
    int status = given < 0 ? -1 : 0;
    if (given > 0 && has_arguments) {
        PyErr_SetString(PyExc_TypeError, "Can't use `args` or `kwargs` if `setup` returns the arguments.");
        status = -1;
    } else if (given > 0) {
        status = unpack_arguments(value, arguments);
    }
    Py_DECREF(value);
    return status;
}

static int call_and_drop(PyObject *callable, PyObject *args, PyObject *kwargs)
{
    PyObject *value = PyObject_Call(callable, args, kwargs);
    Py_XDECREF(value);
    return value == NULL ? -1 : 0;
}

// Run one round with the tracers paused around it alone, so that coverage still sees the set-up.
static int paused_round(round_loop *self, const call_target *target, PyObject *pause, round_outcome *outcome,
                        PyObject **result)
{
    if (pause == Py_None)
        return round_run(self, target, outcome, result);
    PyObject *resume = PyObject_CallNoArgs(pause);
    if (resume == NULL)
        return -1;
    int status = round_run(self, target, outcome, result);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallNoArgs(resume);
    Py_DECREF(resume);
    if (done == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        if (status == 0)
            Py_CLEAR(*result);
        return -1;
    }
    Py_DECREF(done);
    PyErr_Restore(type, value, traceback);
    return status;
}

// What stands around every round of one run.
typedef struct round_hooks {
    PyObject *setup, *teardown, *pause; // None where there is none
    round_arguments own;                // of the loop
    bool has_arguments;
    call_target target; // of a round with the loop's own arguments: laid out once
} round_hooks;

static int one_round(round_loop *self, samples_object *samples, const round_hooks *hooks, double correction_s)
{
    round_arguments arguments = {Py_NewRef(hooks->own.args), Py_NewRef(hooks->own.kwargs)};
    call_target given = {.callable = NULL};
    const call_target *target = &hooks->target;
    PyObject *result = NULL;
    round_outcome outcome;
    int status = -1;
    if (hooks->setup != Py_None) {
        if (set_up(hooks->setup, hooks->has_arguments, &arguments) < 0)
            goto done;
        if (arguments.args != hooks->own.args || arguments.kwargs != hooks->own.kwargs) {
            if (call_target_init(&given, self->once.callable, 0, arguments.args, arguments.kwargs) < 0)
                goto done;
            target = &given;
        }
    }
    self->collecting = PyGC_IsEnabled(); // set-up and tear-down may have changed that
    (void)pc_preempt_ask(&self->watch);  // what interrupted them is not the round's
    if (paused_round(self, target, hooks->pause, &outcome, &result) < 0)
        goto done;
    if (samples != NULL && round_store(self, samples, &outcome, 1.0, correction_s) < 0) {
        Py_DECREF(result);
        goto done;
    }
    Py_XSETREF(self->result, result);
    if (hooks->teardown != Py_None && call_and_drop(hooks->teardown, arguments.args, arguments.kwargs) < 0)
        goto done;
    status = round_breathe(self, outcome.end_ns);

done:
    call_target_clear(&given);
    Py_DECREF(arguments.args);
    Py_DECREF(arguments.kwargs);
    return status;
}

const char round_loop_run_setup_doc[] =
    "run_setup($self, samples, rounds, args, kwargs, setup, teardown, pause, correction=0.0, /)\n--\n\n"
    "Run `rounds` rounds of one call, each after setup() and before teardown(*args, **kwargs), either of which may be "
    "None.\n"
    "Setup may return (args, kwargs) for its round, unless args or kwargs were given. Samples may be None (warm-up).\n"
    "pause() is called before each round's clock and returns a callable that is called after it; or None.";

PyObject *round_loop_run_setup(round_loop *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 7 || nargs > 8)
        return PyErr_Format(PyExc_TypeError, "run_setup() takes 7 or 8 arguments, not %zd", nargs);
    samples_object *samples = NULL;
    if (args[0] != Py_None) {
        if (!Py_IS_TYPE(args[0], core_state_of_type(Py_TYPE(self))->samples_type))
            return PyErr_Format(PyExc_TypeError, "samples must be a Samples, not %.100s", Py_TYPE(args[0])->tp_name);
        samples = (samples_object *)args[0];
    }
    Py_ssize_t rounds = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
    if (rounds == -1 && PyErr_Occurred())
        return NULL;
    if (!PyTuple_Check(args[2]) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "args must be a tuple and kwargs a dict");
        return NULL;
    }
    double correction_s = nargs > 7 ? PyFloat_AsDouble(args[7]) : 0.0;
    if (correction_s == -1.0 && PyErr_Occurred())
        return NULL;
    round_hooks hooks = {.setup = args[4], .teardown = args[5], .pause = args[6], .own = {args[2], args[3]}};
    hooks.has_arguments = PyTuple_GET_SIZE(args[2]) > 0 || PyDict_GET_SIZE(args[3]) > 0;
    if (call_target_init(&hooks.target, self->once.callable, 0, args[2], args[3]) < 0)
        return NULL;
    int status = round_enter(self);
    if (status == 0) {
        status = samples == NULL ? 0 : round_pace(self);
        for (Py_ssize_t i = 0; i < rounds && status == 0; i++)
            status = one_round(self, samples, &hooks, correction_s);
        round_leave(self);
    }
    call_target_clear(&hooks.target);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}
