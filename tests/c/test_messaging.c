// SPDX-License-Identifier: MIT
// pc_ring, pc_heap, pc_trie and pc_hash: order, growth round the end, MQTT's examples, every allocation failing once.
#include "check.h"
#include "failing_malloc.h"

#include <stdlib.h>
#include <string.h>

#include "workload/pc_hash.h"
#include "workload/pc_heap.h"
#include "workload/pc_ring.h"
#include "workload/pc_trie.h"

static void test_ring_batches(void)
{
    static int items[200];
    void *in[200], *out[200];
    for (int i = 0; i < 200; i++)
        in[i] = &items[i];
    pc_ring ring;
    pc_ring_init(&ring);
    pc_ring_push_many(&ring, in, 0); // without slots
    pc_ring_pop_many(&ring, out, 0);
    CHECK(pc_ring_reserve(&ring, 16) == 0);
    size_t capacity = ring.capacity;
    bool same = true;
    for (size_t start = 0; start < 150; start++) { // every place of the head, every split at the end of the slots
        size_t count = start % (capacity + 1);
        pc_ring_push_many(&ring, in + start, count / 2);
        pc_ring_push_many(&ring, in + start + count / 2, count - count / 2);
        same = same && ring.length == count && (count == 0 || pc_ring_at(&ring, count - 1) == in[start + count - 1]);
        pc_ring_pop_many(&ring, out, count / 3);
        pc_ring_pop_many(&ring, out + count / 3, count - count / 3);
        same = same && ring.length == 0 && memcmp(out, in + start, count * sizeof *out) == 0;
    }
    CHECK(same && ring.capacity == capacity);
    pc_ring_clear(&ring);
}

static void test_ring(void)
{
    static int items[1000];
    pc_ring ring;
    pc_ring_init(&ring);
    size_t in = 0, out = 0;
    bool ordered = true;
    while (out < 1000) { // three in, two out: it grows again and again with its head anywhere
        for (int i = 0; i < 3 && in < 1000; i++)
            CHECK(pc_ring_push(&ring, &items[in++]) == 0);
        for (int i = 0; i < 2 && ring.length > 0; i++)
            ordered = ordered && pc_ring_pop(&ring) == &items[out++];
        ordered = ordered && (ring.length == 0 || pc_ring_at(&ring, 0) == &items[out]);
    }
    CHECK(ordered && ring.length == 0);
    CHECK(pc_ring_reserve(&ring, SIZE_MAX / 4) == -ENOMEM);
    pc_ring_clear(&ring);
    fail_at = 0;
    CHECK(pc_ring_push(&ring, items) == -ENOMEM && ring.length == 0);
    CHECK(pc_ring_push(&ring, items) == 0 && pc_ring_pop(&ring) == items);
    pc_ring_clear(&ring);
}

static void test_heap(void)
{
    enum { COUNT = 997 };
    static int items[COUNT];
    pc_heap heap;
    pc_heap_init(&heap);
    for (int i = 0; i < COUNT; i++) {
        items[i] = i * 389 % COUNT / 7; // each priority seven times
        CHECK(pc_heap_push(&heap, &items[i], items[i]) == 0);
    }
    bool ordered = true;
    int *last = pc_heap_pop(&heap);
    while (heap.length > 0) {
        int *next = pc_heap_pop(&heap);
        ordered = ordered && (*last < *next || (*last == *next && last < next));
        last = next;
    }
    CHECK(ordered);
    CHECK(pc_heap_reserve(&heap, SIZE_MAX / 4) == -ENOMEM);
    pc_heap_clear(&heap);
    fail_at = 0;
    CHECK(pc_heap_push(&heap, items, 1) == -ENOMEM && heap.length == 0);
    pc_heap_clear(&heap);
}

static int add(pc_trie *trie, const char *filter, uint64_t order)
{
    return pc_trie_add(trie, filter, strlen(filter), (pc_subscriber){order, NULL});
}

// Whether a filter matches a topic, asked of a trie with it alone and of pc_trie_matches.
static bool matches(const char *filter, const char *topic)
{
    pc_trie trie = {0};
    pc_subscribers found = {0};
    CHECK(add(&trie, filter, 1) == 0);
    CHECK(pc_trie_match(&trie, topic, strlen(topic), &found) == 0);
    bool yes = found.length == 1;
    CHECK(pc_trie_matches(filter, strlen(filter), topic, strlen(topic)) == yes);
    CHECK(pc_trie_remove(&trie, filter, strlen(filter), 1) == 0);
    CHECK(pc_trie_match(&trie, topic, strlen(topic), &found) == 0 && found.length == 0);
    pc_subscribers_clear(&found);
    pc_trie_clear(&trie);
    return yes;
}

// The examples of MQTT 5.0, section 4.7, and their neighbours.
static void test_filters(void)
{
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    CHECK(!matches("sport/tennis/player1/#", "sport/tennis/player11"));
    CHECK(matches("sport/#", "sport") && matches("#", "sport/tennis") && matches("#", "/"));
    CHECK(matches("sport/tennis/+", "sport/tennis/player1"));
    CHECK(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    CHECK(!matches("sport/+", "sport") && matches("sport/+", "sport/"));
    CHECK(matches("+/+", "/finance") && matches("/+", "/finance") && !matches("+", "/finance"));
    CHECK(matches("+/tennis/#", "a/tennis") && matches("sport/+/player1", "sport/x/player1"));
    CHECK(!matches("#", "$SYS/a") && !matches("+/a", "$SYS/a"));
    CHECK(matches("$SYS/#", "$SYS/a") && matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    CHECK(matches("a/+", "a/$b") && !matches("a", "b") && !matches("a/b", "a") && !matches("A", "a"));

    const char *bad[] = {"", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "#/", "a/+b", "##"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(pc_trie_check_filter(bad[i], strlen(bad[i])) == -EINVAL);
    CHECK(pc_trie_check_filter("a\0b", 3) == -EINVAL && pc_trie_check_topic("a\0b", 3) == -EINVAL);
    CHECK(pc_trie_check_topic("a/+", 3) == -EINVAL && pc_trie_check_topic("", 0) == -EINVAL);
    CHECK(pc_trie_check_topic("a//b/", 5) == 0 && pc_trie_check_topic("$SYS", 4) == 0);

    char deep[2 * PC_TRIE_LEVELS + 2];
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? '/' : 'a';
    CHECK(pc_trie_check_filter(deep, 2 * PC_TRIE_LEVELS - 1) == 0);
    CHECK(pc_trie_check_filter(deep, 2 * PC_TRIE_LEVELS + 1) == -EINVAL);
}

static void test_subscribers(void)
{
    pc_trie trie = {0};
    pc_subscribers found = {0};
    CHECK(pc_trie_match(&trie, "a", 1, &found) == 0 && found.length == 0);
    CHECK(pc_trie_remove(&trie, "a", 1, 1) == -ENOENT);
    CHECK(add(&trie, "a/+", 3) == 0 && add(&trie, "a/#", 2) == 0 && add(&trie, "a/b", 2) == 0);
    CHECK(add(&trie, "a/b", 1) == 0 && add(&trie, "#", 3) == 0);
    CHECK(add(&trie, "a/b", 1) == -EEXIST && add(&trie, "a/#/b", 1) == -EINVAL);
    CHECK(pc_trie_match(&trie, "a/b", 3, &found) == 0 && found.length == 3); // each once, by order
    CHECK(found.data[0].order == 1 && found.data[1].order == 2 && found.data[2].order == 3);
    CHECK(pc_trie_remove(&trie, "a/+", 3, 2) == -ENOENT && pc_trie_remove(&trie, "a/x", 3, 2) == -ENOENT);
    CHECK(pc_trie_remove(&trie, "#", 1, 3) == 0 && pc_trie_remove(&trie, "a/+", 3, 3) == 0);
    CHECK(pc_trie_match(&trie, "a/b", 3, &found) == 0 && found.length == 2);
    // What a filter took goes with its last subscriber, and is taken again for another.
    CHECK(add(&trie, "x/y/z", 9) == 0);
    allocation_count = 0;
    for (int again = 0; again < 3; again++) {
        CHECK(pc_trie_remove(&trie, "x/y/z", 5, 9) == 0 && allocation_count == (size_t)again * 10);
        CHECK(add(&trie, "x/y/z", 9) == 0 && allocation_count == (size_t)(again + 1) * 10); // 3 nodes and a list
    }
    pc_subscribers_clear(&found);
    pc_trie_clear(&trie);
}

static void test_failing_allocations(void)
{
    long failed = 0;
    for (long at = 0;; at++) {
        pc_trie trie = {0};
        pc_subscribers found = {0};
        CHECK(add(&trie, "a/b", 1) == 0);
        fail_at = at;
        int status = add(&trie, "a/c/d/#", 2);
        if (status == 0)
            status = pc_trie_match(&trie, "a/c/d", 5, &found);
        bool used = fail_at < 0;
        fail_at = -1;
        CHECK(status == (used ? -ENOMEM : 0));
        failed += used;
        CHECK(pc_trie_match(&trie, "a/b", 3, &found) == 0 && found.length == 1);
        pc_subscribers_clear(&found);
        pc_trie_clear(&trie);
        if (!used)
            break;
    }
    CHECK(failed >= 8);
}

// A hash that changes sends every key elsewhere after an upgrade: these values are for ever.
static void test_hash(void)
{
    CHECK(pc_hash_bytes("", 0) == UINT64_C(0xf52a15e9a9b5e89b));
    CHECK(pc_hash_bytes("agent-01", 8) == UINT64_C(0xb8068290ee4f91e5));
    size_t counts[7] = {0};
    for (unsigned i = 0; i < 7000; i++) {
        size_t place = pc_hash_place(pc_hash_bytes((const char *)&i, sizeof i), 7);
        CHECK(place < 7);
        counts[place]++;
    }
    for (size_t i = 0; i < 7; i++)
        CHECK(counts[i] > 850 && counts[i] < 1150);
}

int main(void)
{
    test_ring();
    test_ring_batches();
    test_heap();
    test_filters();
    test_subscribers();
    test_failing_allocations();
    test_hash();
    return CHECK_EXIT();
}
