// SPDX-License-Identifier: MIT
// Running rounds: what stands around and between them, and the ways of reading the time.
//
// Between the two readings stands nothing but the call. What the stock loop does around a round is done around ours:
// the collector as the options say and as it was before, signals, and the GIL offered to other threads.
#include "measure/round_loop.h"

#include <math.h>

// How long short rounds may follow each other without a look at signals, and without a call of `pace`.
enum { LOOK_NS = 5000, PACE_NS = 2000000 };

static inline PyObject *target_call(const call_target *target)
{
    size_t count = target->positional | PY_VECTORCALL_ARGUMENTS_OFFSET;
    // Straight to the callable's own entry: PyObject_Vectorcall looks it up anew each time.
    if (PC_LIKELY(target->vectorcall != NULL))
        return target->vectorcall(target->callable, target->slots + 1, count, target->keywords);
    return PyObject_Vectorcall(target->callable, target->slots + 1, count, target->keywords);
}

// The call of a round. Without `keep` what it returns is dropped here, inside the clock, as a loop of calls does.
static inline PyObject *timed_call(const round_loop *self, const call_target *target)
{
    PyObject *value = target_call(target);
    if (self->keep || PC_UNLIKELY(value == NULL))
        return value;
    Py_DECREF(value);
    return Py_NewRef(Py_None);
}

// The difference of two readings of a user's timer, as stock computes it. -1 with an exception.
static int timer_difference(PyObject *start, PyObject *end, double *seconds)
{
    PyObject *difference = PyNumber_Subtract(end, start);
    if (difference == NULL)
        return -1;
    // float and int alike: stock divides by the number of calls, which makes a float of both.
    if (!PyFloat_Check(difference) && !PyLong_Check(difference)) {
        PyErr_Format(PyExc_TypeError, "the timer's readings must differ by a float or an int, not %.100s",
                     Py_TYPE(difference)->tp_name);
        Py_DECREF(difference);
        return -1;
    }
    *seconds = PyFloat_AsDouble(difference);
    Py_DECREF(difference);
    return *seconds == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static int run_by_timer(round_loop *self, const call_target *target, round_outcome *outcome, PyObject **result)
{
    PyObject *start = PyObject_CallNoArgs(self->timer);
    if (start == NULL)
        return -1;
    PyObject *value = timed_call(self, target);
    if (value == NULL) {
        Py_DECREF(start);
        return -1;
    }
    PyObject *end = PyObject_CallNoArgs(self->timer);
    int status = end == NULL ? -1 : timer_difference(start, end, &outcome->seconds);
    Py_DECREF(start);
    Py_XDECREF(end);
    if (status < 0) {
        Py_DECREF(value);
        return -1;
    }
    outcome->end_ns = pc_clock_now_ns(CLOCK_MONOTONIC_COARSE);
    outcome->interrupted = pc_preempt_hit(&self->watch, outcome->end_ns);
    *result = value;
    return 0;
}

static int run_by_clock(round_loop *self, const call_target *target, round_outcome *outcome, PyObject **result)
{
    clockid_t clock = self->clock;
    int64_t start = pc_clock_now_ns(clock);
    PyObject *value = timed_call(self, target);
    int64_t end = pc_clock_now_ns(clock);
    if (PC_UNLIKELY(value == NULL))
        return -1;
    outcome->end_ns = clock == CLOCK_MONOTONIC ? end : pc_clock_now_ns(CLOCK_MONOTONIC_COARSE);
    outcome->interrupted = pc_preempt_hit(&self->watch, outcome->end_ns);
    outcome->seconds = (double)(end - start) / PC_NS_PER_S;
    *result = value;
    return 0;
}

static int run_by_tsc(round_loop *self, const call_target *target, round_outcome *outcome, PyObject **result)
{
    uint64_t start = pc_tsc_read();
    PyObject *value = timed_call(self, target);
    uint64_t end = pc_tsc_read();
    if (PC_UNLIKELY(value == NULL))
        return -1;
    double ns_per_tick = self->tsc->ns_per_tick;
    outcome->end_ns = (int64_t)((double)end * ns_per_tick);
    outcome->interrupted = pc_preempt_hit(&self->watch, outcome->end_ns);
    outcome->seconds = (double)(int64_t)(end - start) * ns_per_tick / PC_NS_PER_S;
    *result = value;
    return 0;
}

int round_run(round_loop *self, const call_target *target, round_outcome *outcome, PyObject **result)
{
    // What stock does, one question cheaper: on before the round, on after it, whatever the callable did; off before,
    // and it is the callable's affair.
    if (!self->collecting)
        self->collecting = PyGC_IsEnabled();
    if (self->disable_gc)
        PyGC_Disable();
    pc_preempt_arm(&self->watch);
    int status;
    if (PC_LIKELY(self->tsc != NULL))
        status = run_by_tsc(self, target, outcome, result);
    else if (self->timer == NULL)
        status = run_by_clock(self, target, outcome, result);
    else
        status = run_by_timer(self, target, outcome, result);
    if (self->collecting)
        PyGC_Enable();
    return status;
}

// The clock that `end_ns` is on.
static int64_t round_now(const round_loop *self)
{
    if (self->tsc != NULL)
        return (int64_t)((double)pc_tsc_read() * self->tsc->ns_per_tick);
    return pc_clock_now_ns(self->clock == CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE);
}

int round_pace(round_loop *self)
{
    if (self->pace == NULL)
        return 0;
    PyObject *done = PyObject_CallNoArgs(self->pace);
    if (done == NULL)
        return -1;
    Py_DECREF(done);
    self->paced_ns = round_now(self);
    (void)pc_preempt_ask(&self->watch); // what interrupted it is no round's
    return 0;
}

int round_breathe(round_loop *self, int64_t now_ns)
{
    // A loop over a builtin never passes through the evaluation loop: nobody else would look. Looking takes a tenth of
    // a short round, so short rounds look once in some microseconds.
    if (now_ns - self->looked_ns < self->look_ns)
        return 0;
    self->looked_ns = now_ns;
    if (PyErr_CheckSignals() < 0)
        return -1;
    if (PC_UNLIKELY(now_ns - self->paced_ns > PACE_NS) && round_pace(self) < 0)
        return -1;
    if (PC_UNLIKELY(now_ns - self->yielded_ns > self->yield_ns)) {
        Py_BEGIN_ALLOW_THREADS
        Py_END_ALLOW_THREADS
        self->yielded_ns = round_now(self);
    }
    return 0;
}

// A thread that wants the GIL asks for it when it has waited for one switch interval, and waits anew whenever the lock
// was free in between. So offering it must be rarer than that, or nobody ever asks and the offer is taken back at once.
static int set_yield_interval(round_loop *self)
{
    PyObject *question = PySys_GetObject("getswitchinterval"); // borrowed
    PyObject *interval = question != NULL ? PyObject_CallNoArgs(question) : NULL;
    if (interval == NULL)
        return PyErr_Occurred() ? -1 : 0; // no such name: never yield
    double seconds = PyFloat_AsDouble(interval);
    Py_DECREF(interval);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    self->yield_ns = (int64_t)(fmin(seconds, 1.0) * 1.4 * PC_NS_PER_S);
    return 0;
}

int round_enter(round_loop *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this RoundLoop is running already: a round cannot start another of its own");
        return -1;
    }
    self->yield_ns = INT64_MAX;
    if (set_yield_interval(self) < 0)
        return -1;
    if (self->tsc != NULL && self->tsc->usable)
        self->entered = pc_tsc_refresh(self->tsc);
    if (self->tsc != NULL && !self->tsc->usable)
        self->tsc = NULL; // found out of step, now or by another loop
    self->busy = true;
    self->collecting = PyGC_IsEnabled();
    pc_preempt_begin(&self->watch);
    self->exact = pc_preempt_exact(&self->watch);
    self->yielded_ns = round_now(self);
    self->looked_ns = self->yielded_ns;
    self->paced_ns = INT64_MAX;
    // The coarse clock, which the others are watched with, stands still for milliseconds: look after every round.
    self->look_ns = self->tsc != NULL || (self->timer == NULL && self->clock == CLOCK_MONOTONIC) ? LOOK_NS : INT64_MIN;
    return 0;
}

void round_leave(round_loop *self)
{
    if (self->tsc != NULL) {
        pc_tsc_moment now = pc_tsc_now();
        if (!pc_tsc_agrees(self->tsc, &self->entered, &now)) {
            self->doubted++;
            self->tsc->usable = false; // clock_gettime from now on
        }
    }
    self->switches += (uint64_t)pc_preempt_end(&self->watch);
    self->busy = false;
}

int round_store(round_loop *self, samples_object *samples, const round_outcome *outcome, double iterations,
                double correction_s)
{
    self->rounds++;
    self->interrupted += outcome->interrupted;
    // The exports are asked too, as samples_reserve does: whether it may grow never depends on what room is left.
    if (PC_UNLIKELY(samples->values.length == samples->values.capacity || samples->exports > 0) &&
        samples_reserve(samples, 1) < 0)
        return -1;
    samples->values.data[samples->values.length++] = (outcome->seconds - correction_s) / iterations;
    return 0;
}
