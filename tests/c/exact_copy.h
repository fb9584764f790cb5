// SPDX-License-Identifier: MIT
// A copy with a NUL behind it and nothing more, so that ASan sees a byte too far. With failing_malloc.h included
// before, its allocation never fails.
#ifndef PC_EXACT_COPY_H
#define PC_EXACT_COPY_H

#include <stdlib.h>
#include <string.h>

static char *exact_copy(const char *text, size_t length)
{
#ifdef PC_FAILING_MALLOC_H
    char *copy = __real_malloc(length + 1);
#else
    char *copy = malloc(length + 1);
#endif
    if (copy == NULL)
        abort();
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

#endif
