// SPDX-License-Identifier: MIT
// Processes and their descendants (see the header).
#include "measure/pc_proclist.h"

#include <libproc2/pids.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/pc_alloc.h"

enum { ITEM_PID, ITEM_PARENT, ITEM_START, ITEMS };

void pc_proclist_clear(pc_proclist *list)
{
    struct pids_info *info = list->info;
    if (info != NULL)
        (void)procps_pids_unref(&info);
    pc_free(list->entries);
    *list = (pc_proclist){0};
}

static int compare_pids(const void *one, const void *other)
{
    const pc_proclist_entry *a = one, *b = other;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

static int reap(pc_proclist *list)
{
    struct pids_info *info = list->info;
    if (info == NULL) {
        enum pids_item items[ITEMS] = {
            [ITEM_PID] = PIDS_ID_PID, [ITEM_PARENT] = PIDS_ID_PPID, [ITEM_START] = PIDS_TICS_BEGAN};
        int status = procps_pids_new(&info, items, ITEMS);
        if (status < 0)
            return status;
        list->info = info;
    }
    errno = 0;
    const struct pids_fetch *fetch = procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY);
    if (fetch == NULL)
        return errno != 0 ? -errno : -EIO;
    size_t count = fetch->counts->total > 0 ? (size_t)fetch->counts->total : 0;
    if (count > list->capacity) {
        size_t capacity = count + count / 2;
        pc_proclist_entry *entries = pc_realloc(list->entries, capacity, sizeof *entries);
        if (entries == NULL)
            return -ENOMEM;
        list->entries = entries;
        list->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++) {
        // By hand, as the PIDS_VAL macro takes four arguments before 4.0.5 and three from then on.
        const struct pids_result *result = fetch->stacks[i]->head;
        list->entries[i] = (pc_proclist_entry){.pid = result[ITEM_PID].result.s_int,
                                               .parent = result[ITEM_PARENT].result.s_int,
                                               .start_ticks = result[ITEM_START].result.ull_int};
    }
    list->length = count;
    return 0;
}

int pc_proclist_read(pc_proclist *list)
{
    locale_t before = uselocale((locale_t)0); // libproc2 through 4.0.4 may leave another one behind
    list->length = 0;
    int status = reap(list);
    (void)uselocale(before);
    if (status == 0 && list->length > 1)
        qsort(list->entries, list->length, sizeof *list->entries, compare_pids);
    return status;
}

static size_t position(const pc_proclist *list, pid_t pid)
{
    const pc_proclist_entry key = {.pid = pid};
    const pc_proclist_entry *hit =
        list->length == 0 ? NULL : bsearch(&key, list->entries, list->length, sizeof key, compare_pids);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - list->entries);
}

int pc_proclist_descendants(pc_proclist *list, const pid_t *roots, size_t root_count, size_t *found)
{
    enum { UNKNOWN, OUTSIDE, INSIDE, ON_PATH };
    unsigned char *kinds = pc_alloc_zero(list->length, 1);
    bool *is_root = pc_alloc_zero(list->length, sizeof *is_root);
    if (kinds == NULL || is_root == NULL) {
        pc_free(kinds);
        pc_free(is_root);
        return -ENOMEM;
    }
    for (size_t i = 0; i < root_count; i++) {
        size_t at = position(list, roots[i]);
        if (at != SIZE_MAX) {
            is_root[at] = true;
            kinds[at] = INSIDE;
        }
    }
    for (size_t i = 0; i < list->length; i++) {
        // Up to an ancestor whose kind is known, then down again: every entry is decided once. The list is no snapshot,
        // so a reused number may close a circle: that path is outside.
        size_t at = i;
        while (at != SIZE_MAX && kinds[at] == UNKNOWN) {
            kinds[at] = ON_PATH;
            at = position(list, list->entries[at].parent);
        }
        unsigned char kind = at != SIZE_MAX && kinds[at] == INSIDE ? INSIDE : OUTSIDE;
        for (at = i; at != SIZE_MAX && kinds[at] == ON_PATH; at = position(list, list->entries[at].parent))
            kinds[at] = kind;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list->length; i++) {
        if (kinds[i] == INSIDE && !is_root[i])
            list->entries[kept++] = list->entries[i];
    }
    pc_free(kinds);
    pc_free(is_root);
    list->length = kept;
    *found = kept;
    return 0;
}
