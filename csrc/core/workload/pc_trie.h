// SPDX-License-Identifier: MIT
// pc_trie: who subscribes to a topic, by MQTT's filters (MQTT 5.0, section 4.7). A topic is levels parted by '/'; in a
// filter '+' stands for one level and '#', at the end, for any number of them, none included. A first level that begins
// with '$' is matched by name alone.
//
// Invariants: a node other than the root has a subscriber or a child; children are sorted by name; a subscriber is once
// in a node. Subscribers are borrowed pointers with an order, in which they come out. Thread contract: single owner.
#ifndef PC_TRIE_H
#define PC_TRIE_H

#include "base/pc_common.h"

enum { PC_TRIE_LEVELS = 128 }; // a filter has at most so many, which bounds the depth of recursion

typedef struct pc_subscriber {
    uint64_t order;
    void *who;
} pc_subscriber;

typedef struct pc_subscribers {
    pc_subscriber *data;
    size_t length;
    size_t capacity;
} pc_subscribers;

typedef struct pc_trie {
    struct pc_trie_node *root; // NULL while there is no filter
} pc_trie;

// Whether a text is a filter: not empty, '+' and '#' alone in their levels, '#' the last one, no NUL. 0 or -EINVAL.
int pc_trie_check_filter(const char *filter, size_t length) PC_NODISCARD;

// Whether a text is a topic: not empty, without '+', '#' and NUL. 0 or -EINVAL.
int pc_trie_check_topic(const char *topic, size_t length) PC_NODISCARD;

// Add a subscriber to a filter. 0, -EINVAL for no filter, -EEXIST when it is there already, -ENOMEM.
int pc_trie_add(pc_trie *trie, const char *filter, size_t length, pc_subscriber subscriber) PC_NODISCARD;

// Take a subscriber from a filter. 0, or -ENOENT.
int pc_trie_remove(pc_trie *trie, const char *filter, size_t length, uint64_t order);

// Put into `found`, emptied first, the subscribers of every filter that matches, by order, each once. 0 or -ENOMEM.
int pc_trie_match(const pc_trie *trie, const char *topic, size_t length, pc_subscribers *found) PC_NODISCARD;

// Whether one filter matches one topic: the same answer without a trie.
bool pc_trie_matches(const char *filter, size_t filter_length, const char *topic, size_t topic_length);

// Free a list of subscribers.
void pc_subscribers_clear(pc_subscribers *list);

// Free everything.
void pc_trie_clear(pc_trie *trie);

#endif
