// SPDX-License-Identifier: MIT
// pc_history: items in the order they came, each with a time and up to three names (sender, recipient, topic), found
// again by any of them. The items are borrowed pointers, the names are numbers ("chains") that the owner gives texts
// to.
//
// Invariants: entries are counted from 0 for ever; those from `first` up to `next` are here. All entries of a chain are
// linked from the newest to the oldest, by how many entries lie between, so dropping the oldest touches nothing else
// and an entry with its links takes 40 bytes. A chain without entries lives from pc_history_open to the append that
// uses it, and from the drop that empties it to pc_history_close. Entries from `ordered_from` on never go back in time.
// Thread contract: single owner (the bindings hold the GIL). Units: nanoseconds, of any clock.
#ifndef PC_HISTORY_H
#define PC_HISTORY_H

#include "base/pc_common.h"

typedef enum { PC_HISTORY_SENDER, PC_HISTORY_RECIPIENT, PC_HISTORY_TOPIC } pc_history_role;
enum { PC_HISTORY_ROLES = 3 };

#define PC_HISTORY_NONE UINT32_MAX // no chain
#define PC_HISTORY_MAX UINT32_MAX  // entries at most

typedef struct pc_history_entry {
    void *item;
    int64_t time_ns;
    uint32_t chain[PC_HISTORY_ROLES];
    uint32_t back[PC_HISTORY_ROLES]; // to the entry before it in its chain, if that is still here
} pc_history_entry;

typedef struct pc_history_chain {
    uint64_t newest; // an entry; of a closed chain the next closed one
    uint32_t length; // entries that are here
} pc_history_chain;

typedef struct pc_history_chains {
    pc_history_chain *all;
    uint32_t count, capacity;
    uint32_t closed; // the first closed chain, or PC_HISTORY_NONE
} pc_history_chains;

typedef struct pc_history {
    pc_history_entry *entries; // entry n at n modulo capacity
    size_t capacity;           // 0 or a power of two
    uint64_t first, next;
    uint64_t ordered_from;
    pc_history_chains chains[PC_HISTORY_ROLES];
} pc_history;

// What to look for. Chains are PC_HISTORY_NONE where anything will do.
typedef struct pc_history_query {
    uint32_t chain[PC_HISTORY_ROLES];
    uint32_t either[2]; // sender or recipient, PC_HISTORY_NONE where the agent was never that; if `of_agent`
    bool of_agent;
    const uint64_t *topics; // bits of the topics' chains that will do, or NULL
    int64_t from_ns, last_ns;
    size_t limit; // the newest so many
} pc_history_query;

// Make an empty history, which allocates nothing.
void pc_history_init(pc_history *history);

// A chain for a new name. 0, or -ENOMEM.
int pc_history_open(pc_history *history, pc_history_role role, uint32_t *chain) PC_NODISCARD;

// Give back a chain without entries.
void pc_history_close(pc_history *history, pc_history_role role, uint32_t chain);

// Make room for one more entry. 0, or -ENOMEM, also when PC_HISTORY_MAX entries are here.
int pc_history_reserve(pc_history *history) PC_NODISCARD;

// Append an item, for which there is room, to open chains (or PC_HISTORY_NONE).
void pc_history_append(pc_history *history, void *item, int64_t time_ns, const uint32_t chain[PC_HISTORY_ROLES]);

// Take the oldest entry out of a history that has one and return its item. emptied[role]: the chain that has no entry
// any more, for the caller to close, or PC_HISTORY_NONE.
void *pc_history_drop(pc_history *history, uint32_t emptied[PC_HISTORY_ROLES]);

// Find what a query asks for: a block for pc_free with the items from the oldest to the newest (NULL for none). 0, or
// -ENOMEM.
int pc_history_select(const pc_history *history, const pc_history_query *query, void ***items,
                      size_t *count) PC_NODISCARD;

// Bytes that were allocated.
size_t pc_history_bytes(const pc_history *history);

// Free everything, and make the history empty. Counting goes on where it was.
void pc_history_clear(pc_history *history);

static inline size_t pc_history_length(const pc_history *history)
{
    return (size_t)(history->next - history->first);
}

// The entry of this number, which must be here.
static inline pc_history_entry *pc_history_at(const pc_history *history, uint64_t number)
{
    assert(number >= history->first && number < history->next);
    return &history->entries[number & (history->capacity - 1)];
}

#endif
