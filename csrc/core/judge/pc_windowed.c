// SPDX-License-Identifier: MIT
// Windowed E-divisive (see the header).
#include "judge/pc_windowed.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_prefix.h"
#include "judge/pc_thinning.h"

typedef struct segment {
    size_t start, end;
    size_t split; // the best one inside, 0 where there is none
    double energy;
} segment;

struct pc_windowed {
    size_t window;
    double first_pvalue;
    // Tables and scratch of the search, rows of window - 1: row r stands for tau = start + r + 1, column c for
    // kappa = start + c + 2.
    double *within_left, *within_right; // factors of the sums within the two sides
    double *rows;                       // sums of the distances from tau to the points up to kappa
    double *tails;                      // their sums from tau on
    double *between;                    // for one row: sums up to tau
    double *columns;                    // for each point: the sum of the distances to earlier ones of the window
    segment *segments;
    double *values;
    pc_prefix *prefixes; // one more than values
    size_t length, capacity;
    size_t *weak; // found in windows that are complete
    size_t weak_count, weak_capacity;
    size_t next_window;
    pc_thinning *thinning;
};

static void fill_tables(pc_windowed *series)
{
    const size_t side = series->window - 1;
    for (size_t r = 0; r < side; r++) {
        for (size_t c = r; c < side; c++) {
            const double tau = (double)(r + 1), kappa = (double)(c + 2);
            series->within_left[r * side + c] = r > 0 ? 2.0 * (kappa - tau) / (kappa * (tau - 1.0)) : 0.0;
            series->within_right[r * side + c] = c > r ? 2.0 * tau / (kappa * (kappa - tau - 1.0)) : 0.0;
        }
    }
}

int pc_windowed_make(const pc_windowed_options *options, pc_windowed **result)
{
    assert(options->window >= PC_WINDOWED_LEAST && options->window <= PC_WINDOWED_MOST);
    pc_windowed *series = pc_alloc_zero(1, sizeof *series);
    if (series == NULL)
        return -ENOMEM;
    const size_t w = options->window, square = (w - 1) * (w - 1);
    const double p = options->max_pvalue;
    series->window = w;
    series->first_pvalue = p < 0.05 ? 10.0 * p : p < 0.5 ? 2.0 * p : p;
    series->within_left = pc_alloc_zero(4 * square + 2 * w, sizeof(double));
    series->segments = pc_alloc(w, sizeof *series->segments);
    if (series->within_left == NULL || series->segments == NULL ||
        pc_thinning_make(p, options->min_magnitude, &series->thinning) < 0) {
        pc_windowed_free(series);
        return -ENOMEM;
    }
    series->within_right = series->within_left + square;
    series->rows = series->within_right + square;
    series->tails = series->rows + square;
    series->between = series->tails + square;
    series->columns = series->between + w;
    fill_tables(series);
    *result = series;
    return 0;
}

void pc_windowed_free(pc_windowed *series)
{
    if (series == NULL)
        return;
    pc_free(series->within_left);
    pc_free(series->segments);
    pc_free(series->values);
    pc_free(series->prefixes);
    pc_free(series->weak);
    pc_thinning_free(series->thinning);
    pc_free(series);
}

size_t pc_windowed_length(const pc_windowed *series)
{
    return series->length;
}

static int reserve(pc_windowed *series, size_t count)
{
    size_t needed;
    if (__builtin_add_overflow(series->length, count, &needed) || needed > SIZE_MAX / sizeof(pc_prefix) / 4)
        return -ENOMEM;
    if (needed < series->capacity || (needed == series->capacity && series->prefixes != NULL))
        return 0;
    const size_t capacity = needed + needed / 2 + 16;
    double *values = pc_realloc(series->values, capacity, sizeof *values);
    if (values == NULL)
        return -ENOMEM;
    series->values = values;
    pc_prefix *prefixes = pc_realloc(series->prefixes, capacity + 1, sizeof *prefixes);
    if (prefixes == NULL)
        return -ENOMEM; // the capacity stays what both arrays have
    series->prefixes = prefixes;
    series->capacity = capacity;
    return 0;
}

int pc_windowed_append(pc_windowed *series, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(values[i]) <= 1e150))
            return isfinite(values[i]) ? -ERANGE : -EDOM;
    }
    const int status = reserve(series, count);
    if (status < 0)
        return status;
    if (series->length == 0)
        series->prefixes[0] = (pc_prefix){{0.0, 0.0}, {0.0, 0.0}};
    for (size_t i = 0; i < count; i++) {
        const size_t at = series->length++;
        series->values[at] = values[i];
        series->prefixes[at + 1] = pc_prefix_add(series->prefixes[at], values[i], series->values[0]);
    }
    return 0;
}

// Sums of distances within the window from `start`, which the searches of its parts share.
static void measure_window(pc_windowed *series, size_t start, size_t end)
{
    const size_t side = series->window - 1, points = end - start;
    const double *x = series->values + start;
    memset(series->columns, 0, points * sizeof *series->columns);
    for (size_t r = 0; r + 1 < points; r++) {
        double *row = series->rows + r * side;
        double sum = 0.0;
        for (size_t c = r; c + 1 < points; c++) {
            const double distance = fabs(x[r] - x[c + 1]);
            sum += distance;
            row[c] = sum;
            series->columns[c + 1] += distance;
        }
    }
}

// The split of a part of the window from `origin` with the greatest energy; the first of equal ones, by tau and then
// by kappa.
static void search_segment(pc_windowed *series, size_t origin, segment *part)
{
    const size_t side = series->window - 1, first = part->start - origin, points = part->end - part->start;
    const double *x = series->values + origin;
    part->split = 0;
    part->energy = -DBL_MAX;
    if (points < 2)
        return;
    const size_t last = points - 1; // rows and columns of the part
    for (size_t r = last; r-- > 0;) {
        const double *row = series->rows + (first + r) * side + first;
        double *tail = series->tails + r * side;
        tail[r] = row[r];
        for (size_t c = r + 1; c < last; c++)
            tail[c] = series->tails[(r + 1) * side + c] + row[c];
    }
    memset(series->between, 0, last * sizeof *series->between);
    double left = 0.0; // distances within the left side
    for (size_t r = 0; r < last; r++) {
        const double *row = series->rows + (first + r) * side + first;
        const double *within_left = series->within_left + r * side;
        const double *within_right = series->within_right + r * side;
        const double *tail = series->tails + (r + 1) * side; // not read where it would be past the last row
        double best = r > 0 ? 0.0 : -DBL_MAX;                // Otava's matrix holds zeros where kappa <= tau
        for (size_t c = r; c < last; c++) {
            series->between[c] += row[c];
            const double a = 2.0 / (double)(c + 2) * (series->between[c] - left);
            const double right = c > r ? within_right[c] * tail[c] : 0.0;
            const double energy = a - within_left[c] * left - right;
            best = energy > best ? energy : best;
        }
        if (best > part->energy || r == 0) {
            part->energy = best;
            part->split = part->start + r + 1;
        }
        // The next row's left side has one point more.
        double earlier = 0.0;
        for (size_t i = 0; i < first; i++)
            earlier += fabs(x[i] - x[first + r + 1]);
        left += series->columns[first + r + 1] - earlier;
    }
}

// A window begins at the last point that was found before it, or later, so that points come in order, and each once.
static int add_weak(size_t **weak, size_t *count, size_t *capacity, size_t index)
{
    if (*count > 0 && (*weak)[*count - 1] >= index)
        return 0; // from a search of this window that ran out of memory
    if (*count == *capacity) {
        size_t *grown = pc_realloc(*weak, 2 * *capacity + 16, sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        *weak = grown;
        *capacity = 2 * *capacity + 16;
    }
    (*weak)[(*count)++] = index;
    return 0;
}

// Search one window; add its weak points to the list and store where the next window starts.
static int search_window(pc_windowed *series, size_t start, size_t **weak, size_t *count, size_t *capacity,
                         size_t *next)
{
    const size_t room = series->length - start;
    const size_t end = start + (room < series->window ? room : series->window);
    segment *segments = series->segments;
    size_t parts = 1;
    measure_window(series, start, end);
    segments[0] = (segment){.start = start, .end = end};
    search_segment(series, start, &segments[0]);
    for (;;) {
        size_t best = parts;
        for (size_t i = 0; i < parts; i++) {
            if (segments[i].split != 0 && (best == parts || segments[i].energy > segments[best].energy))
                best = i;
        }
        if (best == parts)
            break;
        const segment whole = segments[best];
        if (!(pc_thinning_pvalue(series->prefixes, whole.start, whole.split, whole.end) <= series->first_pvalue))
            break;
        memmove(segments + best + 2, segments + best + 1, (parts - best - 1) * sizeof *segments);
        segments[best] = (segment){.start = whole.start, .end = whole.split};
        segments[best + 1] = (segment){.start = whole.split, .end = whole.end};
        search_segment(series, start, &segments[best]);
        search_segment(series, start, &segments[best + 1]);
        parts++;
    }
    for (size_t i = 1; i < parts; i++) {
        if (add_weak(weak, count, capacity, segments[i].start) < 0)
            return -ENOMEM;
    }
    const size_t last = parts > 1 ? segments[parts - 1].start : 0, stepped = start + series->window / 2;
    *next = last > stepped ? last : stepped;
    return 0;
}

int pc_windowed_find(pc_windowed *series, pc_change **changes, size_t *count)
{
    int status = 0;
    // Complete windows first: their weak points stay.
    while (status == 0 && series->next_window + series->window <= series->length)
        status = search_window(series, series->next_window, &series->weak, &series->weak_count, &series->weak_capacity,
                               &series->next_window);
    if (status < 0)
        return status;
    size_t weak_count = series->weak_count, weak_capacity = weak_count + 64;
    size_t *weak = pc_alloc(weak_capacity, sizeof *weak);
    if (weak == NULL)
        return -ENOMEM;
    if (weak_count > 0)
        memcpy(weak, series->weak, weak_count * sizeof *weak);
    for (size_t start = series->next_window; status == 0 && start < series->length;)
        status = search_window(series, start, &weak, &weak_count, &weak_capacity, &start);
    const pc_thinning_series whole = {
        .prefixes = series->prefixes, .first = series->length > 0 ? series->values[0] : 0.0, .length = series->length};
    if (status == 0)
        status = pc_thinning_run(series->thinning, &whole, weak, weak_count, changes, count);
    pc_free(weak);
    return status;
}
