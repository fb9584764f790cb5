// SPDX-License-Identifier: MIT
// The history (see the header). A query walks the shortest chain that it names, from the newest entry back; one that
// names none scans the entries that its times leave.
#include "workload/pc_history.h"

#include <string.h>

#include "base/pc_alloc.h"

enum { FIRST_ENTRIES = 64, FIRST_CHAINS = 16 };

void pc_history_init(pc_history *history)
{
    *history = (pc_history){0};
    for (int role = 0; role < PC_HISTORY_ROLES; role++)
        history->chains[role].closed = PC_HISTORY_NONE;
}

// --- chains ---

int pc_history_open(pc_history *history, pc_history_role role, uint32_t *chain)
{
    pc_history_chains *chains = &history->chains[role];
    uint32_t place = chains->closed;
    if (place != PC_HISTORY_NONE) {
        chains->closed = (uint32_t)chains->all[place].newest;
    } else {
        if (chains->count == chains->capacity) {
            uint32_t capacity = chains->capacity > 0 ? chains->capacity * 2 : FIRST_CHAINS;
            pc_history_chain *all = NULL;
            if (capacity > chains->capacity) // there are never more names than PC_HISTORY_MAX entries
                all = pc_realloc(chains->all, capacity, sizeof *all);
            if (all == NULL)
                return -ENOMEM;
            chains->all = all;
            chains->capacity = capacity;
        }
        place = chains->count++;
    }
    chains->all[place] = (pc_history_chain){0};
    *chain = place;
    return 0;
}

void pc_history_close(pc_history *history, pc_history_role role, uint32_t chain)
{
    pc_history_chains *chains = &history->chains[role];
    assert(chain < chains->count && chains->all[chain].length == 0);
    chains->all[chain].newest = chains->closed;
    chains->closed = chain;
}

// --- entries ---

int pc_history_reserve(pc_history *history)
{
    size_t length = pc_history_length(history);
    if (length < history->capacity)
        return 0;
    if (length >= PC_HISTORY_MAX)
        return -ENOMEM;
    size_t capacity = history->capacity > 0 ? history->capacity * 2 : FIRST_ENTRIES;
    pc_history_entry *entries = pc_alloc(capacity, sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    for (uint64_t number = history->first; number < history->next; number++)
        entries[number & (capacity - 1)] = *pc_history_at(history, number);
    pc_free(history->entries);
    history->entries = entries;
    history->capacity = capacity;
    return 0;
}

void pc_history_append(pc_history *history, void *item, int64_t time_ns, const uint32_t chain[PC_HISTORY_ROLES])
{
    assert(pc_history_length(history) < history->capacity);
    uint64_t number = history->next++;
    if (number > history->first && pc_history_at(history, number - 1)->time_ns > time_ns)
        history->ordered_from = number;
    pc_history_entry entry = {.item = item, .time_ns = time_ns};
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        entry.chain[role] = chain[role];
        if (chain[role] == PC_HISTORY_NONE)
            continue;
        pc_history_chain *mine = &history->chains[role].all[chain[role]];
        if (mine->length > 0)
            entry.back[role] = (uint32_t)(number - mine->newest);
        mine->newest = number;
        mine->length++;
    }
    *pc_history_at(history, number) = entry;
}

void *pc_history_drop(pc_history *history, uint32_t emptied[PC_HISTORY_ROLES])
{
    pc_history_entry *oldest = pc_history_at(history, history->first);
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        emptied[role] = PC_HISTORY_NONE;
        if (oldest->chain[role] != PC_HISTORY_NONE && --history->chains[role].all[oldest->chain[role]].length == 0)
            emptied[role] = oldest->chain[role];
    }
    history->first++;
    return oldest->item;
}

size_t pc_history_bytes(const pc_history *history)
{
    size_t bytes = history->capacity * sizeof *history->entries;
    for (int role = 0; role < PC_HISTORY_ROLES; role++)
        bytes += history->chains[role].capacity * sizeof(pc_history_chain);
    return bytes;
}

void pc_history_clear(pc_history *history)
{
    uint64_t next = history->next;
    pc_free(history->entries);
    for (int role = 0; role < PC_HISTORY_ROLES; role++)
        pc_free(history->chains[role].all);
    pc_history_init(history);
    history->first = history->next = history->ordered_from = next;
}

// --- queries ---

// The first number from `low` on, where times are in order, whose entry is not before `time_ns`; `high` if none.
static uint64_t first_since(const pc_history *history, uint64_t low, uint64_t high, int64_t time_ns)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (pc_history_at(history, middle)->time_ns < time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool matches(const pc_history_entry *entry, const pc_history_query *query)
{
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (query->chain[role] != PC_HISTORY_NONE && query->chain[role] != entry->chain[role])
            return false;
    }
    for (int role = 0; query->of_agent; role++) { // either role will do
        if (role == 2)
            return false;
        if (query->either[role] != PC_HISTORY_NONE && query->either[role] == entry->chain[role])
            break;
    }
    uint32_t topic = entry->chain[PC_HISTORY_TOPIC];
    if (query->topics != NULL && (topic == PC_HISTORY_NONE || (query->topics[topic / 64] >> topic % 64 & 1) == 0))
        return false;
    return entry->time_ns >= query->from_ns && entry->time_ns <= query->last_ns;
}

// A walk back over one chain. `number` is the next entry of it, if `left` > 0.
typedef struct walk {
    int role;
    uint32_t left;
    uint64_t number;
} walk;

static walk begin_walk(const pc_history *history, int role, uint32_t chain)
{
    if (chain == PC_HISTORY_NONE)
        return (walk){0};
    const pc_history_chain *mine = &history->chains[role].all[chain];
    return (walk){role, mine->length, mine->newest};
}

static void step(const pc_history *history, walk *at)
{
    at->number -= pc_history_at(history, at->number)->back[at->role];
    at->left--;
}

// The walks that lead to everything that can match, in as few steps as there can be. False: there is none but all.
static bool choose_walks(const pc_history *history, const pc_history_query *query, walk walks[2])
{
    size_t best = SIZE_MAX;
    if (query->of_agent) {
        for (int role = 0; role < 2; role++)
            walks[role] = begin_walk(history, role, query->either[role]);
        best = (size_t)walks[0].left + walks[1].left;
    }
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (query->chain[role] == PC_HISTORY_NONE)
            continue;
        walk one = begin_walk(history, role, query->chain[role]);
        if (one.left < best) {
            best = one.left;
            walks[0] = one;
            walks[1] = (walk){0};
        }
    }
    return best != SIZE_MAX;
}

// The newest number of two walks, each of which moves past it. False at the end of both.
static bool newest_of(const pc_history *history, walk walks[2], uint64_t *number)
{
    if (walks[0].left == 0 && walks[1].left == 0)
        return false;
    bool second = walks[0].left == 0 || (walks[1].left > 0 && walks[1].number > walks[0].number);
    *number = walks[second].number;
    for (int i = 0; i < 2; i++) {
        if (walks[i].left > 0 && walks[i].number == *number)
            step(history, &walks[i]);
    }
    return true;
}

int pc_history_select(const pc_history *history, const pc_history_query *query, void ***items, size_t *count)
{
    // What is after the last time lies at the end as far back as times are in order; the same for the beginning.
    uint64_t low = history->first, high = history->next;
    uint64_t ordered = history->ordered_from > low ? history->ordered_from : low;
    if (query->last_ns < INT64_MAX)
        high = first_since(history, ordered, high, query->last_ns + 1);
    if (ordered == low)
        low = first_since(history, low, high, query->from_ns);
    walk walks[2] = {{0}, {0}};
    bool walking = choose_walks(history, query, walks);
    size_t most = (size_t)(high - low);
    if (walking && most > (size_t)walks[0].left + walks[1].left)
        most = (size_t)walks[0].left + walks[1].left;
    if (most > query->limit)
        most = query->limit;
    void **found = NULL;
    if (most > 0 && (found = pc_alloc(most, sizeof *found)) == NULL)
        return -ENOMEM;
    size_t room = most; // filled from the end, since the newest come first
    uint64_t number = high;
    while (room > 0 && (walking ? newest_of(history, walks, &number) : number-- > low)) {
        if (number >= high)
            continue;
        if (number < low)
            break;
        const pc_history_entry *entry = pc_history_at(history, number);
        if (matches(entry, query))
            found[--room] = entry->item;
    }
    *count = most - room;
    if (*count == 0) {
        pc_free(found);
        found = NULL;
    } else if (room > 0) {
        memmove(found, found + room, *count * sizeof *found);
    }
    *items = found;
    return 0;
}
