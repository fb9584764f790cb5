// SPDX-License-Identifier: MIT
// Short texts that the readers met before: messages repeat their keys, senders and topics, and a str that exists need
// not be made. A text is kept when it comes twice without another one of its place between: texts that never repeat
// push none out, and cost one comparison and one store. Bounded: CODEC_WORDS texts of CODEC_WORD_BYTES at most. An
// attacker gains nothing: a collision costs one new str. Contract: with the GIL held; each interpreter has its own.
#ifndef PC_EXT_CODEC_WORDS_H
#define PC_EXT_CODEC_WORDS_H

#include "ext.h"

#include <string.h>

#include "base/pc_bytes.h"

enum {
    CODEC_WORDS = 1024,    // a power of two
    CODEC_WORD_BYTES = 64, // longer texts are not kept
};

typedef struct codec_word {
    PyObject *text;     // compact ASCII, or NULL
    uint32_t tag;       // of `text`
    uint32_t candidate; // of the last text that was not found here
} codec_word;

// A str of ASCII text, new but for the shortest.
PyObject *codec_ascii(const char *text, size_t length);

// The first and last bytes of a text of 2 bytes or more; up to 16 they are all of it.
typedef struct codec_ends {
    uint64_t first;
    uint64_t last;
} codec_ends;

static inline codec_ends codec_ends_of(const char *text, size_t length)
{
    codec_ends ends;
    if (length >= 8) {
        memcpy(&ends.first, text, 8);
        memcpy(&ends.last, text + length - 8, 8);
    } else if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + length - 4, 4);
        ends = (codec_ends){first, last};
    } else {
        uint16_t first;
        memcpy(&first, text, 2);
        ends = (codec_ends){first, (unsigned char)text[length - 1]};
    }
    return ends;
}

// What decides about the place and the tag of a text.
static inline uint64_t codec_word_mix(codec_ends ends, size_t length)
{
    return (ends.first ^ (ends.last << 29 | ends.last >> 35) ^ length) * 0x9E3779B97F4A7C15u;
}

static inline codec_word *codec_word_place(codec_word *words, uint64_t mixed)
{
    return &words[mixed >> 54 & (CODEC_WORDS - 1)];
}

static inline uint32_t codec_word_tag(uint64_t mixed)
{
    return (uint32_t)(mixed >> 22);
}

static inline bool codec_word_fits(size_t length)
{
    return length >= 2 && length <= CODEC_WORD_BYTES;
}

// The str of a text that fits, if it is kept; else NULL without an exception, and *mixed for codec_word_make. Bytes
// that are not ASCII are never found.
static inline PyObject *codec_word_find(codec_word *words, const char *text, size_t length, uint64_t *mixed)
{
    codec_ends ends = codec_ends_of(text, length);
    *mixed = codec_word_mix(ends, length);
    const codec_word *word = codec_word_place(words, *mixed);
    PyObject *known = word->text;
    if (PC_UNLIKELY(word->tag != codec_word_tag(*mixed) || known == NULL ||
                    (size_t)PyUnicode_GET_LENGTH(known) != length))
        return NULL;
    const char *bytes = (const char *)((PyASCIIObject *)known + 1); // as PyUnicode_DATA, without asking again
    return PC_LIKELY(pc_bytes_same(bytes, text, length)) ? Py_NewRef(known) : NULL;
}

// The str of an ASCII text that was not found.
PyObject *codec_word_make(codec_word *words, const char *text, size_t length, uint64_t mixed);

// The str of any ASCII text.
static inline PyObject *codec_word_text(codec_word *words, const char *text, size_t length)
{
    if (PC_UNLIKELY(!codec_word_fits(length)))
        return codec_ascii(text, length);
    uint64_t mixed;
    PyObject *known = codec_word_find(words, text, length, &mixed);
    return PC_LIKELY(known != NULL) ? known : codec_word_make(words, text, length, mixed);
}

#endif
