// SPDX-License-Identifier: MIT
// pc_history against a plain array that is searched from one end to the other; every allocation failing once.
#include "check.h"
#include "failing_malloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "workload/pc_history.h"

enum { NAMES = 5, STEPS = 4000 };

typedef struct event {
    int name[PC_HISTORY_ROLES]; // -1: none
    int64_t time_ns;
} event;

static event events[STEPS];
static size_t begun, ended; // events[begun] to events[ended - 1] are in the history
static uint32_t chains[PC_HISTORY_ROLES][NAMES];

static bool wanted(const event *one, const pc_history_query *query, const int name[], int agent, unsigned topics)
{
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (name[role] >= 0 && name[role] != one->name[role])
            return false;
    }
    if (agent >= 0 && agent != one->name[0] && agent != one->name[1])
        return false;
    if (query->topics != NULL && (one->name[2] < 0 || (topics >> one->name[2] & 1) == 0))
        return false;
    return one->time_ns >= query->from_ns && one->time_ns <= query->last_ns;
}

static bool ask(const pc_history *history, pc_rng *rng)
{
    int name[PC_HISTORY_ROLES], agent = (int)pc_rng_below(rng, 3 * NAMES) - 2 * NAMES;
    unsigned topics = (unsigned)pc_rng_below(rng, 1u << NAMES);
    uint64_t bits[NAMES] = {0}; // chains are numbered below 64 here
    pc_history_query query = {.of_agent = agent >= 0, .from_ns = INT64_MIN, .last_ns = INT64_MAX, .limit = SIZE_MAX};
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        name[role] = (int)pc_rng_below(rng, 3 * NAMES) - 2 * NAMES;
        query.chain[role] = name[role] >= 0 ? chains[role][name[role]] : PC_HISTORY_NONE;
        if (name[role] >= 0 && query.chain[role] == PC_HISTORY_NONE)
            return true; // a name that nobody has is not asked for
    }
    for (int role = 0; role < 2; role++)
        query.either[role] = agent >= 0 ? chains[role][agent] : PC_HISTORY_NONE;
    for (int topic = 0; topic < NAMES; topic++) {
        if ((topics >> topic & 1) != 0 && chains[2][topic] != PC_HISTORY_NONE)
            bits[chains[2][topic] / 64] |= UINT64_C(1) << chains[2][topic] % 64;
    }
    if (pc_rng_below(rng, 3) == 0)
        query.topics = bits;
    if (pc_rng_below(rng, 2) == 0 && ended > begun)
        query.from_ns = events[begun + pc_rng_below(rng, (uint32_t)(ended - begun))].time_ns;
    if (pc_rng_below(rng, 2) == 0 && ended > begun)
        query.last_ns = events[begun + pc_rng_below(rng, (uint32_t)(ended - begun))].time_ns;
    if (pc_rng_below(rng, 3) == 0)
        query.limit = 1 + pc_rng_below(rng, 9);
    void **found;
    size_t count, at;
    if (pc_history_select(history, &query, &found, &count) != 0)
        return false;
    bool same = (count == 0) == (found == NULL);
    at = count;
    for (size_t i = ended; i-- > begun && !(at == 0 && count == query.limit);) {
        if (wanted(&events[i], &query, name, agent, topics))
            same = same && at > 0 && found[--at] == &events[i];
    }
    pc_free(found);
    return same && at == 0;
}

static void drop(pc_history *history)
{
    uint32_t emptied[PC_HISTORY_ROLES];
    CHECK(pc_history_drop(history, emptied) == &events[begun]);
    for (int role = 0; role < PC_HISTORY_ROLES; role++) {
        if (emptied[role] == PC_HISTORY_NONE)
            continue;
        CHECK(chains[role][events[begun].name[role]] == emptied[role]);
        pc_history_close(history, (pc_history_role)role, emptied[role]);
        chains[role][events[begun].name[role]] = PC_HISTORY_NONE;
    }
    begun++;
}

static int add(pc_history *history, pc_rng *rng, int64_t *clock)
{
    int status = pc_history_reserve(history);
    uint32_t chain[PC_HISTORY_ROLES];
    event *one = &events[ended];
    *clock += (int64_t)pc_rng_below(rng, 4) - (pc_rng_below(rng, 40) == 0 ? 9 : 0); // seldom back in time
    one->time_ns = *clock;
    for (int role = 0; status == 0 && role < PC_HISTORY_ROLES; role++) {
        one->name[role] = (int)pc_rng_below(rng, NAMES + (role > 0)) - (role > 0);
        chain[role] = PC_HISTORY_NONE;
        if (one->name[role] < 0)
            continue;
        uint32_t *mine = &chains[role][one->name[role]];
        if (*mine == PC_HISTORY_NONE)
            status = pc_history_open(history, (pc_history_role)role, mine);
        chain[role] = *mine;
    }
    if (status == 0) {
        pc_history_append(history, one, *clock, chain);
        ended++;
    }
    return status;
}

static void begin(pc_history *history)
{
    pc_history_init(history);
    begun = ended = 0;
    memset(chains, 0xFF, sizeof chains);
}

static void test_against_an_array(size_t limit)
{
    pc_history history;
    pc_rng rng;
    int64_t clock = -50;
    pc_rng_seed(&rng, limit);
    begin(&history);
    size_t wrong = 0;
    while (ended < STEPS) {
        CHECK(add(&history, &rng, &clock) == 0);
        while (ended - begun > limit || (ended > begun && pc_rng_below(&rng, 50) == 0))
            drop(&history);
        CHECK(pc_history_length(&history) == ended - begun);
        wrong += !ask(&history, &rng);
    }
    CHECK(wrong == 0);
    CHECK(pc_history_bytes(&history) > 0);
    pc_history_clear(&history);
    CHECK(pc_history_length(&history) == 0 && pc_history_bytes(&history) == 0 && history.next == STEPS);
    pc_history_clear(&history);
}

// More topics than a word has bits.
static void test_many_topics(void)
{
    enum { TOPICS = 200 };
    pc_history history;
    pc_history_init(&history);
    uint64_t bits[(TOPICS + 63) / 64] = {0};
    for (size_t i = 0; i < TOPICS; i++) {
        uint32_t chain[PC_HISTORY_ROLES] = {PC_HISTORY_NONE, PC_HISTORY_NONE, PC_HISTORY_NONE};
        CHECK(pc_history_reserve(&history) == 0);
        CHECK(pc_history_open(&history, PC_HISTORY_TOPIC, &chain[PC_HISTORY_TOPIC]) == 0);
        pc_history_append(&history, &events[i], (int64_t)i, chain);
        if (i % 3 == 0)
            bits[chain[PC_HISTORY_TOPIC] / 64] |= UINT64_C(1) << chain[PC_HISTORY_TOPIC] % 64;
    }
    pc_history_query query = {.chain = {PC_HISTORY_NONE, PC_HISTORY_NONE, PC_HISTORY_NONE},
                              .topics = bits,
                              .from_ns = INT64_MIN,
                              .last_ns = INT64_MAX,
                              .limit = SIZE_MAX};
    void **found = NULL;
    size_t count = 0;
    CHECK(pc_history_select(&history, &query, &found, &count) == 0 && count == (TOPICS + 2) / 3);
    bool right = true;
    for (size_t i = 0; i < count; i++)
        right = right && found[i] == &events[3 * i];
    CHECK(right);
    pc_free(found);
    pc_history_clear(&history);
}

static void test_failing_allocations(void)
{
    int failures = 0;
    for (long place = 0;; place++) {
        pc_history history;
        pc_rng rng;
        int64_t clock = 0;
        pc_rng_seed(&rng, 1);
        begin(&history);
        fail_at = place;
        while (ended < 300) {
            size_t before = ended;
            int status = add(&history, &rng, &clock);
            CHECK(status == 0 || (status == -ENOMEM && ended == before));
            failures += status != 0;
        }
        pc_history_query all = {.chain = {PC_HISTORY_NONE, PC_HISTORY_NONE, PC_HISTORY_NONE},
                                .from_ns = INT64_MIN,
                                .last_ns = INT64_MAX,
                                .limit = SIZE_MAX};
        void **found = NULL;
        size_t count = 7;
        int status = pc_history_select(&history, &all, &found, &count);
        if (status == 0)
            CHECK(count == 300 && found[299] == &events[299]);
        else
            CHECK(status == -ENOMEM && found == NULL && count == 7);
        failures += status != 0;
        bool through = fail_at >= 0;
        fail_at = -1;
        pc_free(found);
        pc_history_clear(&history);
        if (through)
            break;
    }
    CHECK(failures >= 6);
}

int main(void)
{
    test_against_an_array(SIZE_MAX);
    test_against_an_array(1);
    test_against_an_array(60);
    test_against_an_array(700);
    test_many_topics();
    test_failing_allocations();
    return CHECK_EXIT();
}
