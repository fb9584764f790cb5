// SPDX-License-Identifier: MIT
// Exact null distributions (see the header).
#include "judge/pc_rank_null.h"

#include "base/pc_alloc.h"

__extension__ typedef unsigned __int128 wide;

struct pc_rank_null {
    uint64_t greatest; // possible sum
    size_t length;     // of counts: up to the middle, greatest / 2
    double total;      // arrangements
    wide counts[];     // cumulative: arrangements with a sum of at most the index
};

// n + m over m, or 0 where it does not fit below 2^127.
static wide binomial(size_t n, size_t m)
{
    wide value = 1;
    for (size_t i = 1; i <= m; i++) {
        // value * (n + i) is divisible by i.
        if (__builtin_mul_overflow(value, (wide)(n + i), &value))
            return 0;
        value /= i;
    }
    return value >> 127 ? 0 : value;
}

bool pc_rank_null_has_sum(size_t n, size_t m)
{
    enum { MOST_STEPS = 1000000 };
    const size_t least = n < m ? n : m;
    if (least == 0 || n > MOST_STEPS || m > MOST_STEPS || least > 127 || n * m * least > MOST_STEPS)
        return false;
    return binomial(n > m ? n : m, least) != 0;
}

static pc_rank_null *make(uint64_t greatest)
{
    const size_t length = (size_t)(greatest / 2 + 1);
    const size_t header = (sizeof(pc_rank_null) + sizeof(wide) - 1) / sizeof(wide);
    pc_rank_null *null = pc_alloc_zero(header + length, sizeof(wide));
    if (null != NULL) {
        null->greatest = greatest;
        null->length = length;
        null->counts[0] = 1;
    }
    return null;
}

static void accumulate(pc_rank_null *null)
{
    for (size_t i = 1; i < null->length; i++)
        null->counts[i] += null->counts[i - 1];
}

int pc_rank_null_sum(size_t n, size_t m, pc_rank_null **result)
{
    assert(pc_rank_null_has_sum(n, m));
    const size_t few = n < m ? n : m, many = n < m ? m : n;
    pc_rank_null *null = make((uint64_t)n * m);
    if (null == NULL)
        return -ENOMEM;
    // Times (1 - q^(many + i)) / (1 - q^i), which leaves whole numbers after each i; what overflows in between comes
    // back, since arithmetic is modulo 2^128.
    for (size_t i = 1; i <= few; i++) {
        for (size_t u = null->length; u-- > many + i;)
            null->counts[u] -= null->counts[u - many - i];
        for (size_t u = i; u < null->length; u++)
            null->counts[u] += null->counts[u - i];
    }
    accumulate(null);
    null->total = (double)binomial(many, few);
    *result = null;
    return 0;
}

int pc_rank_null_signed(const uint32_t *doubled_ranks, size_t count, pc_rank_null **result)
{
    assert(count > 0 && count <= PC_RANK_NULL_SIGNED);
    uint64_t greatest = 0;
    for (size_t i = 0; i < count; i++)
        greatest += doubled_ranks[i];
    pc_rank_null *null = make(greatest);
    if (null == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        for (size_t w = null->length; w-- > doubled_ranks[i];)
            null->counts[w] += null->counts[w - doubled_ranks[i]];
    }
    accumulate(null);
    null->total = (double)((wide)1 << count);
    *result = null;
    return 0;
}

void pc_rank_null_free(pc_rank_null *null)
{
    pc_free(null);
}

double pc_rank_null_at_most(const pc_rank_null *null, uint64_t sum)
{
    if (sum >= null->greatest)
        return 1.0;
    if (sum < null->length)
        return (double)null->counts[sum] / null->total;
    // P(S <= s) = 1 - P(S <= greatest - s - 1)
    return 1.0 - (double)null->counts[null->greatest - sum - 1] / null->total;
}

size_t pc_rank_null_critical(const pc_rank_null *null, double tail, double *probability)
{
    size_t k = 0;
    // The slack lets a tail be met that equals an achievable one but for rounding.
    const double allowed = tail * (1.0 + 1e-12) * null->total;
    while (k < null->length && (double)null->counts[k] <= allowed)
        k++;
    *probability = k > 0 ? (double)null->counts[k - 1] / null->total : 0.0;
    return k;
}
