// SPDX-License-Identifier: MIT
// The whole C test framework: CHECK counts and reports, CHECK_EXIT ends main. A failed check does not end the program,
// so that one run shows every failure.
#ifndef PC_CHECK_H
#define PC_CHECK_H

#include <stdio.h>

static int check_count;
static int check_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        check_count++;                                                                                                 \
        if (!(condition)) {                                                                                            \
            check_failures++;                                                                                          \
            printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);                                       \
        }                                                                                                              \
    } while (0)

// The exit status of main: 0 when every check held and there was at least one. run.py reads the line.
#define CHECK_EXIT()                                                                                                   \
    (printf("%d checks, %d failed\n", check_count, check_failures), check_count == 0 || check_failures != 0)

#endif
