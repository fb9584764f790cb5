// SPDX-License-Identifier: MIT
// The windows of trackers: from start to stop, the difference of the process's counters (see tracker.h).
#include "tracker.h"

#include "base/pc_alloc.h"

static tracker *running; // the hooks are the process's, and so is this list

// --- marks: what threads and sites had counted at one moment

void marks_clear(marks *at)
{
    pc_free(at->threads);
    pc_free(at->sites);
    *at = (marks){.threads = NULL};
}

int marks_take(marks *at, bool sites)
{
    marks made = {.threads = NULL};
    size_t room = 0;
    pc_alloc_thread *thread = NULL;
    thread_mark mark;
    while ((thread = pc_alloccount_next(hooks_count(), thread, mark.counts)) != NULL) {
        if (made.thread_count == room) {
            room = room * 2 + 8;
            thread_mark *more = pc_realloc(made.threads, room, sizeof *more);
            if (more == NULL) {
                marks_clear(&made);
                PyErr_NoMemory();
                return -1;
            }
            made.threads = more;
        }
        mark.thread = thread;
        mark.turn = atomic_load_explicit(&thread->turn, memory_order_relaxed);
        mark.id = atomic_load_explicit(&thread->id, memory_order_relaxed);
        made.threads[made.thread_count++] = mark;
    }
    if (sites && (made.sites = sites_snapshot(&made.site_count)) == NULL) {
        marks_clear(&made);
        return -1;
    }
    *at = made;
    return 0;
}

// --- windows

static void fold_peaks(void)
{
    int64_t peak = pc_alloccount_take_peak(hooks_count());
    for (tracker *open = running; open != NULL; open = open->next) {
        if (peak > open->peak)
            open->peak = peak;
    }
}

static void unlink_running(tracker *self)
{
    tracker **place = &running;
    while (*place != self)
        place = &(*place)->next;
    *place = self->next;
    self->next = NULL;
}

void window_rebase(tracker *self)
{
    fold_peaks();
    pc_alloccount_read(hooks_count(), &self->base);
    self->peak = self->base.live;
}

int window_open(tracker *self)
{
    if (self->running) {
        PyErr_SetString(PyExc_RuntimeError, "this tracker is running already; stop it first, or make another one");
        return -1;
    }
    if (hooks_open(self->sites) < 0)
        return -1;
    marks began;
    if (marks_take(&began, self->sites) < 0) {
        hooks_close(self->sites);
        return -1;
    }
    marks_clear(&self->began);
    marks_clear(&self->ended);
    self->began = began;
    self->unmarked = false;
    self->running = true;
    window_rebase(self);
    self->next = running;
    running = self;
    return 0;
}

figures window_read(tracker *self)
{
    figures now = {self->done, self->done_peak};
    if (!self->running)
        return now;
    pc_alloc_totals totals;
    pc_alloccount_read(hooks_count(), &totals);
    fold_peaks();
    for (size_t kind = 0; kind < PC_ALLOC_KINDS; kind++)
        now.totals.counts[kind] += totals.counts[kind] - self->base.counts[kind];
    now.totals.lost += totals.lost - self->base.lost;
    int64_t peak = self->done.live + self->peak - self->base.live;
    now.totals.live += totals.live - self->base.live;
    if (peak > now.peak)
        now.peak = peak;
    return now;
}

void window_close(tracker *self)
{
    figures now = window_read(self);
    self->done = now.totals;
    self->done_peak = now.peak;
    self->complete = self->complete && hooks_in_place();
    unlink_running(self);
    self->running = false;
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback); // what ended the window comes first
    self->unmarked = marks_take(&self->ended, self->sites) < 0;
    if (self->unmarked)
        marks_clear(&self->began); // threads() and sites() say so; the totals are known
    PyErr_Restore(kind, error, traceback);
    hooks_close(self->sites);
}
