// SPDX-License-Identifier: MIT
// Numbers to text (see the header).
#include "record/pc_number_write.h"

#include <math.h>
#include <string.h>

#if defined(__SSE2__) && defined(__x86_64__)
#define PC_VECTORS
#include <emmintrin.h>
#endif

#include "record/pc_powers.h"

static inline unsigned digits_of(uint64_t value)
{
    static const uint64_t powers[20] = {
        0,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
        10000000000000000000u,
    };
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12; // log10(2), one too few at most
    return guess + (value >= powers[guess]);
}

// The digits of a number below 10^8 as bytes 0 to 9, zeros in front, the first in the lowest byte: halves, quarters and
// digits are divided off in lanes of one word.
static inline uint64_t eight_digits(uint32_t value)
{
    uint64_t lanes = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t high = ((lanes * 10486) >> 20) & 0x0000007F0000007Fu; // by 100, exact below 10^4
    lanes = high | (lanes - high * 100) << 16;
    high = ((lanes * 103) >> 10) & 0x000F000F000F000Fu; // by 10, exact below 10^2
    return high | (lanes - high * 10) << 8;
}

static const uint64_t zero_digits = 0x3030303030303030u; // what makes text of them

static inline void store_digits(char *at, uint64_t word)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(at, &word, sizeof word);
}

// Write exactly `count` digits (1 to 20), which value has, at `at`; eight bytes are overwritten in any case.
static inline void write_digits(char *at, uint64_t value, unsigned count)
{
    unsigned words = (count - 1) / 8;
    unsigned head = count - 8 * words;
    uint32_t low[2];
    for (unsigned i = words; i-- > 0; value /= 100000000)
        low[i] = (uint32_t)(value % 100000000);
    store_digits(at, (eight_digits((uint32_t)value) + zero_digits) >> (8 * (8 - head)));
    for (unsigned i = 0; i < words; i++)
        store_digits(at + head + 8 * i, eight_digits(low[i]) + zero_digits);
}

char *pc_unsigned_write(char *at, uint64_t value)
{
    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    if (value < 100) {
        at[0] = (char)('0' + value / 10);
        at[1] = (char)('0' + value % 10);
        return at + 2;
    }
    unsigned count = digits_of(value);
    write_digits(at, value, count);
    return at + count;
}

char *pc_integer_write(char *at, int64_t value)
{
    if (value >= 0)
        return pc_unsigned_write(at, (uint64_t)value);
    *at = '-';
    return pc_unsigned_write(at + 1, 0 - (uint64_t)value);
}

typedef struct decimal {
    uint64_t digits; // 16 or 17 of them: value = digits * 10^power
    int power;
} decimal;

__extension__ typedef unsigned __int128 wide;

// The high word of a product of 128 by 64 bits, with its last bit set where anything below it is not zero ("rounded
// to odd"): comparisons with multiples of two then come out as if it were exact.
static inline uint64_t product_to_odd(const uint64_t power[2], uint64_t factor)
{
    uint64_t below = (uint64_t)(((wide)power[1] * factor) >> 64);
    wide product = (wide)power[0] * factor + below;
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

// What the methods below begin with: the power of ten that a number is counted in, floor(log10(2^e)), or for a lopsided
// interval floor(log10(3/4 * 2^e)); the row of the table for it; and by how many bits the mantissa is shifted, from
// floor(log2(10^p)). Exact over the range of double. False outside the table.
typedef struct scaling {
    const uint64_t *row;
    int power;
    int shift;
} scaling;

static inline bool find_scaling(int exponent, bool narrow, scaling *found)
{
    int power = (exponent * 1262611 - (narrow ? 524031 : 0)) >> 22;
    if (-power < PC_POWERS_LOW || -power > PC_POWERS_HIGH)
        return false;
    found->row = pc_powers[-power - PC_POWERS_LOW];
    found->power = power;
    found->shift = exponent + ((-power * 1741647) >> 19) + 1;
    assert(found->shift >= 1 && found->shift <= 4);
    return true;
}

// The shortest decimal inside the interval of reals that round to mantissa * 2^exponent; false outside the table.
// `narrow`: the lower half of the interval is half as wide, because the number is a power of two.
__attribute__((noinline)) static bool shortest_exactly(uint64_t mantissa, int exponent, bool narrow, decimal *found)
{
    scaling in;
    if (!find_scaling(exponent, narrow, &in))
        return false;
    uint64_t scale[2] = {in.row[0], in.row[1]};
    if (-in.power < -27 || -in.power > 55) { // the table has these rounded down, the method wants them rounded up
        scale[1]++;
        scale[0] += scale[1] == 0;
    }
    // In units of a quarter of 10^power: the number, and the ends of its interval, which belong to it if it is even.
    uint64_t odd = mantissa & 1;
    uint64_t low = product_to_odd(scale, (4 * mantissa - 2 + narrow) << in.shift) + odd;
    uint64_t middle = product_to_odd(scale, (4 * mantissa) << in.shift);
    uint64_t high = product_to_odd(scale, (4 * mantissa + 2) << in.shift) - odd;
    // One digit fewer, if just one of the two neighbours is inside.
    uint64_t digits = middle / 4;
    uint64_t fewer = digits / 10 * 10;
    bool lower_fits = low <= 4 * fewer;
    bool upper_fits = 4 * fewer + 40 <= high;
    found->power = in.power;
    if (lower_fits != upper_fits) {
        found->digits = fewer + (upper_fits ? 10 : 0);
        return true;
    }
    lower_fits = low <= 4 * digits;
    upper_fits = 4 * digits + 4 <= high;
    uint64_t half = 4 * digits + 2;
    bool nearer_up = middle > half || (middle == half && (digits & 1));
    found->digits = digits + (lower_fits == upper_fits ? nearer_up : upper_fits);
    return true;
}

// The same without the last words of the products. In units of 10^power the number is digits + fraction. At most one
// multiple of ten is inside its interval, for that is narrower than ten; if none is, the nearest integer is the answer,
// for it is wider than one unless lopsided. What is compared with tens is known to one unit of 2^-60, the fraction to
// one of 2^-64: where two are as near as that, and where lopsidedness could matter, shortest_exactly decides. What
// remains nobody can predict (16 and 17 digits are about as frequent), so there is no jump.
static inline bool shortest(uint64_t mantissa, int exponent, bool narrow, decimal *found)
{
    scaling in;
    if (!find_scaling(exponent, narrow, &in))
        return false;
    uint64_t factor = mantissa << in.shift;
    wide product = (wide)in.row[0] * factor + (uint64_t)(((wide)in.row[1] * factor) >> 64);
    uint64_t digits = (uint64_t)(product >> 64);
    uint64_t fraction = (uint64_t)product;
    uint64_t last = digits % 10;
    uint64_t half = in.row[0] >> (5 - in.shift);
    uint64_t lower_half = half >> narrow;
    uint64_t over = last << 60 | fraction >> 4; // the multiple of ten below
    uint64_t under = ((uint64_t)10 << 60) - over;
    uint64_t ten_above = under < half;
    uint64_t tens = (over < lower_half) | ten_above;
    bool unsure = (over - lower_half + 1 <= 2) | (under - half <= 2) | ((fraction + 1) >> 1 == (uint64_t)1 << 62);
    if (PC_UNLIKELY(unsure | (narrow & !tens)))
        return shortest_exactly(mantissa, exponent, narrow, found);
    found->digits = digits - tens * last + 10 * ten_above + ((1 - tens) & fraction >> 63);
    found->power = in.power;
    return true;
}

// The text of sixteen digits, and how many of them there are without the zeros at the end.
typedef struct sixteen {
#ifdef PC_VECTORS
    __m128i text;
#else
    uint64_t text[2];
#endif
    int count;
} sixteen;

#ifdef PC_VECTORS
static inline sixteen sixteen_digits(uint32_t high, uint32_t low) // as eight_digits, both at once
{
    __m128i value = _mm_set_epi64x(low, high);
    __m128i above = _mm_srli_epi64(_mm_mul_epu32(value, _mm_set1_epi64x(0xD1B71759)), 45); // by 10^4
    __m128i below = _mm_sub_epi64(value, _mm_mul_epu32(above, _mm_set1_epi64x(10000)));
    value = _mm_or_si128(above, _mm_slli_epi64(below, 32));
    above = _mm_srli_epi16(_mm_mulhi_epu16(value, _mm_set1_epi32(5243)), 3); // by 100
    below = _mm_sub_epi32(value, _mm_mullo_epi16(above, _mm_set1_epi32(100)));
    value = _mm_or_si128(above, _mm_slli_epi32(below, 16));
    above = _mm_mulhi_epu16(value, _mm_set1_epi16(6554)); // by 10
    below = _mm_sub_epi16(value, _mm_mullo_epi16(above, _mm_set1_epi16(10)));
    value = _mm_or_si128(above, _mm_slli_epi16(below, 8));
    int kept = _mm_movemask_epi8(_mm_cmpgt_epi8(value, _mm_setzero_si128()));
    return (sixteen){
        .text = _mm_add_epi8(value, _mm_set1_epi8('0')),
        .count = 31 - __builtin_clz((unsigned)kept << 1 | 1),
    };
}

static inline void store_sixteen(char *at, const sixteen *made)
{
    _mm_storeu_si128((__m128i *)(void *)at, made->text);
}

static inline wide text_of(const sixteen *made)
{
    uint64_t last = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(made->text, made->text));
    return (wide)last << 64 | (uint64_t)_mm_cvtsi128_si64(made->text);
}
#else
static inline sixteen sixteen_digits(uint32_t high, uint32_t low)
{
    uint64_t first = eight_digits(high);
    uint64_t last = eight_digits(low);
    sixteen made = {.text = {first + zero_digits, last + zero_digits}};
    if (last != 0)
        made.count = 16 - __builtin_clzll(last) / 8;
    else if (first != 0)
        made.count = 8 - __builtin_clzll(first) / 8;
    return made;
}

static inline void store_sixteen(char *at, const sixteen *made)
{
    store_digits(at, made->text[0]);
    store_digits(at + 8, made->text[1]);
}

static inline wide text_of(const sixteen *made)
{
    return (wide)made->text[1] << 64 | made->text[0];
}
#endif

// Store what follows the first `skipped` (below 16) of them.
static inline void store_behind(char *at, const sixteen *made, int skipped)
{
    wide text = text_of(made) >> (8 * skipped);
    store_digits(at, (uint64_t)text);
    store_digits(at + 8, (uint64_t)(text >> 64));
}

// Lay out digits * 10^power as repr() does. All 17 digits are stored, and the zeros at the end are counted off: to
// divide them away takes longer, and nobody can predict how many there are.
static inline char *lay_out(char *at, decimal number)
{
    unsigned longer = number.digits >= 10000000000000000u;
    uint64_t digits = number.digits * (10 - 9 * longer);
    uint32_t high = (uint32_t)(digits / 100000000);
    uint32_t leading = high / 100000000;
    sixteen rest = sixteen_digits(high - leading * 100000000, (uint32_t)(digits - (uint64_t)high * 100000000));
    int point = number.power + 16 + (int)longer; // digits before the decimal point
    if (point > -4 && point <= 0) {
        memcpy(at, "0.000", 5);
        at += 2 - point;
        *at = (char)('0' + leading);
        store_sixteen(at + 1, &rest);
        return at + 1 + rest.count;
    }
    *at = (char)('0' + leading);
    if (point > 0 && point <= 16) {
        store_sixteen(at + 1, &rest);
        store_behind(at + point + 1, &rest, point - 1);
        at[point] = '.';
        return at + (rest.count >= point ? rest.count : point) + 2;
    }
    at[1] = '.';
    store_sixteen(at + 2, &rest);
    at += rest.count > 0 ? rest.count + 2 : 1;
    int exponent = point - 1;
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent); // below 100, by the table
    *at++ = (char)('0' + size / 10);
    *at++ = (char)('0' + size % 10);
    return at;
}

// A number from 10^-4 to 1000 that is a decimal of twelve places or fewer, as round() and people make them; NULL for
// others. It is, if dividing the integer that it should be by 10^12, both exact doubles, rounds to it; and since no two
// decimals of up to 15 digits round to the same double, no shorter one does.
static inline char *write_places(char *at, double size)
{
    if (!(size >= 1e-4 && size < 1000.0))
        return NULL;
    int64_t places = (int64_t)(size * 1e12 + 0.5);
    if ((double)places / 1e12 != size)
        return NULL;
    uint64_t number = (uint64_t)places;
    uint32_t whole = (uint32_t)(number / 1000000000000u);
    uint64_t rest = number - whole * (uint64_t)1000000000000u;
    uint32_t high = (uint32_t)(rest / 10000);
    sixteen digits = sixteen_digits(high, (uint32_t)(rest - (uint64_t)high * 10000) * 10000);
    at = pc_unsigned_write(at, whole);
    *at = '.';
    store_sixteen(at + 1, &digits);
    return at + 1 + digits.count;
}

char *pc_double_write(char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *at = '-';
    at += bits >> 63;
    double size = fabs(value);
    if (size < 9007199254740992.0 && size == (double)(int64_t)size) {
        at = pc_unsigned_write(at, (uint64_t)size);
        memcpy(at, ".0", 2);
        return at + 2;
    }
    char *end = write_places(at, size);
    if (end != NULL)
        return end;
    // Not zero from here on, nor, for it lies outside the table, subnormal or not finite.
    uint64_t hidden = (uint64_t)1 << 52;
    uint64_t fraction = bits & (hidden - 1);
    int exponent = (int)(bits >> 52 & 0x7FF) - 1075;
    decimal found;
    return shortest(fraction | hidden, exponent, fraction == 0, &found) ? lay_out(at, found) : NULL;
}
