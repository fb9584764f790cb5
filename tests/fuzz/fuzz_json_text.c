// SPDX-License-Identifier: MIT
// Any bytes to the string and number readers of the JSON codec. A string that they take is one that pc_json_string
// takes (but for UTF-8 and NUL, which are the caller's), and is written and read back the same; a number is one of
// pc_number_read, and its text comes back from the writer as the same double.
#include <stdlib.h>
#include <string.h>

#include "record/pc_json_scan.h"
#include "record/pc_number.h"
#include "record/pc_number_write.h"
#include "workload/pc_json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void try_string(const char *text, const char *end)
{
    char storage[3][16];
    pc_out read, written, again;
    pc_out_init(&read, storage[0], sizeof storage[0]);
    pc_out_init(&written, storage[1], sizeof storage[1]);
    pc_out_init(&again, storage[2], sizeof storage[2]);
    const char *after, *strict_after;
    int status;
    pc_json_code code = pc_json_unescape(text + 1, end, &read, &after, &status);
    DEMAND(status == 0 && after > text && after <= end);
    pc_json_code strict = pc_json_string(text, end, &strict_after);
    if (strict == PC_JSON_FINE)
        DEMAND(code == PC_JSON_FINE && after == strict_after);
    else if (strict != PC_JSON_NOT_UTF8 && strict != PC_JSON_NUL)
        DEMAND(code == strict && after == strict_after);
    if (code == PC_JSON_FINE) {
        DEMAND(pc_json_write_string(&written, read.data, read.length) == 0);
        char quoted[PC_JSON_SHORT_ROOM];
        const char *quoted_end = pc_json_write_short(quoted, read.data, read.length);
        if (quoted_end != NULL) {
            DEMAND((size_t)(quoted_end - quoted) == written.length);
            DEMAND(memcmp(quoted, written.data, written.length) == 0);
        }
        DEMAND(pc_out_reserve(&written, 1) == 0);
        written.data[written.length] = '\0';
        const char *last = written.data + written.length;
        DEMAND(pc_json_unescape(written.data + 1, last, &again, &after, &status) == PC_JSON_FINE && status == 0);
        DEMAND(after == last && again.length == read.length && memcmp(again.data, read.data, read.length) == 0);
    }
    pc_out_clear(&read);
    pc_out_clear(&written);
    pc_out_clear(&again);
}

static void try_number(const char *text, const char *end)
{
    pc_json_scalar scalar;
    pc_json_code code = PC_JSON_FINE;
    const char *where = NULL;
    int status = pc_json_read_number(text, end, &scalar, &code, &where);
    if (status < 0) {
        DEMAND(status == -EINVAL && code != PC_JSON_FINE && where >= text && where <= end);
        return;
    }
    DEMAND(scalar.after > text && scalar.after <= end);
    pc_number number;
    status = pc_number_read(text, (size_t)(scalar.after - text), &number);
    DEMAND(status == 0 || (status == -ERANGE && scalar.kind == PC_JSON_BIG));
    if (scalar.kind != PC_JSON_REAL)
        return;
    DEMAND(memcmp(&number.value, &scalar.real, sizeof scalar.real) == 0);
    char written[PC_DOUBLE_TEXT];
    const char *last = pc_double_write(written, scalar.real);
    if (last != NULL) {
        DEMAND(pc_number_read(written, (size_t)(last - written), &number) == 0);
        DEMAND(number.length == (size_t)(last - written));
        DEMAND(memcmp(&number.value, &scalar.real, sizeof scalar.real) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); // a block of its own: one byte behind the NUL is seen
    DEMAND(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    const char *end = text + size;
    const char *at = pc_json_space(text);
    DEMAND(at <= end);
    if (at < end && *at == '"')
        try_string(at, end);
    else if (at < end && (*at == '-' || (*at >= '0' && *at <= '9')))
        try_number(at, end);
    bool ascii = true;
    DEMAND(pc_json_plain(text, end, &ascii) <= end);
    free(text);
    return 0;
}
