// SPDX-License-Identifier: MIT
// The text of files under /proc (see the header).
#include "measure/pc_proctext.h"

#include <string.h>

// What is left of the text: [at, end).
typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static void skip_blanks(cursor *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
        text->at++;
}

// A decimal number, with what may stand before it. A sign, a letter, the end, or 2^64 and above is no number.
static int take_number(cursor *text, uint64_t *number)
{
    skip_blanks(text);
    const char *first = text->at;
    uint64_t value = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        uint64_t digit = (uint64_t)(*text->at - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return -EBADMSG;
        text->at++;
    }
    if (text->at == first)
        return -EBADMSG;
    *number = value;
    return 0;
}

// Pass over `count` words.
static int skip_words(cursor *text, int count)
{
    while (count-- > 0) {
        skip_blanks(text);
        const char *first = text->at;
        while (text->at < text->end && *text->at != ' ' && *text->at != '\n')
            text->at++;
        if (text->at == first)
            return -EBADMSG;
    }
    return 0;
}

int pc_proctext_read_stat(const char *text, size_t length, pc_proctext_stat *stat)
{
    const char *paren = memrchr(text, ')', length);
    if (paren == NULL)
        return -EBADMSG;
    cursor rest = {paren + 1, text + length};
    skip_blanks(&rest);
    if (rest.at == rest.end || *rest.at < 'A' || *rest.at > 'z')
        return -EBADMSG;
    pc_proctext_stat found = {.state = *rest.at++};
    // proc(5) counts from 1; the state is field 3. {fields to pass over, where the next one goes}
    const struct {
        int skip;
        uint64_t *number;
    } plan[] = {
        {0, &found.parent},       {5, &found.minor_faults}, {1, &found.major_faults}, {1, &found.user_ticks},
        {0, &found.system_ticks}, {4, &found.threads},      {1, &found.start_ticks},
    };
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        if (skip_words(&rest, plan[i].skip) < 0 || take_number(&rest, plan[i].number) < 0)
            return -EBADMSG;
    }
    *stat = found;
    return 0;
}

int pc_proctext_read_numbers(const char *text, size_t length, uint64_t *numbers, size_t count)
{
    cursor rest = {text, text + length};
    uint64_t found[PC_PROCTEXT_NUMBERS]; // outputs stay untouched on failure
    assert(count <= PC_PROCTEXT_NUMBERS);
    for (size_t i = 0; i < count; i++) {
        if (take_number(&rest, &found[i]) < 0)
            return -EBADMSG;
    }
    memcpy(numbers, found, count * sizeof *numbers);
    return 0;
}

int pc_proctext_next_pid(const char **at, const char *end, int64_t *begun, int32_t *pid)
{
    while (*at < end) {
        const char character = *(*at)++;
        if (character >= '0' && character <= '9') {
            *begun = *begun * 10 + (character - '0');
            if (*begun > INT32_MAX)
                return -EBADMSG;
        } else if (*begun != 0) {
            *pid = (int32_t)*begun;
            *begun = 0;
            return 1;
        }
    }
    return 0;
}

int pc_proctext_read_field(const char *text, size_t length, const char *key, uint64_t *number)
{
    size_t key_length = strlen(key);
    const char *end = text + length;
    for (const char *line = text; line < end;) {
        if ((size_t)(end - line) >= key_length && memcmp(line, key, key_length) == 0) {
            cursor rest = {line + key_length, end};
            return take_number(&rest, number);
        }
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL)
            break;
        line = newline + 1;
    }
    return -ENOENT;
}

int pc_proctext_read_net(const char *text, size_t length, pc_proctext_net *net)
{
    const char *end = text + length;
    pc_proctext_net sum = {0};
    int headings = 2;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL)
            break; // a line that was cut off
        if (headings > 0) {
            headings--;
        } else {
            cursor rest = {line, newline};
            skip_blanks(&rest);
            const char *name = rest.at;
            const char *colon = memchr(name, ':', (size_t)(newline - name));
            if (colon == NULL)
                return -EBADMSG;
            rest.at = colon + 1;
            uint64_t columns[12]; // bytes, packets, errs, drop and four more received; the first four sent
            for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
                if (take_number(&rest, &columns[i]) < 0)
                    return -EBADMSG;
            }
            if (colon - name != 2 || memcmp(name, "lo", 2) != 0) {
                sum.received_bytes += columns[0];
                sum.sent_bytes += columns[8];
                sum.errors += columns[2] + columns[10];
                sum.drops += columns[3] + columns[11];
            }
        }
        line = newline + 1;
    }
    if (headings > 0)
        return -EBADMSG;
    *net = sum;
    return 0;
}

// The text from the line that begins with `key` and a blank on, with the key passed over.
static int find_line(const char *text, size_t length, const char *key, cursor *rest)
{
    size_t key_length = strlen(key);
    const char *end = text + length;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        if ((size_t)(stop - line) > key_length && memcmp(line, key, key_length) == 0 && line[key_length] == ' ') {
            *rest = (cursor){line + key_length, stop};
            return 0;
        }
        line = stop < end ? stop + 1 : end;
    }
    return -ENOENT;
}

// Pass over "NAME=".
static int skip_name(cursor *text, const char *name)
{
    skip_blanks(text);
    size_t length = strlen(name);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, name, length) != 0)
        return -EBADMSG;
    text->at += length;
    return 0;
}

int pc_proctext_read_pressure(const char *text, size_t length, const char *kind, pc_proctext_pressure *pressure)
{
    cursor rest;
    int status = find_line(text, length, kind, &rest);
    if (status < 0)
        return status;
    uint64_t whole, part, total;
    if (skip_name(&rest, "avg10=") < 0 || take_number(&rest, &whole) < 0 || rest.at == rest.end || *rest.at++ != '.')
        return -EBADMSG;
    const char *digits = rest.at;
    if (take_number(&rest, &part) < 0 || rest.at - digits != 2 || digits[0] == ' ' || digits[0] == '\t')
        return -EBADMSG;
    if (whole > 100 || skip_words(&rest, 2) < 0 || skip_name(&rest, "total=") < 0 || take_number(&rest, &total) < 0)
        return -EBADMSG;
    *pressure = (pc_proctext_pressure){.avg10_centipercent = whole * 100 + part, .total_us = total};
    return 0;
}

static int take_limit(cursor *text, uint64_t *limit)
{
    if (skip_name(text, "max") < 0)
        return take_number(text, limit);
    *limit = UINT64_MAX;
    return 0;
}

int pc_proctext_read_limit(const char *text, size_t length, uint64_t *limit)
{
    cursor rest = {text, text + length};
    return take_limit(&rest, limit);
}

int pc_proctext_read_quota(const char *text, size_t length, uint64_t *quota_us, uint64_t *period_us)
{
    cursor rest = {text, text + length};
    uint64_t quota, period;
    if (take_limit(&rest, &quota) < 0 || take_number(&rest, &period) < 0 || period == 0)
        return -EBADMSG;
    *quota_us = quota;
    *period_us = period;
    return 0;
}

int pc_proctext_read_cgroup(const char *text, size_t length, const char **path, size_t *path_length)
{
    static const char hierarchy[] = "0::/";
    const size_t before_path = sizeof hierarchy - 2;
    const char *end = text + length;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        size_t line_length = (size_t)(stop - line);
        if (line_length > before_path && memcmp(line, hierarchy, before_path + 1) == 0) {
            if (line_length >= before_path + 3 && memcmp(line + before_path, "/..", 3) == 0)
                return -ENOENT;
            *path = line + before_path;
            *path_length = line_length - before_path;
            return 0;
        }
        line = stop < end ? stop + 1 : end;
    }
    return -ENOENT;
}
