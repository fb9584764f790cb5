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

// The digits of a number below 10^8, zeros in front, the first in the lowest byte: halves, quarters and digits are
// divided off in lanes of one word.
static inline uint64_t eight_digits(uint32_t value)
{
    uint64_t lanes = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t high = ((lanes * 10486) >> 20) & 0x0000007F0000007Fu; // by 100, exact below 10^4
    lanes = high | (lanes - high * 100) << 16;
    high = ((lanes * 103) >> 10) & 0x000F000F000F000Fu; // by 10, exact below 10^2
    lanes = high | (lanes - high * 10) << 8;
    return lanes + 0x3030303030303030u;
}

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
    if (PC_LIKELY(count - 16 <= 1)) { // most doubles; the same for both, since nobody can predict which
        uint64_t high = value / 100000000;
        uint64_t first = high / 100000000;
        *at = (char)('0' + first); // of 16 digits the next store covers it
        store_digits(at + count - 16, eight_digits((uint32_t)(high - first * 100000000)));
        store_digits(at + count - 8, eight_digits((uint32_t)(value - high * 100000000)));
        return;
    }
    unsigned words = (count - 1) / 8;
    unsigned head = count - 8 * words;
    uint32_t low[2];
    for (unsigned i = words; i-- > 0; value /= 100000000)
        low[i] = (uint32_t)(value % 100000000);
    store_digits(at, eight_digits((uint32_t)value) >> (8 * (8 - head)));
    for (unsigned i = 0; i < words; i++)
        store_digits(at + head + 8 * i, eight_digits(low[i]));
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
    uint64_t digits; // value = digits * 10^power
    int power;
} decimal;

// The high word of a product of 128 by 64 bits, with its last bit set where anything below it is not zero ("rounded
// to odd"): comparisons with multiples of two then come out as if it were exact.
static inline uint64_t product_to_odd(const uint64_t power[2], uint64_t factor)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t below = (uint64_t)(((wide)power[1] * factor) >> 64);
    wide product = (wide)power[0] * factor + below;
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

// The shortest decimal inside the interval of reals that round to mantissa * 2^exponent; false outside the table.
// `narrow`: the lower half of the interval is half as wide, because the number is a power of two.
static bool shortest(uint64_t mantissa, int exponent, bool narrow, decimal *found)
{
    // floor(log10(2^e)), or floor(log10(3/4 * 2^e)); floor(log2(10^p)): exact over the range of double.
    int power = (exponent * 1262611 - (narrow ? 524031 : 0)) >> 22;
    if (-power < PC_POWERS_LOW || -power > PC_POWERS_HIGH)
        return false;
    int shift = exponent + ((-power * 1741647) >> 19) + 1;
    assert(shift >= 1 && shift <= 4);
    const uint64_t *row = pc_powers[-power - PC_POWERS_LOW];
    uint64_t scale[2] = {row[0], row[1]};
    if (-power < -27 || -power > 55) { // the table has these rounded down, the method wants them rounded up
        scale[1]++;
        scale[0] += scale[1] == 0;
    }
    // In units of a quarter of 10^power: the number, and the ends of its interval, which belong to it if it is even.
    uint64_t odd = mantissa & 1;
    uint64_t low = product_to_odd(scale, (4 * mantissa - 2 + narrow) << shift) + odd;
    uint64_t middle = product_to_odd(scale, (4 * mantissa) << shift);
    uint64_t high = product_to_odd(scale, (4 * mantissa + 2) << shift) - odd;
    // One digit fewer, if just one of the two neighbours is inside. Which of both it is nobody can predict (16 and 17
    // digits are about as frequent), so both are made and one is chosen without a jump.
    uint64_t digits = middle / 4;
    uint64_t fewer = digits / 10;
    bool lower_fits = low <= 40 * fewer;
    bool upper_fits = 40 * fewer + 40 <= high;
    bool shorter = (digits >= 10) & (lower_fits != upper_fits);
    uint64_t rounded = fewer + upper_fits;
    lower_fits = low <= 4 * digits;
    upper_fits = 4 * digits + 4 <= high;
    uint64_t half = 4 * digits + 2;
    bool nearer_up = (middle > half) | ((middle == half) & (digits & 1));
    bool up = (lower_fits & upper_fits) | (!lower_fits & !upper_fits) ? nearer_up : upper_fits;
    found->digits = shorter ? rounded : digits + up;
    found->power = power + shorter;
    return true;
}

// Lay out digits * 10^power as repr() does.
static char *lay_out(char *at, decimal number)
{
    // Zeros at the end, as 0.25 has fourteen: 8, 4, 2 and 1 at a time.
    while (number.digits % 100000000 == 0) {
        number.digits /= 100000000;
        number.power += 8;
    }
    if (number.digits % 10000 == 0) {
        number.digits /= 10000;
        number.power += 4;
    }
    if (number.digits % 100 == 0) {
        number.digits /= 100;
        number.power += 2;
    }
    if (number.digits % 10 == 0) {
        number.digits /= 10;
        number.power++;
    }
    int count = (int)digits_of(number.digits);
    int point = count + number.power; // digits before the decimal point
    if (point > 0 && point <= 16) {
        if (point >= count) {
            write_digits(at, number.digits, (unsigned)count);
            memset(at + count, '0', (size_t)(point - count));
            memcpy(at + point, ".0", 2);
            return at + point + 2;
        }
        write_digits(at + 1, number.digits, (unsigned)count);
        memmove(at, at + 1, (size_t)point);
        at[point] = '.';
        return at + count + 1;
    }
    if (point > -4 && point <= 0) {
        memcpy(at, "0.000", 5);
        at += 2 - point;
        write_digits(at, number.digits, (unsigned)count);
        return at + count;
    }
    write_digits(at + 1, number.digits, (unsigned)count);
    at[0] = at[1];
    at[1] = '.';
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
