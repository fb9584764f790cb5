// SPDX-License-Identifier: MIT
// Radix selection (see the header for the method). What is ranked is called a quantity here: a value, or its distance
// from a center. The first count is over equal intervals of quantities (it is monotonic in floating point as well);
// after that quantities are keys: their bit patterns, so changed that unsigned order is the order of the doubles. Both
// zeros have the same key, and the sign of a selected zero is looked up in the data afterwards, since a stable sort
// keeps zeros in the order they came.
//
// Invariants: each cell lies inside one bin of the first count; the cells of one bin are disjoint, ascending and next
// to each other; cells[count] is a sentinel that no key reaches.
#include "judge/pc_select.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_keys.h"

enum {
    LEAST_BINS = 256,
    MOST_BINS = 16384,
    LEAST_KEYS = 2048,
    PROBES = 63,     // values that are looked at to place the first count
    UNPROBED = 4096, // up to this length its range is that of the data
    BLOCK = 256,     // quantities whose bins are found together
    NO_CELL = 0xff
};

// What the quantities are. Each pass is compiled once for each, since a test in the loop would cost as much as it does.
enum source { VALUES, DISTANCES };

#define ALWAYS_INLINE __attribute__((always_inline))

typedef struct cell {
    size_t bin;         // of the first count
    uint64_t low, high; // its keys lie in [low, high]
    size_t below;       // how many quantities are smaller than all of its own
    size_t count;       // how many lie in it
    size_t first, end;  // the wanted ranks in it: ranks[first] to ranks[end - 1]
    uint64_t *keys;     // where its keys are gathered, or NULL
    size_t gathered;
    uint64_t least, greatest; // of its keys, where they are not gathered
    unsigned shift;           // of its bins, when it is counted
} cell;

// The bins of the first count: (quantity - lowest) * scale, clamped to [0, last].
typedef struct grid {
    double lowest, scale, last;
} grid;

typedef struct selection {
    const pc_select *work;
    const double *values;
    size_t length;
    double center;
    enum source source;
    const size_t *ranks;
    double *results;
    grid grid;
    size_t cell_count;
    cell cells[PC_SELECT_RANKS + 1];
} selection;

static inline ALWAYS_INLINE double quantity(double value, enum source source, double center)
{
    return source == DISTANCES ? fabs(value - center) : value;
}

static inline ALWAYS_INLINE uint64_t key_of(double x)
{
    return pc_keys_of_double(x + 0.0); // -0.0 becomes 0.0
}

// The least shift for which (high - low) >> shift is below `bins`.
static unsigned shift_for(uint64_t low, uint64_t high, size_t bins)
{
    unsigned shift = 0;
    while ((high - low) >> shift >= bins)
        shift++;
    return shift;
}

// A grid over [lowest, highest]. Where the quotient overflows, everything falls into the first bin, and the second
// round does the work.
static grid make_grid(double lowest, double highest, size_t bins)
{
    const double scale = (double)bins / (highest - lowest);
    return (grid){.lowest = lowest, .scale = isfinite(scale) ? scale : 0.0, .last = (double)(bins - 1)};
}

// The bins of up to BLOCK quantities: a loop without branches or aliasing, which is compiled to vector instructions.
static inline ALWAYS_INLINE void find_bins(const grid *g, const double *restrict values, size_t count,
                                           enum source source, double center, int32_t *restrict bins)
{
    const double lowest = g->lowest, scale = g->scale, last = g->last;
    for (size_t i = 0; i < count; i++) {
        double x = (quantity(values[i], source, center) - lowest) * scale;
        x = x > 0.0 ? x : 0.0; // NaN, from an infinite distance and a scale of 0, becomes 0 as well
        x = x < last ? x : last;
        bins[i] = (int32_t)x;
    }
}

// ---- Passes over the data ----

static inline ALWAYS_INLINE void count_all(const selection *s, enum source source)
{
    int32_t places[BLOCK];
    uint32_t *bins = s->work->bins;
    for (size_t start = 0; start < s->length; start += BLOCK) {
        const size_t count = s->length - start < BLOCK ? s->length - start : BLOCK;
        find_bins(&s->grid, s->values + start, count, source, s->center, places);
        for (size_t i = 0; i < count; i++)
            bins[(size_t)places[i]]++;
    }
}

// The cell that holds the key, given the first one of its bin; or NULL.
static inline ALWAYS_INLINE cell *find_cell(cell *c, uint64_t key)
{
    while (key > c->high)
        c++;
    return key >= c->low ? c : NULL;
}

static inline ALWAYS_INLINE void gather(selection *s, enum source source)
{
    int32_t places[BLOCK];
    const uint8_t *owners = s->work->owners;
    for (size_t start = 0; start < s->length; start += BLOCK) {
        const double *values = s->values + start;
        const size_t count = s->length - start < BLOCK ? s->length - start : BLOCK;
        find_bins(&s->grid, values, count, source, s->center, places);
        for (size_t i = 0; i < count; i++) {
            const uint8_t owner = owners[(size_t)places[i]];
            if (PC_LIKELY(owner == NO_CELL))
                continue;
            const uint64_t key = key_of(quantity(values[i], source, s->center));
            cell *c = find_cell(&s->cells[owner], key);
            if (c == NULL)
                continue;
            if (c->keys != NULL) {
                c->keys[c->gathered++] = key;
            } else {
                c->least = key < c->least ? key : c->least;
                c->greatest = key > c->greatest ? key : c->greatest;
            }
        }
    }
}

static inline ALWAYS_INLINE void count_cells(selection *s, size_t bins_each, enum source source)
{
    int32_t places[BLOCK];
    const uint8_t *owners = s->work->owners;
    uint32_t *bins = s->work->bins;
    for (size_t start = 0; start < s->length; start += BLOCK) {
        const double *values = s->values + start;
        const size_t count = s->length - start < BLOCK ? s->length - start : BLOCK;
        find_bins(&s->grid, values, count, source, s->center, places);
        for (size_t i = 0; i < count; i++) {
            const uint8_t owner = owners[(size_t)places[i]];
            if (PC_LIKELY(owner == NO_CELL))
                continue;
            const uint64_t key = key_of(quantity(values[i], source, s->center));
            const cell *c = find_cell(&s->cells[owner], key);
            if (c != NULL)
                bins[(size_t)(c - s->cells) * bins_each + (size_t)((key - c->low) >> c->shift)]++;
        }
    }
}

// ---- Rounds ----

// From the counts of the bins of `from`, make in `into` a cell for each bin that holds a wanted rank.
static size_t split(const selection *s, const cell *from, const uint32_t *bins, cell *into)
{
    size_t made = 0, below = from->below, rank = from->first;
    for (size_t bin = 0; rank < from->end; below += bins[bin++]) {
        const size_t first = rank;
        while (rank < from->end && s->ranks[rank] < below + bins[bin])
            rank++;
        if (rank > first)
            into[made++] = (cell){.bin = bin, .below = below, .count = bins[bin], .first = first, .end = rank};
    }
    return made;
}

// Index the cells by the bins of the first count.
static void index_cells(selection *s)
{
    memset(s->work->owners, NO_CELL, s->work->bin_capacity);
    for (size_t i = s->cell_count; i-- > 0;)
        s->work->owners[s->cells[i].bin] = (uint8_t)i;
    s->cells[s->cell_count] = (cell){.low = UINT64_MAX, .high = UINT64_MAX};
}

// Give room in the workspace to as many cells as it holds, the smallest first.
static void assign_room(selection *s)
{
    size_t used = 0;
    for (;;) {
        cell *smallest = NULL;
        for (size_t i = 0; i < s->cell_count; i++) {
            cell *c = &s->cells[i];
            if (c->keys == NULL && (smallest == NULL || c->count < smallest->count))
                smallest = c;
        }
        if (smallest == NULL || smallest->count > s->work->key_capacity - used)
            return;
        smallest->keys = s->work->keys + used;
        used += smallest->count;
    }
}

static void settle_on_key(selection *s, const cell *c, uint64_t key)
{
    for (size_t r = c->first; r < c->end; r++)
        s->results[r] = pc_keys_to_double(key);
}

// Store the results of the cells that are decided, and keep the others, narrowed to what lies in them.
static void settle(selection *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->cell_count; i++) {
        cell *c = &s->cells[i];
        if (c->keys != NULL) {
            assert(c->gathered == c->count);
            uint64_t *rest = c->keys;
            size_t below = c->below, count = c->count;
            for (size_t r = c->first; r < c->end; r++) {
                size_t rank = s->ranks[r] - below;
                s->results[r] = pc_keys_to_double(pc_keys_select(rest, count, rank));
                rest += rank + 1;
                below += rank + 1;
                count -= rank + 1;
            }
        } else if (c->least == c->greatest) {
            settle_on_key(s, c, c->least);
        } else {
            c->low = c->least;
            c->high = c->greatest;
            s->cells[kept++] = *c;
        }
    }
    s->cell_count = kept;
}

// Count the cells that are left over their own ranges, and replace each by those of its bins that hold wanted ranks; a
// bin of a single key decides at once.
static inline ALWAYS_INLINE void narrow(selection *s, enum source source)
{
    size_t bins_each = s->work->bin_capacity;
    while (bins_each * s->cell_count > s->work->bin_capacity)
        bins_each /= 2;
    for (size_t i = 0; i < s->cell_count; i++)
        s->cells[i].shift = shift_for(s->cells[i].low, s->cells[i].high, bins_each);
    index_cells(s);
    memset(s->work->bins, 0, bins_each * s->cell_count * sizeof *s->work->bins);
    count_cells(s, bins_each, source);
    cell next[PC_SELECT_RANKS] = {{0}};
    size_t made = 0;
    for (size_t i = 0; i < s->cell_count; i++) {
        const cell *c = &s->cells[i];
        cell *parts = next + made;
        const size_t count = split(s, c, s->work->bins + i * bins_each, parts);
        for (size_t j = 0; j < count; j++) {
            const uint64_t low = c->low + ((uint64_t)parts[j].bin << c->shift);
            const uint64_t width = (UINT64_C(1) << c->shift) - 1;
            parts[j].bin = c->bin;
            parts[j].low = low;
            parts[j].high = width < c->high - low ? low + width : c->high;
            if (c->shift == 0)
                settle_on_key(s, &parts[j], low);
        }
        if (c->shift > 0)
            made += count;
    }
    s->cell_count = made;
    memcpy(s->cells, next, made * sizeof *next);
}

static inline ALWAYS_INLINE void run(selection *s, double lowest, double highest, size_t rank_count, enum source source)
{
    s->source = source;
    if (s->length <= PC_KEYS_SORTED_AT_ONCE) {
        for (size_t i = 0; i < s->length; i++)
            s->work->keys[i] = key_of(quantity(s->values[i], source, s->center));
        pc_keys_sort(s->work->keys, s->length);
        for (size_t r = 0; r < rank_count; r++)
            s->results[r] = pc_keys_to_double(s->work->keys[s->ranks[r]]);
        return;
    }
    s->grid = make_grid(lowest, highest, s->work->bin_capacity);
    memset(s->work->bins, 0, s->work->bin_capacity * sizeof *s->work->bins);
    count_all(s, source);
    const cell whole = {.count = s->length, .end = rank_count};
    s->cell_count = split(s, &whole, s->work->bins, s->cells);
    for (size_t i = 0; i < s->cell_count; i++)
        s->cells[i].high = UINT64_MAX - 1; // the only cell of its bin so far
    while (s->cell_count > 0) {
        for (size_t i = 0; i < s->cell_count; i++)
            s->cells[i].least = UINT64_MAX;
        index_cells(s);
        assign_room(s);
        gather(s, source);
        settle(s);
        if (s->cell_count > 0)
            narrow(s, source);
    }
}

// Narrow [*lowest, *highest] to where most of the values lie, so that a few far ones do not make the bins coarse: twice
// the range of some values from all over the data.
static void probe(const double *values, size_t length, double *lowest, double *highest)
{
    double sorted[PROBES] = {0};
    for (size_t i = 0; i < PROBES; i++) {
        const double value = values[length / PROBES * i];
        size_t hole = i;
        for (; hole > 0 && sorted[hole - 1] > value; hole--)
            sorted[hole] = sorted[hole - 1];
        sorted[hole] = value;
    }
    // Without the outermost ones, which may be far.
    const double low = sorted[2], high = sorted[PROBES - 3], margin = 0.5 * (high - low);
    *lowest = low - margin > *lowest ? low - margin : *lowest;
    *highest = high + margin < *highest ? high + margin : *highest;
}

// Give the zeros among the results the signs that they have after a stable sort.
static void restore_zero_signs(const double *values, size_t length, const size_t *ranks, size_t rank_count,
                               double *results)
{
    size_t next = 0;
    while (next < rank_count && results[next] != 0.0)
        next++;
    if (next == rank_count)
        return;
    size_t rank = 0; // of the next zero
    for (size_t i = 0; i < length; i++)
        rank += values[i] < 0.0;
    for (size_t i = 0; i < length && next < rank_count && results[next] == 0.0; i++) {
        if (values[i] == 0.0 && rank++ == ranks[next])
            results[next++] = values[i];
    }
}

// ---- Interface ----

int pc_select_init(pc_select *work, size_t length)
{
    size_t bins = LEAST_BINS;
    while (bins < MOST_BINS && bins < length / 2)
        bins *= 2;
    size_t keys = LEAST_KEYS + length / 32;
    char *block = pc_alloc(1, keys * sizeof *work->keys + bins * (sizeof *work->bins + sizeof *work->owners));
    if (block == NULL)
        return -ENOMEM;
    work->block = block;
    work->keys = (void *)block;
    work->bins = (void *)(block + keys * sizeof *work->keys);
    work->owners = (void *)(block + keys * sizeof *work->keys + bins * sizeof *work->bins);
    work->key_capacity = keys;
    work->bin_capacity = bins;
    return 0;
}

void pc_select_clear(pc_select *work)
{
    pc_free(work->block);
    work->block = NULL;
}

void pc_select_values(const pc_select *work, const double *values, size_t length, double lowest, double highest,
                      const size_t *ranks, size_t rank_count, double *results)
{
    assert(length > 0 && length <= UINT32_MAX && rank_count <= PC_SELECT_RANKS);
    selection s = {.work = work, .values = values, .length = length, .ranks = ranks, .results = results};
    if (length > UNPROBED)
        probe(values, length, &lowest, &highest);
    run(&s, lowest, highest, rank_count, VALUES);
    restore_zero_signs(values, length, ranks, rank_count, results);
}

void pc_select_distances(const pc_select *work, const double *values, size_t length, double center, double lowest,
                         double highest, const size_t *ranks, size_t rank_count, double *results)
{
    assert(length > 0 && length <= UINT32_MAX && rank_count <= PC_SELECT_RANKS);
    selection s = {.work = work, .values = values, .length = length, .ranks = ranks, .results = results};
    s.center = center;
    run(&s, lowest, highest, rank_count, DISTANCES);
}
