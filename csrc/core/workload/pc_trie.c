// SPDX-License-Identifier: MIT
// The trie of topic filters (see the header). '+' and '#' are children with these names: they sort and free like any
// other, and a topic cannot hold them.
#include "workload/pc_trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/pc_alloc.h"

typedef struct pc_trie_node {
    char *name;
    size_t name_length;
    struct pc_trie_node **children; // sorted by name
    size_t child_count;
    pc_subscribers subscribers;
} pc_trie_node;

typedef struct level {
    const char *text;
    size_t length;
} level;

// Cut the first level off *text. False when there is none left. A text "a/" has two levels, the second one empty.
static bool next_level(const char **text, const char *end, level *out)
{
    if (*text == NULL)
        return false;
    const char *slash = memchr(*text, '/', (size_t)(end - *text));
    *out = (level){*text, (size_t)((slash != NULL ? slash : end) - *text)};
    *text = slash != NULL ? slash + 1 : NULL;
    return true;
}

static bool is_level(level a, char character)
{
    return a.length == 1 && *a.text == character;
}

int pc_trie_check_filter(const char *filter, size_t length)
{
    if (length == 0 || memchr(filter, '\0', length) != NULL)
        return -EINVAL;
    const char *rest = filter;
    level each;
    for (int count = 1; next_level(&rest, filter + length, &each); count++) {
        bool wild = memchr(each.text, '+', each.length) != NULL || memchr(each.text, '#', each.length) != NULL;
        if (count > PC_TRIE_LEVELS || (wild && each.length > 1) || (is_level(each, '#') && rest != NULL))
            return -EINVAL;
    }
    return 0;
}

int pc_trie_check_topic(const char *topic, size_t length)
{
    bool bad = length == 0 || memchr(topic, '\0', length) != NULL || memchr(topic, '+', length) != NULL ||
               memchr(topic, '#', length) != NULL;
    return bad ? -EINVAL : 0;
}

// --- lists ---

static int append(pc_subscribers *list, pc_subscriber subscriber)
{
    if (list->length == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        pc_subscriber *data = pc_realloc(list->data, capacity, sizeof *data);
        if (data == NULL)
            return -ENOMEM;
        list->data = data;
        list->capacity = capacity;
    }
    list->data[list->length++] = subscriber;
    return 0;
}

void pc_subscribers_clear(pc_subscribers *list)
{
    pc_free(list->data);
    *list = (pc_subscribers){0};
}

// --- nodes ---

static int compare_names(const pc_trie_node *node, level name)
{
    size_t common = node->name_length < name.length ? node->name_length : name.length;
    int order = memcmp(node->name, name.text, common);
    return order != 0 ? order : (node->name_length > name.length) - (node->name_length < name.length);
}

// Find the child of a name: its index, or where it belongs.
static bool find_child(const pc_trie_node *node, level name, size_t *index)
{
    size_t low = 0, high = node->child_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(node->children[middle], name);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return false;
}

static pc_trie_node *child_named(const pc_trie_node *node, level name)
{
    size_t index;
    return find_child(node, name, &index) ? node->children[index] : NULL;
}

static void free_node(pc_trie_node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->child_count; i++)
        free_node(node->children[i]);
    pc_free(node->children);
    pc_free(node->name);
    pc_subscribers_clear(&node->subscribers);
    pc_free(node);
}

static pc_trie_node *new_node(level name)
{
    pc_trie_node *node = pc_alloc_zero(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->name = pc_alloc(name.length, 1);
    if (node->name == NULL) {
        pc_free(node);
        return NULL;
    }
    memcpy(node->name, name.text, name.length);
    node->name_length = name.length;
    return node;
}

static int add_child(pc_trie_node *node, level name, size_t index, pc_trie_node **out)
{
    pc_trie_node **children = pc_realloc(node->children, node->child_count + 1, sizeof *children);
    if (children == NULL)
        return -ENOMEM;
    node->children = children;
    pc_trie_node *child = new_node(name);
    if (child == NULL)
        return -ENOMEM;
    memmove(children + index + 1, children + index, (node->child_count - index) * sizeof *children);
    children[index] = child;
    node->child_count++;
    *out = child;
    return 0;
}

static bool is_bare(const pc_trie_node *node)
{
    return node->child_count == 0 && node->subscribers.length == 0;
}

// Take a subscriber from the node that the rest of a filter leads to, and every node off that is bare then. With an
// order that no subscriber has, this clears away what a failed pc_trie_add left.
static int take(pc_trie_node *node, const char *rest, const char *end, uint64_t order)
{
    level name;
    if (!next_level(&rest, end, &name)) {
        pc_subscribers *list = &node->subscribers;
        for (size_t i = 0; i < list->length; i++) {
            if (list->data[i].order == order) {
                list->length--;
                memmove(list->data + i, list->data + i + 1, (list->length - i) * sizeof *list->data);
                return 0;
            }
        }
        return -ENOENT;
    }
    size_t index;
    if (!find_child(node, name, &index))
        return -ENOENT;
    pc_trie_node *child = node->children[index];
    int status = take(child, rest, end, order);
    if (is_bare(child)) {
        free_node(child);
        node->child_count--;
        memmove(node->children + index, node->children + index + 1, (node->child_count - index) * sizeof child);
    }
    return status;
}

int pc_trie_add(pc_trie *trie, const char *filter, size_t length, pc_subscriber subscriber)
{
    int status = pc_trie_check_filter(filter, length);
    if (status < 0)
        return status;
    if (trie->root == NULL && (trie->root = new_node((level){"", 0})) == NULL)
        return -ENOMEM;
    pc_trie_node *node = trie->root;
    const char *rest = filter;
    level name;
    while (status == 0 && next_level(&rest, filter + length, &name)) {
        size_t index;
        if (find_child(node, name, &index))
            node = node->children[index];
        else
            status = add_child(node, name, index, &node);
    }
    for (size_t i = 0; status == 0 && i < node->subscribers.length; i++) {
        if (node->subscribers.data[i].order == subscriber.order)
            return -EEXIST;
    }
    if (status == 0)
        status = append(&node->subscribers, subscriber);
    if (status < 0)
        (void)take(trie->root, filter, filter + length, UINT64_MAX);
    return status;
}

int pc_trie_remove(pc_trie *trie, const char *filter, size_t length, uint64_t order)
{
    return trie->root == NULL ? -ENOENT : take(trie->root, filter, filter + length, order);
}

// --- matching ---

static int collect(const pc_trie_node *node, pc_subscribers *found)
{
    for (size_t i = 0; node != NULL && i < node->subscribers.length; i++) {
        int status = append(found, node->subscribers.data[i]);
        if (status < 0)
            return status;
    }
    return 0;
}

// A node is entered once in a match, for only one path leads to it; so a match costs no more than the nodes there are.
static int match(const pc_trie_node *node, const char *rest, const char *end, bool wild, pc_subscribers *found)
{
    const pc_trie_node *all = wild ? child_named(node, (level){"#", 1}) : NULL;
    int status = collect(all, found);
    level name;
    if (status < 0)
        return status;
    if (!next_level(&rest, end, &name))
        return collect(node, found);
    const pc_trie_node *exact = child_named(node, name);
    if (exact != NULL && (status = match(exact, rest, end, true, found)) < 0)
        return status;
    const pc_trie_node *any = wild ? child_named(node, (level){"+", 1}) : NULL;
    return any != NULL ? match(any, rest, end, true, found) : 0;
}

static int compare_orders(const void *a, const void *b)
{
    uint64_t left = ((const pc_subscriber *)a)->order, right = ((const pc_subscriber *)b)->order;
    return (left > right) - (left < right);
}

int pc_trie_match(const pc_trie *trie, const char *topic, size_t length, pc_subscribers *found)
{
    found->length = 0;
    if (trie->root == NULL || length == 0)
        return 0;
    int status = match(trie->root, topic, topic + length, *topic != '$', found);
    if (status < 0)
        return status;
    if (found->length > 1)
        qsort(found->data, found->length, sizeof *found->data, compare_orders);
    size_t kept = 0;
    for (size_t i = 0; i < found->length; i++) {
        if (kept == 0 || found->data[kept - 1].order != found->data[i].order)
            found->data[kept++] = found->data[i];
    }
    found->length = kept;
    return 0;
}

bool pc_trie_matches(const char *filter, size_t filter_length, const char *topic, size_t topic_length)
{
    const char *filters = filter, *topics = topic;
    level wanted, has;
    bool wild = topic_length == 0 || *topic != '$';
    while (next_level(&filters, filter + filter_length, &wanted)) {
        if (is_level(wanted, '#') && wild)
            return true;
        if (!next_level(&topics, topic + topic_length, &has))
            return false;
        bool same = wanted.length == has.length && memcmp(wanted.text, has.text, has.length) == 0;
        if (!same && !(is_level(wanted, '+') && wild))
            return false;
        wild = true;
    }
    return topics == NULL;
}

void pc_trie_clear(pc_trie *trie)
{
    free_node(trie->root);
    trie->root = NULL;
}
