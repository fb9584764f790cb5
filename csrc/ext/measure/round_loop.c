// SPDX-License-Identifier: MIT
// RoundLoop: rounds of calls between two readings of a clock, stored as seconds per call.
//
// A round of one call goes straight to the callable by vectorcall. A round of many goes to a generated Python kernel
// (perfcore/measure/kernel.py) that calls it in unrolled bytecode: on 3.11 and later a call from bytecode to a Python
// function is inlined in the evaluation loop, and a plain C loop, which must enter that loop anew each time, is 6-10 ns
// slower.
#include "measure/round_loop.h"

// The target of rounds of `iterations` calls, with the kernel's counts filled in. NULL with an exception.
static const call_target *choose_target(round_loop *self, Py_ssize_t iterations)
{
    if (iterations < 1) {
        PyErr_Format(PyExc_ValueError, "iterations must be at least 1, not %zd", iterations);
        return NULL;
    }
    if (iterations == 1)
        return &self->once;
    if (self->kernel.callable == NULL) {
        PyErr_SetString(PyExc_ValueError, "rounds of more than one call need a kernel");
        return NULL;
    }
    PyObject *turns = PyLong_FromSize_t((size_t)iterations / self->unroll);
    PyObject *rest = PyLong_FromSize_t((size_t)iterations % self->unroll);
    if (turns == NULL || rest == NULL) {
        Py_XDECREF(turns);
        Py_XDECREF(rest);
        return NULL;
    }
    Py_SETREF(self->kernel.slots[1], turns);
    Py_SETREF(self->kernel.slots[2], rest);
    return &self->kernel;
}

PyDoc_STRVAR(round_loop_time_doc,
             "time($self, iterations, /)\n--\n\n"
             "Run one round of `iterations` calls; return its duration in seconds, for all of them.");

static PyObject *round_loop_time(round_loop *self, PyObject *argument)
{
    Py_ssize_t iterations = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    if (iterations == -1 && PyErr_Occurred())
        return NULL;
    if (round_enter(self) < 0)
        return NULL;
    const call_target *target = choose_target(self, iterations);
    round_outcome outcome;
    PyObject *result = NULL;
    int status = target == NULL ? -1 : round_run(self, target, &outcome, &result);
    if (status == 0)
        status = round_breathe(self, outcome.end_ns);
    round_leave(self);
    Py_XDECREF(result);
    return status < 0 ? NULL : PyFloat_FromDouble(outcome.seconds);
}

PyDoc_STRVAR(
    round_loop_run_doc,
    "run($self, samples, rounds, iterations, correction=0.0, /)\n--\n\n"
    "Run `rounds` rounds of `iterations` calls each and append to `samples` what each took, in seconds per call,\n"
    "less `correction` seconds per round. An exception ends the run; the samples so far stay.");

static PyObject *round_loop_run(round_loop *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs < 3 || nargs > 4)
        return PyErr_Format(PyExc_TypeError, "run() takes 3 or 4 arguments, not %zd", nargs);
    if (!Py_IS_TYPE(args[0], core_state_of_type(Py_TYPE(self))->samples_type))
        return PyErr_Format(PyExc_TypeError, "samples must be a Samples, not %.100s", Py_TYPE(args[0])->tp_name);
    samples_object *samples = (samples_object *)args[0];
    Py_ssize_t rounds = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
    if (rounds == -1 && PyErr_Occurred())
        return NULL;
    Py_ssize_t iterations = PyNumber_AsSsize_t(args[2], PyExc_OverflowError);
    if (iterations == -1 && PyErr_Occurred())
        return NULL;
    double correction_s = nargs > 3 ? PyFloat_AsDouble(args[3]) : 0.0;
    if (correction_s == -1.0 && PyErr_Occurred())
        return NULL;

    if (round_enter(self) < 0)
        return NULL;
    const call_target *target = choose_target(self, iterations);
    int status = target == NULL ? -1 : round_pace(self);
    double divisor = (double)iterations;
    for (Py_ssize_t i = 0; i < rounds && status == 0; i++) {
        round_outcome outcome;
        PyObject *result;
        status = round_run(self, target, &outcome, &result);
        if (status < 0)
            break;
        status = round_store(self, samples, &outcome, divisor, correction_s);
        if (i + 1 == rounds && iterations == 1)
            Py_XSETREF(self->result, result);
        else
            Py_DECREF(result);
        if (status == 0)
            status = round_breathe(self, outcome.end_ns);
    }
    round_leave(self);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *round_loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"function", "args",       "kwargs", "kernel", "kernel_args", "unroll", "timer",
                            "clock",    "disable_gc", "tsc",    "keep",   "pace",        NULL};
    PyObject *function, *arguments, *keywords, *kernel = Py_None, *kernel_arguments = Py_None, *timer = Py_None;
    PyObject *pace = Py_None;
    Py_ssize_t unroll = 1;
    int clock = CLOCK_MONOTONIC, disable_gc = 0, tsc = 1, keep = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!O!|$OOnOipppO:RoundLoop", names, &function, &PyTuple_Type,
                                     &arguments, &PyDict_Type, &keywords, &kernel, &kernel_arguments, &unroll, &timer,
                                     &clock, &disable_gc, &tsc, &keep, &pace))
        return NULL;
    if (unroll < 1)
        return PyErr_Format(PyExc_ValueError, "unroll must be at least 1, not %zd", unroll);
    if (kernel == Py_None ? kernel_arguments != Py_None : !PyTuple_Check(kernel_arguments)) {
        PyErr_SetString(PyExc_TypeError, "a kernel goes with a tuple of kernel_args");
        return NULL;
    }
    if (pc_clock_check(clock) < 0)
        return PyErr_Format(PyExc_ValueError, "the kernel knows no clock %d", clock);
    round_loop *self = (round_loop *)type->tp_alloc(type, 0); // zeroed
    if (self == NULL)
        return NULL;
    self->unroll = (size_t)unroll;
    self->clock = clock;
    self->disable_gc = disable_gc;
    self->keep = keep;
    if (timer != Py_None)
        self->timer = Py_NewRef(timer);
    if (pace != Py_None)
        self->pace = Py_NewRef(pace);
    core_state *state = core_state_of_type(type);
    if (tsc && timer == Py_None && clock == CLOCK_MONOTONIC && state->tsc.usable)
        self->tsc = &state->tsc;
    if (call_target_init(&self->once, function, 0, arguments, keywords) < 0)
        goto error;
    if (kernel != Py_None && call_target_init(&self->kernel, kernel, 2, kernel_arguments, NULL) < 0)
        goto error;
    return (PyObject *)self;

error:
    Py_DECREF(self);
    return NULL;
}

static int round_loop_traverse(round_loop *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->timer);
    Py_VISIT(self->pace);
    Py_VISIT(self->result);
    int status = call_target_traverse(&self->once, visit, arg);
    return status != 0 ? status : call_target_traverse(&self->kernel, visit, arg);
}

static int round_loop_clear(round_loop *self)
{
    Py_CLEAR(self->timer);
    Py_CLEAR(self->pace);
    Py_CLEAR(self->result);
    call_target_clear(&self->once);
    call_target_clear(&self->kernel);
    return 0;
}

static void round_loop_dealloc(round_loop *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)round_loop_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *round_loop_get_result(round_loop *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(self->result != NULL ? self->result : Py_None);
}

static PyObject *round_loop_get_rounds(round_loop *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->rounds);
}

static PyObject *round_loop_get_interrupted(round_loop *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->interrupted);
}

static PyObject *round_loop_get_switches(round_loop *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->switches);
}

static PyObject *round_loop_get_exact(round_loop *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->exact);
}

static PyObject *round_loop_get_doubted(round_loop *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->doubted);
}

static PyObject *round_loop_get_clock_source(round_loop *self, void *Py_UNUSED(closure))
{
    if (self->timer != NULL)
        return PyUnicode_FromString("timer");
    return PyUnicode_FromString(self->tsc != NULL && self->tsc->usable ? "tsc" : "clock_gettime");
}

static PyGetSetDef round_loop_getset[] = {
    {"result", (getter)round_loop_get_result, NULL, "What the last call returned, when rounds have one call each.",
     NULL},
    {"rounds", (getter)round_loop_get_rounds, NULL, "Rounds stored so far.", NULL},
    {"interrupted", (getter)round_loop_get_interrupted, NULL,
     "Stored rounds in which the thread was switched out against its will.", NULL},
    {"switches", (getter)round_loop_get_switches, NULL, "Involuntary context switches, those between rounds included.",
     NULL},
    {"exact", (getter)round_loop_get_exact, NULL,
     "Whether `interrupted` is exact (rseq tells of every switch) or a lower bound (asked once a millisecond).", NULL},
    {"doubted", (getter)round_loop_get_doubted, NULL,
     "Runs of rounds at whose end the processor's counter and the clock disagreed.", NULL},
    {"clock_source", (getter)round_loop_get_clock_source, NULL,
     "What the rounds are timed by: \"tsc\", \"clock_gettime\" or \"timer\".", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef round_loop_methods[] = {
    {"time", (PyCFunction)round_loop_time, METH_O, round_loop_time_doc},
    {"run", (PyCFunction)(void (*)(void))round_loop_run, METH_FASTCALL, round_loop_run_doc},
    {"run_setup", (PyCFunction)(void (*)(void))round_loop_run_setup, METH_FASTCALL, round_loop_run_setup_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    round_loop_doc,
    "RoundLoop(function, args, kwargs, *, kernel=None, kernel_args=None, unroll=1, timer=None, clock=1,\n"
    "          disable_gc=False, tsc=True, keep=True, pace=None)\n--\n\n"
    "Rounds of function(*args, **kwargs) between two readings of a clock. `kernel(turns, rest, *kernel_args)`\n"
    "makes turns * unroll + rest calls; rounds of one call do without it. `clock` is a clock_id\n"
    "of the time module; a `timer` (a callable) is used in its place. CLOCK_MONOTONIC is read as the processor's\n"
    "counter where the kernel keeps time by it, unless `tsc` is false. What a call returns is dropped after its\n"
    "round, the last one's kept as `result`; unless `keep`, inside the clock, as rounds of many calls do it. `pace` "
    "is\n"
    "called, without arguments, before the first of the rounds that are stored and then between them, once in 2 ms.");

static PyType_Slot round_loop_slots[] = {
    {Py_tp_doc, (void *)round_loop_doc}, {Py_tp_new, round_loop_new},
    {Py_tp_dealloc, round_loop_dealloc}, {Py_tp_traverse, round_loop_traverse},
    {Py_tp_clear, round_loop_clear},     {Py_tp_methods, round_loop_methods},
    {Py_tp_getset, round_loop_getset},   {0, NULL},
};

static PyType_Spec round_loop_spec = {
    .name = "perfcore._core.RoundLoop",
    .basicsize = sizeof(round_loop),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = round_loop_slots,
};

int round_loop_setup(PyObject *module)
{
    pc_tsc_open(&core_state_of_module(module)->tsc, PC_TSC_SOURCE);
    return core_add_type(module, &round_loop_spec, &core_state_of_module(module)->round_loop_type);
}
