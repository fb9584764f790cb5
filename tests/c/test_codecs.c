// SPDX-License-Identifier: MIT
// pc_out, pc_json_text, pc_number_write: strings and numbers to text and back, nothing read behind the end (every text
// lies at the end of a block of its own), and every allocation failing once.
#include "check.h"
#include "failing_malloc.h"
#include "exact_copy.h" // behind what it asks for

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/pc_number.h"
#include "record/pc_number_write.h"
#include "workload/pc_json_text.h"

// Write `text` as a string, read it back. Returns 0 or -ENOMEM.
static int round_trip(const char *text, size_t length)
{
    char storage[2][8];
    pc_out written, read;
    pc_out_init(&written, storage[0], sizeof storage[0]);
    pc_out_init(&read, storage[1], sizeof storage[1]);
    int status = pc_json_write_string(&written, text, length);
    if (status == 0) {
        char *copy = exact_copy(written.data, written.length);
        const char *after;
        pc_json_code code = pc_json_unescape(copy + 1, copy + written.length, &read, &after, &status);
        if (status == 0) {
            CHECK(code == PC_JSON_FINE && after == copy + written.length);
            CHECK(read.length == length && memcmp(read.data, text, length) == 0);
        }
        free(copy);
    }
    char quoted[PC_JSON_SHORT_ROOM + 1];
    quoted[PC_JSON_SHORT_ROOM] = '#';
    const char *end = pc_json_write_short(quoted, text, length);
    if (end != NULL && status == 0) // the same text, and no byte too far
        CHECK((size_t)(end - quoted) == written.length && memcmp(quoted, written.data, written.length) == 0 &&
              quoted[PC_JSON_SHORT_ROOM] == '#' && written.length == length + 2);
    else if (status == 0) // only what has something to escape, or a length that it leaves to the other
        CHECK(written.length > length + 2 || length == 0 || length > 16);
    pc_out_clear(&written);
    pc_out_clear(&read);
    return status;
}

static void test_strings(void)
{
    static const char fills[] = {'a', '"', '\\', '\n', '\x01', '\0', '/'};
    for (size_t length = 0; length < 70; length++) {
        for (size_t at = 0; at <= length; at++) {
            for (size_t fill = 0; fill < sizeof fills; fill++) {
                char *text = __real_malloc(length + 1);
                memset(text, 'x', length + 1);
                text[at < length ? at : 0] = fills[fill];
                char *whole = exact_copy(text, length);
                CHECK(round_trip(whole, length) == 0);
                free(whole);
                free(text);
            }
        }
    }
    for (long failing = 0;; failing++) {
        fail_at = failing;
        int status = round_trip("plain, then \"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 44);
        bool failed = fail_at < 0;
        fail_at = -1;
        CHECK(status == (failed ? -ENOMEM : 0));
        if (!failed) {
            CHECK(failing >= 2);
            break;
        }
    }
    pc_out out;
    char storage[4];
    pc_out_init(&out, storage, sizeof storage);
    CHECK(pc_json_write_string(&out, storage, SIZE_MAX - 4) == -ENOMEM && out.length == 0 && out.data == storage);
    out.length = 4;
    CHECK(pc_out_reserve(&out, SIZE_MAX) == -ENOMEM);
}

// What is escaped how, and the code points at the ends of what UTF-8 takes one, two, three and four bytes for.
static void test_escapes(void)
{
    for (int byte = 0; byte < 0x20; byte++) {
        static const char shorts[] = "btn\0fr"; // of 8 to 13
        char wanted[16], text = (char)byte;
        pc_out out;
        char storage[64];
        pc_out_init(&out, storage, sizeof storage);
        if (byte >= 8 && byte <= 13 && shorts[byte - 8] != '\0')
            (void)snprintf(wanted, sizeof wanted, "\"\\%c\"", shorts[byte - 8]);
        else
            (void)snprintf(wanted, sizeof wanted, "\"\\u%04x\"", (unsigned)byte);
        CHECK(pc_json_write_string(&out, &text, 1) == 0);
        CHECK(out.length == strlen(wanted) && memcmp(out.data, wanted, out.length) == 0);
    }
    static const struct {
        const char *text, *meaning;
    } escapes[] = {
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\\u007f\\u0080\"", "\x7F\xC2\x80"},
        {"\\u07FF\\u0800\"", "\xDF\xBF\xE0\xA0\x80"},
        {"\\uabcd\\uEF98\"", "\xEA\xAF\x8D\xEE\xBE\x98"},
        {"\\uD7FF\\uE000\\uFFFF\"", "\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"},
        {"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
        {"12345\\uD83D\\uDE00\"", "12345\xF0\x9F\x98\x80"}, // one byte more than the storage has
    };
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        char storage[8];
        pc_out out;
        pc_out_init(&out, storage, sizeof storage);
        size_t length = strlen(escapes[i].text);
        const char *after;
        int status;
        CHECK(pc_json_unescape(escapes[i].text, escapes[i].text + length, &out, &after, &status) == PC_JSON_FINE);
        CHECK(status == 0 && after == escapes[i].text + length && out.length == strlen(escapes[i].meaning) &&
              memcmp(out.data, escapes[i].meaning, out.length) == 0);
        pc_out_clear(&out);
    }
}

static void test_plain(void)
{
    char block[64];
    memset(block, 'a', sizeof block);
    for (size_t at = 0; at < sizeof block; at++) {
        for (size_t length = at + 1; length <= sizeof block; length++) {
            block[at] = '"';
            char *copy = exact_copy(block, length);
            bool ascii = true;
            CHECK(pc_json_plain(copy, copy + length, &ascii) == copy + at && ascii);
            free(copy);
            block[at] = (char)0xC3;
            copy = exact_copy(block, length);
            CHECK(pc_json_plain(copy, copy + length, &ascii) == copy + length && !ascii);
            free(copy);
            block[at] = 'a';
        }
    }
}

// The text of the fewest digits that comes back as this double, and of those the nearest, by the C library, which is
// slow but right; without the point, the exponent and zeros at the end.
static void digits_of(double value, char *digits)
{
    char text[32];
    int precision = 0;
    do {
        (void)snprintf(text, sizeof text, "%.*e", precision++, value);
    } while (strtod(text, NULL) != value);
    size_t count = 0;
    for (const char *at = text; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
}

// Decimals as people and programs make them, of 1 to 17 digits and every layout, and doubles with any last bits.
static void test_shortest(void)
{
    uint64_t state = 1442695040888963407u;
    for (int i = 0; i < 6000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        char made[40], text[PC_DOUBLE_TEXT], wanted[32], found[32];
        uint64_t mantissa = (state >> 11) >> (i % 53);
        (void)snprintf(made, sizeof made, "%llue%d", (unsigned long long)mantissa, i % 61 - 40);
        double value = strtod(made, NULL);
        char *end = pc_double_write(text, value);
        CHECK(end != NULL);
        if (value == 0 || end == NULL)
            continue;
        size_t count = 0;
        for (const char *at = text; at < end && *at != 'e'; at++) {
            if (*at >= '0' && *at <= '9' && (count > 0 || *at != '0'))
                found[count++] = *at;
        }
        while (count > 1 && found[count - 1] == '0')
            count--;
        found[count] = '\0';
        digits_of(value, wanted);
        bool same = strcmp(found, wanted) == 0;
        if (!same)
            printf("%s: %s, not %s\n", made, found, wanted);
        CHECK(same);
    }
}

static void test_doubles(void)
{
    uint64_t state = 88172645463325252u;
    size_t written = 0;
    for (int i = 0; i < 300000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Exponents that measurements have, so that most are inside the table; fractions of all sorts.
        uint64_t bits = (state & ~((uint64_t)0x7FF << 52)) | (uint64_t)(900 + state % 250) << 52;
        if (i % 3 == 0)
            bits &= ~(((uint64_t)1 << (state % 53)) - 1);
        double value;
        memcpy(&value, &bits, sizeof value);
        char text[PC_DOUBLE_TEXT + 1];
        memset(text, '#', sizeof text);
        char *end = pc_double_write(text, value);
        if (end == NULL)
            continue;
        written++;
        pc_number number;
        bool same = end <= text + PC_DOUBLE_TEXT && text[PC_DOUBLE_TEXT] == '#' &&
                    pc_number_read(text, (size_t)(end - text), &number) == 0 && number.length == (size_t)(end - text) &&
                    memcmp(&number.value, &value, sizeof value) == 0;
        CHECK(same);
    }
    CHECK(written > 250000);
    test_shortest();
    char text[PC_DOUBLE_TEXT];
    // Half-way between two decimals of 17 digits: to the even one, as repr() does.
    CHECK(pc_double_write(text, 1125899906842624.25) == text + 18 && memcmp(text, "1125899906842624.2", 18) == 0);
    CHECK(pc_double_write(text, 1125899906842624.75) == text + 18 && memcmp(text, "1125899906842624.8", 18) == 0);
    CHECK(pc_double_write(text, (double)NAN) == NULL && pc_double_write(text, (double)INFINITY) == NULL);
    CHECK(pc_double_write(text, 5e-324) == NULL && pc_double_write(text, 1e300) == NULL);
}

static void test_integers(void)
{
    static const int64_t values[] = {0, 9, 10, 99, 100, 9999, 10000, INT64_MAX, INT64_MIN, -1, -10, 1234567890123};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[PC_INTEGER_TEXT], wanted[32];
        char *end = pc_integer_write(text, values[i]);
        int length = snprintf(wanted, sizeof wanted, "%lld", (long long)values[i]);
        CHECK(end - text == length && memcmp(text, wanted, (size_t)length) == 0);
        if (length > 18)
            continue;
        char *copy = exact_copy(text, (size_t)length);
        pc_json_scalar scalar;
        pc_json_code code;
        const char *where;
        CHECK(pc_json_read_number(copy, copy + length, &scalar, &code, &where) == 0 && scalar.kind == PC_JSON_SMALL &&
              scalar.integer == values[i] && scalar.after == copy + length);
        free(copy);
    }
    // What 64 bits with a sign do not hold, and what is no integer.
    static char many[PC_JSON_MAX_DIGITS + 2];
    memset(many, '1', sizeof many - 1);
    const struct {
        const char *text;
        int status;
        pc_json_numeral kind;
        pc_json_code code;
    } numbers[] = {
        {"9223372036854775807", 0, PC_JSON_SMALL, PC_JSON_FINE},
        {"-9223372036854775807", 0, PC_JSON_SMALL, PC_JSON_FINE},
        {"9223372036854775808", 0, PC_JSON_BIG, PC_JSON_FINE},
        {"9999999999999999999", 0, PC_JSON_BIG, PC_JSON_FINE},
        {"18446744073709551617", 0, PC_JSON_BIG, PC_JSON_FINE},
        {many + 1, 0, PC_JSON_BIG, PC_JSON_FINE},
        {many, -EINVAL, PC_JSON_BIG, PC_JSON_DIGITS},
        {"01", -EINVAL, PC_JSON_BIG, PC_JSON_NUMBER},
        {"-01", -EINVAL, PC_JSON_BIG, PC_JSON_NUMBER},
        {"-Infinity", -EINVAL, PC_JSON_BIG, PC_JSON_NOT_FINITE},
        {"-", -EINVAL, PC_JSON_BIG, PC_JSON_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pc_json_scalar scalar = {.kind = numbers[i].kind};
        pc_json_code code = PC_JSON_FINE;
        const char *where, *end = numbers[i].text + strlen(numbers[i].text);
        CHECK(pc_json_read_number(numbers[i].text, end, &scalar, &code, &where) == numbers[i].status);
        CHECK(code == numbers[i].code && scalar.kind == numbers[i].kind &&
              (code != PC_JSON_FINE || scalar.after == end));
    }
    char text[PC_INTEGER_TEXT];
    CHECK(pc_unsigned_write(text, UINT64_MAX) - text == 20 && memcmp(text, "18446744073709551615", 20) == 0);
}

int main(void)
{
    test_strings();
    test_escapes();
    test_plain();
    test_doubles();
    test_integers();
    return CHECK_EXIT();
}
