// SPDX-License-Identifier: MIT
// pc_pairs: effects, the decision against figures computed with SciPy 1.17 (t.ppf, t.sf), refusals, and every
// allocation failing once with the results untouched.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>

#include "judge/pc_pairs.h"

enum { MOST = 64 };

static const pc_pairs_rule detect = {.mode = PC_PAIRS_DETECT, .threshold = 0.05, .alpha = 0.001};
static const pc_pairs_rule exceeds = {.mode = PC_PAIRS_EXCEEDS, .threshold = 0.05, .alpha = 0.001};

static bool near(double value, double expected, double relative)
{
    return fabs(value - expected) <= relative * fabs(expected);
}

// A look after every effect from the fourth on, as `perfcore ab` takes them.
static uint32_t look_of(size_t count)
{
    return count > PC_PAIRS_LEAST ? (uint32_t)(count - PC_PAIRS_LEAST + 1) : 1;
}

static pc_pairs_status status_of(const double *effects, size_t count, const pc_pairs_rule *rule)
{
    pc_pairs_verdict verdict;
    return pc_pairs_judge(effects, count, look_of(count), rule, &verdict) < 0 ? (pc_pairs_status)-1 : verdict.status;
}

static void test_effect(void)
{
    const double base[] = {1.0, 2.0, 4.0, 8.0};
    const double head[] = {1.1, 2.0, 8.0, 8.8};
    double effect = 7.0;
    CHECK(pc_pairs_effect(base, head, 4, &effect) == 0);
    CHECK(near(effect, log(1.1), 1e-14));
    CHECK(pc_pairs_effect(base, head, 3, &effect) == 0);
    CHECK(near(effect, log(1.1), 1e-14));
    const double tiny[] = {1e-300}, huge[] = {1e300};
    CHECK(pc_pairs_effect(tiny, huge, 1, &effect) == 0);
    CHECK(near(effect, 600.0 * log(10.0), 1e-14));

    effect = 7.0;
    double bad[] = {1.0, 0.0};
    CHECK(pc_pairs_effect(base, bad, 2, &effect) == -EDOM);
    CHECK(pc_pairs_effect(bad, base, 2, &effect) == -EDOM);
    bad[1] = (double)NAN;
    CHECK(pc_pairs_effect(base, bad, 2, &effect) == -EDOM);
    bad[1] = (double)INFINITY;
    CHECK(pc_pairs_effect(base, bad, 2, &effect) == -EDOM);
    CHECK(pc_pairs_effect(base, head, 0, &effect) == -EINVAL);
    CHECK(effect == 7.0);
}

static void test_estimate(void)
{
    pc_pairs_verdict verdict;
    const double one[] = {0.25};
    CHECK(pc_pairs_judge(one, 1, look_of(1), &detect, &verdict) == 0);
    CHECK(verdict.estimate == 0.25 && verdict.status == PC_PAIRS_UNDECIDED && verdict.p_value == 1.0);
    CHECK(isinf(verdict.low) && verdict.low < 0.0 && isinf(verdict.high) && verdict.high > 0.0);
    const double two[] = {1.0, 3.0};
    CHECK(pc_pairs_judge(two, 2, look_of(2), &detect, &verdict) == 0 && verdict.estimate == 2.0);
    // The ten Walsh averages of 1, 2, 4, 16: 1 1.5 2 2.5 3 4 8.5 9 10 16.
    const double four[] = {16.0, 1.0, 4.0, 2.0};
    CHECK(pc_pairs_judge(four, 4, look_of(4), &detect, &verdict) == 0 && verdict.estimate == 3.5);
    const double equal[] = {0.5, 0.5, 0.5, 0.5, 0.5};
    CHECK(pc_pairs_judge(equal, 5, look_of(5), &detect, &verdict) == 0);
    CHECK(verdict.estimate == 0.5 && verdict.low == 0.5 && verdict.high == 0.5 && verdict.p_value == 0.0);
    CHECK(verdict.status == PC_PAIRS_REGRESSION);

    // Against all Walsh averages sorted the long way.
    double effects[MOST];
    uint64_t state = 88172645463325252u;
    for (size_t count = 1; count <= MOST; count++) {
        for (size_t i = 0; i < count; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            effects[i] = (double)(int64_t)(state % 41) - 20.0; // ties included
        }
        double walsh[MOST * (MOST + 1) / 2];
        size_t length = 0;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = i; j < count; j++) {
                double value = 0.5 * (effects[i] + effects[j]);
                size_t k = length++;
                for (; k > 0 && walsh[k - 1] > value; k--)
                    walsh[k] = walsh[k - 1];
                walsh[k] = value;
            }
        }
        double expected = 0.5 * (walsh[(length - 1) / 2] + walsh[length / 2]);
        CHECK(pc_pairs_judge(effects, count, look_of(count), &detect, &verdict) == 0 &&
              near(verdict.estimate, expected, 1e-15));
    }
}

static void test_interval(void)
{
    pc_pairs_verdict verdict;
    const double four[] = {0.05, 0.06, 0.04, 0.05};
    CHECK(pc_pairs_judge(four, 4, look_of(4), &detect, &verdict) == 0);
    double error = sqrt((0.01 * 0.01 * 2.0) / 3.0 / 4.0);
    CHECK(near(verdict.estimate, 0.05, 1e-14));
    CHECK(near((verdict.high - verdict.estimate) / error, 12.923978636687485, 1e-9)); // t.isf(0.0005, 3)
    CHECK(near(verdict.high + verdict.low, 2.0 * verdict.estimate, 1e-12));
    const double seven[] = {0.01, -0.01, 0.01, -0.01, 0.01, -0.01, 0.0};
    CHECK(pc_pairs_judge(seven, 7, look_of(7), &detect, &verdict) == 0);
    error = sqrt(6.0 * 1e-4 / 6.0 / 7.0);
    CHECK(near((verdict.high - verdict.estimate) / error, 9.082346327293994, 1e-9)); // look 4 spends 1/20 of 0.001
    CHECK(verdict.p_value <= 1.0 && verdict.p_value > 0.5);
}

static void test_decisions(void)
{
    const double slower[] = {0.100, 0.101, 0.099, 0.100};
    const double little[] = {0.020, 0.021, 0.019, 0.020};
    const double middling[] = {0.030, 0.0302, 0.0298, 0.030};
    const double faster[] = {-0.100, -0.101, -0.099, -0.100};
    const double noisy[] = {0.100, -0.101, 0.3, -0.2};
    const double noisy_faster[] = {-0.100, 0.101, -0.3, 0.05};
    CHECK(status_of(slower, 4, &detect) == PC_PAIRS_REGRESSION);
    CHECK(status_of(slower, 4, &exceeds) == PC_PAIRS_REGRESSION);
    CHECK(status_of(slower, 3, &detect) == PC_PAIRS_UNDECIDED); // no look before the fourth
    CHECK(status_of(little, 4, &detect) == PC_PAIRS_OK);        // proven, but less than half the threshold
    CHECK(status_of(middling, 4, &detect) == PC_PAIRS_REGRESSION);
    CHECK(status_of(middling, 4, &exceeds) == PC_PAIRS_OK);
    CHECK(status_of(faster, 4, &detect) == PC_PAIRS_IMPROVEMENT);
    CHECK(status_of(faster, 4, &exceeds) == PC_PAIRS_IMPROVEMENT);
    CHECK(status_of(noisy, 4, &detect) == PC_PAIRS_UNDECIDED);
    CHECK(status_of(noisy, 4, &exceeds) == PC_PAIRS_UNDECIDED);
    CHECK(status_of(noisy_faster, 4, &detect) == PC_PAIRS_UNDECIDED);
    CHECK(status_of(noisy_faster, 4, &exceeds) == PC_PAIRS_UNDECIDED);
    const double none[4] = {0.0}; // all alike: certain, and not above
    pc_pairs_verdict verdict;
    CHECK(pc_pairs_judge(none, 4, look_of(4), &detect, &verdict) == 0 && verdict.p_value == 1.0);
    CHECK(verdict.status == PC_PAIRS_OK && verdict.low == 0.0 && verdict.high == 0.0);
}

static void test_refusals(void)
{
    pc_pairs_verdict verdict = {.estimate = 7.0};
    double effects[4] = {0.0};
    CHECK(pc_pairs_judge(effects, 0, look_of(0), &detect, &verdict) == -EINVAL);
    CHECK(pc_pairs_judge(effects, 4, 0, &detect, &verdict) == -EINVAL);
    pc_pairs_rule rule = detect;
    rule.threshold = 0.0;
    CHECK(pc_pairs_judge(effects, 4, look_of(4), &rule, &verdict) == -EINVAL);
    rule.threshold = (double)NAN;
    CHECK(pc_pairs_judge(effects, 4, look_of(4), &rule, &verdict) == -EINVAL);
    rule = detect;
    rule.alpha = 0.5;
    CHECK(pc_pairs_judge(effects, 4, look_of(4), &rule, &verdict) == -EINVAL);
    rule.alpha = 0.0;
    CHECK(pc_pairs_judge(effects, 4, look_of(4), &rule, &verdict) == -EINVAL);
    effects[3] = (double)INFINITY;
    CHECK(pc_pairs_judge(effects, 4, look_of(4), &detect, &verdict) == -EDOM);
    CHECK(verdict.estimate == 7.0);
}

static void test_out_of_memory(void)
{
    const double base[] = {1.0, 2.0}, head[] = {2.0, 4.0};
    const double slower[] = {0.100, 0.101, 0.099, 0.100};
    int failed = 0;
    for (long i = 0;; i++) {
        double effect = 7.0;
        fail_at = i;
        const int status = pc_pairs_effect(base, head, 2, &effect);
        const bool all = fail_at >= 0;
        fail_at = -1;
        if (all) {
            CHECK(status == 0 && near(effect, log(2.0), 1e-14));
            break;
        }
        CHECK(status == -ENOMEM && effect == 7.0);
        failed++;
    }
    for (long i = 0;; i++) {
        pc_pairs_verdict verdict = {.estimate = 7.0};
        fail_at = i;
        const int status = pc_pairs_judge(slower, 4, 1, &detect, &verdict);
        const bool all = fail_at >= 0;
        fail_at = -1;
        if (all) {
            CHECK(status == 0 && verdict.status == PC_PAIRS_REGRESSION);
            break;
        }
        CHECK(status == -ENOMEM && verdict.estimate == 7.0);
        failed++;
    }
    CHECK(failed >= 4);
}

int main(void)
{
    test_effect();
    test_estimate();
    test_interval();
    test_decisions();
    test_refusals();
    test_out_of_memory();
    CHECK(pc_pairs_name(PC_PAIRS_UNDECIDED)[0] == 'u' && pc_pairs_name(PC_PAIRS_OK)[0] == 'o');
    CHECK(pc_pairs_name(PC_PAIRS_REGRESSION)[0] == 'r' && pc_pairs_name(PC_PAIRS_IMPROVEMENT)[0] == 'i');
    return CHECK_EXIT();
}
