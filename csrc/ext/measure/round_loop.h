// SPDX-License-Identifier: MIT
// The round loop: read the clock, call, read the clock, store. What the files of the RoundLoop type share: round_run.c
// (one round, and what stands between rounds), round_loop.c (the type, plain rounds), round_setup.c (rounds with a
// set-up and a tear-down around each) and call_target.c (a call laid out for vectorcall).
#ifndef PC_EXT_ROUND_LOOP_H
#define PC_EXT_ROUND_LOOP_H

#include "ext.h"
#include "measure/pc_clock.h"
#include "measure/pc_preempt.h"
#include "measure/pc_tsc.h"
#include "measure/samples.h"

// A callable with its arguments laid out for vectorcall: slots[0] is the room that PY_VECTORCALL_ARGUMENTS_OFFSET
// offers, the positional arguments follow, then the values of the keywords. Every slot but the first owns its
// reference.
typedef struct call_target {
    PyObject *callable;
    vectorcallfunc vectorcall; // of the callable; NULL if it has none
    PyObject *keywords;        // tuple of str, or NULL
    PyObject **slots;
    size_t positional;
    size_t total; // positional and keyword values
} call_target;

typedef struct round_loop {
    PyObject_HEAD
    call_target once;   // the callable itself: rounds of one call
    call_target kernel; // generated code that calls it many times; its first two arguments are the counts
    size_t unroll;      // calls in one turn of the kernel's first loop
    PyObject *timer;    // a user's timer, or NULL: read `clock`
    PyObject *pace;     // called between rounds every PACE_NS, or NULL
    clockid_t clock;
    pc_tsc *tsc;           // of the module: read it for `clock`; NULL: clock_gettime
    pc_tsc_moment entered; // when the present run of rounds began, if by `tsc`
    bool disable_gc;
    bool keep;        // what calls return lives past the clock, the last one as `result`
    bool collecting;  // the collector was on before this round
    bool busy;        // a round is running: no second one inside it
    PyObject *result; // of the last call, when rounds have one call each
    // What happened to the rounds since the loop was made.
    uint64_t rounds;
    uint64_t interrupted; // rounds with an involuntary context switch in them
    uint64_t switches;    // involuntary context switches, between rounds too
    bool exact;           // rseq answered, so `interrupted` is exact
    uint64_t doubted;     // runs of rounds at whose end counter and clock disagreed
    pc_preempt watch;
    int64_t look_ns;    // how long to run rounds without a look at signals
    int64_t looked_ns;  // when they were last looked at
    int64_t yield_ns;   // how long to keep the GIL from others
    int64_t yielded_ns; // when the GIL was last offered to others
    int64_t paced_ns;   // when `pace` was last called; INT64_MAX: not in this run
} round_loop;

// One round: what it took, in seconds for all of its calls (or for a user's timer whatever its difference is).
typedef struct round_outcome {
    double seconds;
    int64_t end_ns; // when it ended, on the clock of round_now
    bool interrupted;
} round_outcome;

// Call `target` once in a round. -1 with an exception.
int round_run(round_loop *self, const call_target *target, round_outcome *outcome, PyObject **result) PC_NODISCARD;

// Between rounds: signals, `pace`, and every switch interval the GIL for whoever waits. -1 with an exception.
int round_breathe(round_loop *self, int64_t now_ns) PC_NODISCARD;

// Begin to call `pace` between the rounds of this run: once at once, then every PACE_NS. -1 with an exception.
int round_pace(round_loop *self) PC_NODISCARD;

// Enter and leave a run of rounds: the re-entrancy guard and the watch for preemption. enter: -1 with an exception.
int round_enter(round_loop *self) PC_NODISCARD;
void round_leave(round_loop *self);

// Lay out a call of `callable` with `leading` empty slots before `args` and `kwargs` (a dict or NULL). -1 with an
// exception.
int call_target_init(call_target *target, PyObject *callable, size_t leading, PyObject *args,
                     PyObject *kwargs) PC_NODISCARD;
void call_target_clear(call_target *target);
int call_target_traverse(const call_target *target, visitproc visit, void *arg);

// Store a round's outcome, in seconds per call. -1 with an exception.
int round_store(round_loop *self, samples_object *samples, const round_outcome *outcome, double iterations,
                double correction_s) PC_NODISCARD;

extern const char round_loop_run_setup_doc[];
PyObject *round_loop_run_setup(round_loop *self, PyObject *const *args, Py_ssize_t nargs);

#endif
