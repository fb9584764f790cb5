// SPDX-License-Identifier: MIT
// Sorting and ranking (see the header).
#include "judge/pc_order.h"

#include <string.h>

#include "base/pc_alloc.h"

enum { RUN = 16 };

static void sort_run(pc_ordered *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const pc_ordered item = items[i];
        size_t place = i;
        for (; place > 0 && items[place - 1].value > item.value; place--)
            items[place] = items[place - 1];
        items[place] = item;
    }
}

static void merge(const pc_ordered *items, size_t middle, size_t count, pc_ordered *into)
{
    size_t left = 0, right = middle;
    while (left < middle && right < count) {
        const bool take_right = items[right].value < items[left].value;
        *into++ = items[take_right ? right : left];
        right += take_right;
        left += !take_right;
    }
    memcpy(into, items + left, (middle - left) * sizeof *items);
    memcpy(into + (middle - left), items + right, (count - right) * sizeof *items);
}

pc_ordered *pc_order_sort(pc_ordered *items, pc_ordered *scratch, size_t count)
{
    for (size_t start = 0; start < count; start += RUN)
        sort_run(items + start, count - start < RUN ? count - start : RUN);
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            const size_t length = count - start < 2 * width ? count - start : 2 * width;
            merge(items + start, width < length ? width : length, length, scratch + start);
        }
        pc_ordered *swap = items;
        items = scratch;
        scratch = swap;
    }
    return items;
}

double pc_order_ranks(const pc_ordered *items, size_t count, uint32_t *doubled_ranks)
{
    double ties = 0.0;
    size_t end;
    for (size_t start = 0; start < count; start = end) {
        for (end = start + 1; end < count && items[end].value == items[start].value;)
            end++;
        for (size_t i = start; i < end; i++)
            doubled_ranks[items[i].index] = (uint32_t)(start + end + 1);
        const double equal = (double)(end - start);
        ties += equal * equal * equal - equal;
    }
    return ties;
}

int pc_order_values(const double *values, size_t count, double *sorted)
{
    pc_ordered *items = pc_alloc(count, 2 * sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        items[i] = (pc_ordered){.value = values[i]};
    const pc_ordered *ordered = pc_order_sort(items, items + count, count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = ordered[i].value;
    pc_free(items);
    return 0;
}
