// SPDX-License-Identifier: MIT
// Numbers to text (see the header).
#include "record/pc_number_write.h"

#include <math.h>
#include <string.h>

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

// A number of 192 bits without its last word, whose last bit here is set where anything below it but the rounding of
// the table is not zero ("rounded to odd"): comparisons with multiples of two then come out as if it were exact.
static inline uint64_t to_odd(uint64_t high, wide low)
{
    return high | ((uint64_t)(low >> 64) > 1);
}

// The shortest decimal inside the interval of reals that round to mantissa * 2^exponent; false outside the table.
// `narrow`: the lower half of the interval is half as wide, because the number is a power of two.
static inline bool shortest(uint64_t mantissa, int exponent, bool narrow, decimal *found)
{
    // floor(log10(2^e)), or floor(log10(3/4 * 2^e)); floor(log2(10^p)): exact over the range of double.
    int power = (exponent * 1262611 - (narrow ? 524031 : 0)) >> 22;
    if (-power < PC_POWERS_LOW || -power > PC_POWERS_HIGH)
        return false;
    int shift = exponent + ((-power * 1741647) >> 19) + 1;
    assert(shift >= 1 && shift <= 4);
    const uint64_t *row = pc_powers[-power - PC_POWERS_LOW];
    // The table has some rounded down, the method wants them rounded up.
    wide scale = ((wide)row[0] << 64 | row[1]) + (-power < -27 || -power > 55);
    // In units of a quarter of 10^power: the number, a product of 192 bits, and the ends of its interval, which belong
    // to it if it is even. They are the product of 4 * mantissa - 2 and + 2, so a sum finds them.
    uint64_t factor = (4 * mantissa) << shift;
    wide below = (wide)(uint64_t)scale * factor;
    wide above = (wide)(uint64_t)(scale >> 64) * factor + (uint64_t)(below >> 64);
    uint64_t high = (uint64_t)(above >> 64);
    wide low = above << 64 | (uint64_t)below;
    uint64_t half_high = (uint64_t)(scale >> (127 - shift));
    wide half_low = scale << (shift + 1);
    wide end_low = low + half_low;
    uint64_t odd = mantissa & 1;
    uint64_t upper = to_odd(high + half_high + (end_low < low), end_low) - odd;
    if (PC_UNLIKELY(narrow)) {
        half_low = half_low >> 1 | (wide)half_high << 127;
        half_high >>= 1;
    }
    end_low = low - half_low;
    uint64_t lower = to_odd(high - half_high - (end_low > low), end_low) + odd;
    uint64_t middle = to_odd(high, low);
    // One digit fewer, if just one of the two neighbours is inside. Which of both it is nobody can predict (16 and 17
    // digits are about as frequent), so both are made and one is chosen without a jump.
    uint64_t digits = middle / 4;
    uint64_t fewer = digits / 10 * 10;
    bool lower_fits = lower <= 4 * fewer;
    bool upper_fits = 4 * fewer + 40 <= upper;
    bool shorter = lower_fits != upper_fits;
    uint64_t rounded = fewer + (upper_fits ? 10 : 0);
    lower_fits = lower <= 4 * digits;
    upper_fits = 4 * digits + 4 <= upper;
    uint64_t half = 4 * digits + 2;
    bool nearer_up = (middle > half) | ((middle == half) & (digits & 1));
    bool up = lower_fits == upper_fits ? nearer_up : upper_fits;
    found->digits = shorter ? rounded : digits + up;
    found->power = power;
    return true;
}

// Sixteen digits' text; what follows the first `skipped` of them (below 16) comes first.
static inline void store_sixteen(char *at, uint64_t first, uint64_t last, int skipped)
{
    wide both = ((wide)last << 64 | first) >> (8 * skipped);
    store_digits(at, (uint64_t)both);
    store_digits(at + 8, (uint64_t)(both >> 64));
}

// Lay out digits * 10^power as repr() does. All 17 digits are stored, and those that are zeros at the end counted off
// by their words: dividing them away takes longer, and nobody can predict how many there are.
static inline char *lay_out(char *at, decimal number)
{
    bool longer = number.digits >= 10000000000000000u;
    uint64_t digits = longer ? number.digits : number.digits * 10;
    uint32_t high = (uint32_t)(digits / 100000000);
    uint32_t leading = high / 100000000;
    uint64_t first = eight_digits(high - leading * 100000000);
    uint64_t last = eight_digits((uint32_t)(digits - (uint64_t)high * 100000000));
    uint64_t tail = last != 0 ? last : first;
    int count = (last != 0 ? 17 : 9) - (tail != 0 ? __builtin_clzll(tail | 1) / 8 : 8);
    int point = number.power + 16 + longer; // digits before the decimal point
    first += zero_digits;
    last += zero_digits;
    char digit = (char)('0' + leading);
    if (point > -4 && point <= 0) {
        memcpy(at, "0.000", 5);
        at += 2 - point;
        *at = digit;
        store_sixteen(at + 1, first, last, 0);
        return at + count;
    }
    *at = digit;
    if (point > 0 && point <= 16) {
        store_sixteen(at + 1, first, last, 0);
        store_sixteen(at + point + 1, first, last, point - 1);
        at[point] = '.';
        return at + (count > point ? count : point + 1) + 1;
    }
    at[1] = '.';
    store_sixteen(at + 2, first, last, 0);
    at += count > 1 ? count + 1 : 1;
    int exponent = point - 1;
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent); // below 100, by the table
    *at++ = (char)('0' + size / 10);
    *at++ = (char)('0' + size % 10);
    return at;
}

char *pc_double_write(char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits >> 63)
        *at++ = '-';
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    int biased = (int)(bits >> 52) & 0x7FF;
    double size = fabs(value);
    if (size < 9007199254740992.0 && size == (double)(uint64_t)size) {
        at = pc_unsigned_write(at, (uint64_t)size);
        memcpy(at, ".0", 2);
        return at + 2;
    }
    decimal found;
    if (biased == 0 || biased == 0x7FF ||
        !shortest(fraction | (uint64_t)1 << 52, biased - 1075, fraction == 0 && biased > 1, &found))
        return NULL;
    return lay_out(at, found);
}
