// SPDX-License-Identifier: MIT
// Lines of any bytes, each taken as a topic filter and as a topic: the trie with all the filters must find what
// matching one filter at a time finds, also after every second subscription is taken back; and it must end up empty.
#include <stdlib.h>
#include <string.h>

#include "workload/pc_trie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { LINES = 24 };

typedef struct line {
    char *text; // a block of its own: one byte too far is seen
    size_t length;
    bool subscribed;
} line;

static void check(const pc_trie *trie, const line *lines, size_t count)
{
    pc_subscribers found = {0};
    for (size_t i = 0; i < count; i++) {
        if (pc_trie_check_topic(lines[i].text, lines[i].length) < 0)
            continue;
        DEMAND(pc_trie_match(trie, lines[i].text, lines[i].length, &found) == 0);
        size_t at = 0;
        for (size_t j = 0; j < count; j++) {
            if (!lines[j].subscribed ||
                !pc_trie_matches(lines[j].text, lines[j].length, lines[i].text, lines[i].length))
                continue;
            DEMAND(at < found.length && found.data[at].order == j);
            at++;
        }
        DEMAND(at == found.length);
    }
    pc_subscribers_clear(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    line lines[LINES] = {{0}};
    size_t count = 0;
    for (const uint8_t *end = data + size; data < end && count < LINES; count++) {
        const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
        line *each = &lines[count];
        each->length = (size_t)((stop != NULL ? stop : end) - data);
        each->text = malloc(each->length);
        DEMAND(each->text != NULL || each->length == 0);
        if (each->length > 0)
            memcpy(each->text, data, each->length);
        data = stop != NULL ? stop + 1 : end;
    }
    pc_trie trie = {0};
    for (size_t i = 0; i < count; i++) {
        int status = pc_trie_add(&trie, lines[i].text, lines[i].length, (pc_subscriber){i, NULL});
        DEMAND(status == pc_trie_check_filter(lines[i].text, lines[i].length));
        lines[i].subscribed = status == 0;
    }
    check(&trie, lines, count);
    for (size_t i = 0; i < count; i += 2) {
        int status = pc_trie_remove(&trie, lines[i].text, lines[i].length, i);
        DEMAND(status == (lines[i].subscribed ? 0 : -ENOENT));
        lines[i].subscribed = false;
    }
    check(&trie, lines, count);
    for (size_t i = 1; i < count; i += 2)
        DEMAND(pc_trie_remove(&trie, lines[i].text, lines[i].length, i) == (lines[i].subscribed ? 0 : -ENOENT));
    pc_subscribers found = {0};
    DEMAND(pc_trie_match(&trie, "x", 1, &found) == 0 && found.length == 0);
    pc_trie_clear(&trie);
    for (size_t i = 0; i < count; i++)
        free(lines[i].text);
    return 0;
}
