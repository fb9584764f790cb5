// SPDX-License-Identifier: MIT
// pc_number: what is read and refused, and doubles as the C library reads them.
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/pc_number.h"

static void test_known(void)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "-0.0",
        "0e5",
        "0.0e-999999999999",
        "1",
        "-1",
        "12345678",
        "123456789",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "18446744073709551615",
        "18446744073709551616",
        "0.1",
        "1e22",
        "1e23",
        "8.5e-45",
        "1e-64",
        "1e-65",
        "1e64",
        "1e65",
        "9999999999999999999e64",
        "5e-324",
        "2e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1e-2147483648",
        "0.3e1",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "0.00000000000000000000000012345678901234567",
        "7e-1",
        "6929495644600919.5",
        "6929495644600920.5",
        "1.2345678901234567e-07",
        "3.0517578125e-05",
        "4503599627370496.5",
        "4503599627370497.5",
        "562949953421312.0625", // half-way, of 19 digits: to even, down and up
        "562949953421312.1875",
        "0.000000000000000000000000000000",
        "1E5",
        "1e+5",
        "100000000000000000000000000000000000",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pc_number number = {.value = NAN};
        double want = strtod(texts[i], NULL);
        CHECK(pc_number_read(texts[i], strlen(texts[i]), &number) == 0);
        bool same = memcmp(&number.value, &want, sizeof want) == 0;
        if (!same)
            printf("%s: %.17g, not %.17g\n", texts[i], number.value, want);
        CHECK(same);
        CHECK(number.length == strlen(texts[i]) && number.integer == (strpbrk(texts[i], ".eE") == NULL));
    }
}

static void test_refusals(void)
{
    static const char *const bad[] = {"", "-", "a", "-a", "1.", "1.e5", "1e", "1e-", "1e+", ".5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pc_number number = {.value = 7.0, .length = 9};
        CHECK(pc_number_read(bad[i], strlen(bad[i]), &number) == -EINVAL);
        CHECK(number.value == 7.0 && number.length == 9); // untouched
    }
    pc_number number;
    CHECK(pc_number_read("1e309", 5, &number) == -ERANGE);
    CHECK(pc_number_read("-1e99999999999999999999", 23, &number) == -ERANGE);
    CHECK(pc_number_read("01", 2, &number) == 0 && number.length == 1);
    CHECK(pc_number_read("12345", 3, &number) == 0 && number.value == 123.0); // no further than told
}

// Every count of digits before and behind the point, with the text ending there and going on.
static void test_lengths(void)
{
    pc_number number;
    for (int whole = 1; whole <= 22; whole++) {
        for (int fraction = 1; fraction <= 26; fraction++) {
            char text[64];
            (void)snprintf(text, sizeof text, "%.*s.%.*s,1234567", whole, "9876543210987654321098", fraction,
                           "00012345678901234567890123");
            double want = strtod(text, NULL);
            size_t length = (size_t)(whole + 1 + fraction);
            for (size_t more = 0; more <= 8; more++) {
                char *copy = malloc(length + more); // ASan sees a byte too far
                CHECK(copy != NULL);
                memcpy(copy, text, length + more);
                CHECK(pc_number_read(copy, length + more, &number) == 0 && number.length == length &&
                      memcmp(&number.value, &want, sizeof want) == 0);
                free(copy);
            }
        }
    }
}

// Random decimals of every length against the C library, which is slow but right.
static void test_random(void)
{
    pc_number number;
    unsigned long long state = 88172645463325252ULL;
    for (int i = 0; i < 200000; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        char text[64];
        int digits = (int)(state % 21) + 1;
        (void)snprintf(text, sizeof text, "%.*e", digits,
                       (double)(state >> 11) * pow(10.0, (double)(state % 160) - 90));
        double want = strtod(text, NULL);
        if (pc_number_read(text, strlen(text), &number) != 0 || memcmp(&number.value, &want, sizeof want) != 0) {
            printf("%s\n", text);
            CHECK(false);
            break;
        }
    }
}

int main(void)
{
    test_known();
    test_refusals();
    test_lengths();
    test_random();
    return CHECK_EXIT();
}
