// SPDX-License-Identifier: MIT
// A tracker: a window over the process's counters, from start() to stop(), as often as wanted. window.c opens, reads
// and closes it; tracker.c is the type.
//
// A tracker that runs keeps the counters as they were when it started; its figures are differences. Peaks do not
// subtract, so whenever a tracker starts, stops or is read, the peak since the last such moment is folded into each of
// those that run. What a tracker needs for itself comes from the core's allocator, which the hooks do not see: a
// tracker within a tracker is not counted. All with the GIL held.
#ifndef PC_TRACKER_H
#define PC_TRACKER_H

#include "memtrace.h"

typedef struct thread_mark {
    const pc_alloc_thread *thread;
    uint64_t turn; // with `thread` it names the thread for good; the id changes in the child of a fork
    int64_t id;
    uint64_t counts[PC_ALLOC_KINDS];
} thread_mark;

typedef struct marks {
    thread_mark *threads;
    size_t thread_count;
    site_totals *sites; // NULL unless the tracker asks for them
    size_t site_count;
} marks;

typedef struct tracker {
    PyObject_HEAD
    bool sites;
    bool running;
    bool complete;        // no other tool has replaced the hooks while this ran
    pc_alloc_totals done; // of the windows that have ended
    int64_t done_peak;
    pc_alloc_totals base; // the counters when the present window began
    int64_t peak;         // of the present window, absolute
    marks began;          // of the latest window
    marks ended;          // of the latest window, once it has ended
    bool unmarked;        // there was no memory for `ended`
    struct tracker *next; // running trackers
} tracker;

typedef struct figures {
    pc_alloc_totals totals;
    int64_t peak;
} figures;

// What threads and sites have counted by now. -1 with MemoryError, with nothing held.
int marks_take(marks *at, bool sites) PC_NODISCARD;
void marks_clear(marks *at);

// Begin a window. -1 with RuntimeError when one is open, or MemoryError.
int window_open(tracker *self) PC_NODISCARD;

// Begin the open window anew.
void window_rebase(tracker *self);

// The figures of all windows up to now.
figures window_read(tracker *self);

// End the open window. Without memory for what threads and sites had counted those are not known; the figures are.
void window_close(tracker *self);

#endif
