// SPDX-License-Identifier: MIT
// Sorting and selecting keys (see the header): insertion sort for few, Hoare's quickselect for many, handed to heap
// sort when the pivots are bad.
#include "judge/pc_keys.h"

void pc_keys_sort(uint64_t *keys, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        size_t hole = i;
        for (; hole > 0 && keys[hole - 1] > key; hole--)
            keys[hole] = keys[hole - 1];
        keys[hole] = key;
    }
}

static void sift_down(uint64_t *keys, size_t count, size_t parent)
{
    uint64_t key = keys[parent];
    for (size_t child; (child = 2 * parent + 1) < count; parent = child) {
        if (child + 1 < count && keys[child + 1] > keys[child])
            child++;
        if (keys[child] <= key)
            break;
        keys[parent] = keys[child];
    }
    keys[parent] = key;
}

static void heap_sort(uint64_t *keys, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(keys, count, i);
    while (count > 1) {
        uint64_t greatest = keys[0];
        keys[0] = keys[--count];
        sift_down(keys, count, 0);
        keys[count] = greatest;
    }
}

static uint64_t median_of_three(uint64_t a, uint64_t b, uint64_t c)
{
    if (a > b) {
        uint64_t t = a;
        a = b;
        b = t;
    }
    return c <= a ? a : c >= b ? b : c;
}

uint64_t pc_keys_select(uint64_t *keys, size_t count, size_t rank)
{
    const size_t wanted = rank;
    uint64_t *const all = keys;
    unsigned patience = 2 * (64 - (unsigned)__builtin_clzll(count));
    while (count > PC_KEYS_SORTED_AT_ONCE) {
        if (patience-- == 0) {
            heap_sort(keys, count);
            return all[wanted];
        }
        const uint64_t first = keys[0], middle = keys[count / 2], last = keys[count - 1];
        const uint64_t pivot = median_of_three(first, middle, last);
        // With the pivot in front, both parts of Hoare's partition are not empty.
        if (pivot == middle) {
            keys[count / 2] = first;
            keys[0] = pivot;
        } else if (pivot == last) {
            keys[count - 1] = first;
            keys[0] = pivot;
        }
        size_t left = SIZE_MAX, right = count;
        for (;;) {
            while (keys[--right] > pivot)
                continue;
            while (keys[++left] < pivot)
                continue;
            if (left >= right)
                break;
            uint64_t key = keys[left];
            keys[left] = keys[right];
            keys[right] = key;
        }
        const size_t lower = right + 1; // how many went to the lower part
        if (rank < lower) {
            count = lower;
        } else {
            keys += lower;
            count -= lower;
            rank -= lower;
        }
    }
    pc_keys_sort(keys, count);
    return all[wanted];
}
