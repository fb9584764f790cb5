// SPDX-License-Identifier: MIT
// What every file of the core may use. The core is plain C11 and never includes Python.h.
//
// Conventions: a function returns 0 or a negative errno value; outputs go through trailing pointers and are untouched
// on failure. There are no globals, nothing prints, nothing aborts. Times are int64_t nanoseconds until they are
// reported.
#ifndef PC_COMMON_H
#define PC_COMMON_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PC_NODISCARD __attribute__((warn_unused_result))
#define PC_LIKELY(x) __builtin_expect(!!(x), 1)
#define PC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
