// SPDX-License-Identifier: MIT
// Exact moments (see the header for the method). Units: an accumulator for the biased exponent e counts in steps of
// 2^(e - 1075), its squares in steps of the square of that. `lowest exponent` is the smallest e in the data, and every
// big integer here counts in its steps. Big integers are little-endian limbs of 64 bits, modulo 2^(64 * limbs), wide
// enough by construction: n < 2^32 values of up to 53 + span bits sum to under 85 + span bits, and n * Q as S * S to
// under 170 + 2 * span, where span <= 2045.
#include "judge/pc_exact.h"

#include <string.h>

#include "base/pc_alloc.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

enum {
    FRACTION_BITS = 52,
    EXPONENT_MASK = 0x7ff,
    EXPONENT_BIAS = 1075,                        // value = mantissa * 2^(exponent - EXPONENT_BIAS)
    NARROW_SPAN = 10,                            // 53 + 10 bits fit in an int64_t
    NARROW_LOWEST = 52,                          // 2^(EXPONENT_BIAS - exponent) is a double from this exponent on
    RUN = 256,                                   // values that are looked at together when the data span more
    STACK_SPAN = 64,                             // accumulators kept on the stack
    SUM_LIMBS = (2045 + 85 + 1) / 64 + 1,        // with a sign bit
    SQUARE_LIMBS = (2 * 2045 + 170 + 1) / 64 + 1 // of n * Q
};

typedef struct accumulator {
    uint64_t sum[2];     // two's complement
    uint64_t squares[3]; // unsigned
} accumulator;

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double magnitude_of(double value)
{
    return double_of(bits_of(value) & ~(UINT64_C(1) << 63));
}

// The biased exponent of a finite value; subnormals and zero share that of the smallest normal numbers.
static unsigned exponent_of(double value)
{
    unsigned exponent = (unsigned)(bits_of(value) >> FRACTION_BITS) & EXPONENT_MASK;
    return exponent > 0 ? exponent : 1;
}

static unsigned bit_length(uint64_t limb)
{
    return limb ? 64 - (unsigned)__builtin_clzll(limb) : 0;
}

// ---- Accumulation ----

static void accumulate(accumulator *into, wide sum, unsigned_wide squares_low, uint64_t squares_high)
{
    unsigned_wide total = ((unsigned_wide)into->sum[1] << 64 | into->sum[0]) + (unsigned_wide)sum;
    into->sum[0] = (uint64_t)total;
    into->sum[1] = (uint64_t)(total >> 64);
    total = ((unsigned_wide)into->squares[1] << 64 | into->squares[0]) + squares_low;
    into->squares[0] = (uint64_t)total;
    into->squares[1] = (uint64_t)(total >> 64);
    into->squares[2] += squares_high + (total < squares_low);
}

static double scale_from(unsigned exponent)
{
    return double_of((uint64_t)(EXPONENT_BIAS - (int)exponent + 1023) << FRACTION_BITS);
}

// Add one value of an exponent from `lowest` on.
static void add_one(accumulator *table, unsigned lowest, double value)
{
    uint64_t bits = bits_of(value);
    uint64_t mantissa = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
    if (bits >> FRACTION_BITS & EXPONENT_MASK)
        mantissa |= UINT64_C(1) << FRACTION_BITS;
    if (mantissa == 0)
        return;
    wide integer = bits >> 63 ? -(wide)mantissa : (wide)mantissa;
    accumulate(&table[exponent_of(value) - lowest], integer, (unsigned_wide)mantissa * mantissa, 0);
}

// Add values whose exponents lie in [exponent, exponent + NARROW_SPAN], exponent >= NARROW_LOWEST; zeros are welcome.
// Multiplying by a power of two is exact, and the product an integer below 2^63.
static void add_narrow(accumulator *into, const double *values, size_t length, unsigned exponent)
{
    const double scale = scale_from(exponent);
    wide sum = 0;
    unsigned_wide low = 0;
    uint64_t high = 0;
    for (size_t i = 0; i < length; i++) {
        int64_t integer = (int64_t)(values[i] * scale);
        unsigned_wide square = (unsigned_wide)((wide)integer * integer);
        sum += integer;
        low += square;
        high += low < square;
    }
    accumulate(into, sum, low, high);
}

// Add a run of values: those within 2^NARROW_SPAN of its greatest together, the others one by one.
static void add_run(accumulator *table, unsigned lowest, const double *values, size_t length)
{
    double greatest = 0.0;
    for (size_t i = 0; i < length; i++) {
        double magnitude = magnitude_of(values[i]);
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    unsigned exponent = exponent_of(greatest);
    exponent = exponent > lowest + NARROW_SPAN ? exponent - NARROW_SPAN : lowest;
    const bool together = exponent >= NARROW_LOWEST;
    const double scale = together ? scale_from(exponent) : 0.0;
    const double least = double_of((uint64_t)exponent << FRACTION_BITS);
    wide sum = 0;
    unsigned_wide low = 0;
    uint64_t high = 0;
    for (size_t i = 0; i < length; i++) {
        if (PC_UNLIKELY(!together || magnitude_of(values[i]) < least)) {
            add_one(table, lowest, values[i]);
            continue;
        }
        int64_t integer = (int64_t)(values[i] * scale);
        unsigned_wide square = (unsigned_wide)((wide)integer * integer);
        sum += integer;
        low += square;
        high += low < square;
    }
    accumulate(&table[exponent - lowest], sum, low, high);
}

// ---- Big integers ----

// into += value << shift, the value being `words` limbs of two's complement.
static void big_add(uint64_t *into, size_t limbs, const uint64_t *value, size_t words, bool negative, unsigned shift)
{
    const uint64_t extension = negative ? UINT64_MAX : 0;
    const unsigned bits = shift % 64;
    uint64_t below = 0;
    unsigned_wide carry = 0;
    for (size_t i = shift / 64, word = 0; i < limbs; i++, word++) {
        uint64_t limb = word < words ? value[word] : extension;
        uint64_t shifted = bits ? limb << bits | below >> (64 - bits) : limb;
        below = limb;
        carry += (unsigned_wide)into[i] + shifted;
        into[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static void big_negate(uint64_t *value, size_t limbs)
{
    uint64_t carry = 1;
    for (size_t i = 0; i < limbs; i++) {
        value[i] = ~value[i] + carry;
        carry = carry && value[i] == 0;
    }
}

static void big_multiply(uint64_t *value, size_t limbs, uint64_t factor)
{
    unsigned_wide carry = 0;
    for (size_t i = 0; i < limbs; i++) {
        carry += (unsigned_wide)value[i] * factor;
        value[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

// value -= root * root, which is not greater.
static void big_subtract_square(uint64_t *value, size_t limbs, const uint64_t *root, size_t root_limbs)
{
    for (size_t i = 0; i < root_limbs; i++) {
        unsigned_wide product = 0;
        uint64_t borrow = 0;
        for (size_t j = 0; i + j < limbs; j++) {
            product >>= 64;
            if (j < root_limbs)
                product += (unsigned_wide)root[i] * root[j];
            uint64_t limb = value[i + j], part = (uint64_t)product;
            value[i + j] = limb - part - borrow;
            borrow = limb < part || (borrow && limb == part);
        }
    }
}

static unsigned big_bit_length(const uint64_t *value, size_t limbs)
{
    while (limbs > 0 && value[limbs - 1] == 0)
        limbs--;
    return limbs ? (unsigned)(limbs - 1) * 64 + bit_length(value[limbs - 1]) : 0;
}

// The value shifted so that it has exactly `wanted` <= 192 bits (value > 0). Returns how far to the right (negative:
// to the left); *inexact tells whether a bit that was set fell off.
static int big_take_top(const uint64_t *value, size_t limbs, unsigned wanted, uint64_t top[3], bool *inexact)
{
    int shift = (int)big_bit_length(value, limbs) - (int)wanted;
    *inexact = false;
    for (int bit = 0, word = 0; word < 3; word++, bit += 64) {
        top[word] = 0;
        for (int part = 0; part < 2; part++) {
            // The limb of the value in which bit `bit + shift` lies, and the one above it.
            int position = bit + shift, index = (position >= 0 ? position / 64 : -((63 - position) / 64)) + part;
            unsigned offset = (unsigned)(position - (index - part) * 64);
            if (index < 0 || (size_t)index >= limbs)
                continue;
            if (part == 0)
                top[word] |= value[index] >> offset;
            else if (offset > 0)
                top[word] |= value[index] << (64 - offset);
        }
    }
    if (shift > 0) {
        size_t whole = (size_t)shift / 64;
        for (size_t i = 0; i < whole; i++)
            *inexact |= value[i] != 0;
        *inexact |= (value[whole] & ((UINT64_C(1) << shift % 64) - 1)) != 0;
    }
    return shift;
}

// ---- Rounding ----

// The double nearest to (significand + a fraction, if inexact) * 2^exponent, ties to even. The significand is not 0,
// and has 62 bits or more if inexact, so that the fraction lies below the bits that decide.
static double round_scaled(uint64_t significand, int exponent, bool inexact)
{
    int spare = __builtin_clzll(significand);
    significand <<= spare;
    exponent -= spare;
    int drop = 64 - (FRACTION_BITS + 1);
    if (exponent + drop < 1 - EXPONENT_BIAS)
        drop = 1 - EXPONENT_BIAS - exponent; // subnormal: fewer bits are kept
    if (drop > 64)
        return 0.0; // less than half of the smallest subnormal
    uint64_t kept = drop < 64 ? significand >> drop : 0;
    uint64_t rest = drop < 64 ? significand - (kept << drop) : significand;
    uint64_t half = UINT64_C(1) << (drop - 1);
    if (rest > half || (rest == half && (inexact || kept & 1)))
        kept++;
    // Adding the kept bits, the hidden one included, to the exponent field less one carries into it where rounding
    // went up to the next power of two, or from a subnormal to a normal number.
    int field = exponent + drop + EXPONENT_BIAS - 1;
    uint64_t bits = ((uint64_t)field << FRACTION_BITS) + kept;
    const uint64_t infinity = (uint64_t)EXPONENT_MASK << FRACTION_BITS;
    return double_of(field >= EXPONENT_MASK || bits > infinity ? infinity : bits);
}

// floor(sqrt(value)), digit by digit.
static uint64_t square_root(unsigned_wide value)
{
    unsigned_wide root = 0;
    for (unsigned_wide digit = (unsigned_wide)1 << 126; digit != 0; digit >>= 2) {
        if (value >= root + digit) {
            value -= root + digit;
            root = (root >> 1) + digit;
        } else {
            root >>= 1;
        }
    }
    return (uint64_t)root;
}

// numerator / divisor * 2^exponent, correctly rounded.
static double divide(const uint64_t *numerator, size_t limbs, uint64_t divisor, int exponent)
{
    uint64_t top[3];
    bool inexact;
    // A quotient of 63 or 64 bits.
    int shift = big_take_top(numerator, limbs, bit_length(divisor) + 63, top, &inexact);
    unsigned_wide dividend = (unsigned_wide)top[1] << 64 | top[0];
    uint64_t quotient = (uint64_t)(dividend / divisor);
    inexact |= dividend % divisor != 0;
    return round_scaled(quotient, exponent + shift, inexact);
}

// sqrt(numerator / divisor) * 2^exponent, correctly rounded.
static double divide_and_root(const uint64_t *numerator, size_t limbs, uint64_t divisor, int exponent)
{
    uint64_t top[3];
    bool inexact;
    // A quotient of 125 to 128 bits, so a root of 63 or 64, after an even shift.
    unsigned wanted = bit_length(divisor) + 126;
    wanted += (big_bit_length(numerator, limbs) ^ wanted) & 1;
    int shift = big_take_top(numerator, limbs, wanted, top, &inexact);
    unsigned_wide rest = top[2];
    uint64_t quotient[3];
    for (int i = 2; i >= 0; i--) {
        if (i < 2)
            rest = rest << 64 | top[i];
        quotient[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    assert(quotient[2] == 0);
    unsigned_wide square = (unsigned_wide)quotient[1] << 64 | quotient[0];
    uint64_t root = square_root(square);
    inexact |= rest != 0 || (unsigned_wide)root * root != square;
    return round_scaled(root, exponent + shift / 2, inexact);
}

static void finish(const accumulator *table, unsigned span, unsigned lowest, size_t length, pc_moments *moments)
{
    uint64_t sum[SUM_LIMBS] = {0}, squares[SQUARE_LIMBS] = {0};
    const size_t sum_limbs = (span + 85 + 1) / 64 + 1, square_limbs = (2 * span + 170 + 1) / 64 + 1;
    for (unsigned i = 0; i <= span; i++) {
        const accumulator *one = &table[i];
        if ((one->squares[0] | one->squares[1] | one->squares[2]) == 0)
            continue;
        big_add(sum, sum_limbs, one->sum, 2, one->sum[1] >> 63, i);
        big_add(squares, square_limbs, one->squares, 3, false, 2 * i);
    }
    const bool negative = sum[sum_limbs - 1] >> 63;
    if (negative)
        big_negate(sum, sum_limbs);
    const int exponent = (int)lowest - EXPONENT_BIAS;
    double mean = 0.0, stddev = 0.0;
    if (big_bit_length(sum, sum_limbs) > 0)
        mean = divide(sum, sum_limbs, length, exponent);
    big_multiply(squares, square_limbs, length);
    big_subtract_square(squares, square_limbs, sum, sum_limbs);
    if (length > 1 && big_bit_length(squares, square_limbs) > 0)
        stddev = divide_and_root(squares, square_limbs, (uint64_t)length * (length - 1), exponent);
    moments->mean = negative ? -mean : mean;
    moments->stddev = stddev;
}

int pc_moments_compute(const double *values, size_t length, double lowest, double highest, pc_moments *moments)
{
    assert(length > 0 && length <= UINT32_MAX && lowest <= highest);
    unsigned greatest = exponent_of(highest > -lowest ? highest : lowest);
    unsigned least = greatest;
    if (lowest > 0.0 || highest < 0.0) {
        least = exponent_of(lowest > 0.0 ? lowest : highest);
    } else {
        for (size_t i = 0; i < length; i++) {
            unsigned exponent = exponent_of(values[i]);
            if (exponent < least && values[i] != 0.0)
                least = exponent;
        }
    }
    const unsigned span = greatest - least;
    accumulator near[STACK_SPAN + 1];
    accumulator *table = near;
    if (span > STACK_SPAN) {
        table = pc_alloc_zero(span + 1, sizeof *table);
        if (table == NULL)
            return -ENOMEM;
    } else {
        memset(near, 0, (span + 1) * sizeof *near);
    }
    if (span <= NARROW_SPAN && least >= NARROW_LOWEST)
        add_narrow(table, values, length, least);
    else
        for (size_t start = 0; start < length; start += RUN)
            add_run(table, least, values + start, length - start < RUN ? length - start : RUN);
    finish(table, span, least, length, moments);
    if (table != near)
        pc_free(table);
    return 0;
}
