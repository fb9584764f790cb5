// SPDX-License-Identifier: MIT
// pc_pairs: effects, the decision against figures computed with SciPy 1.17 (t.isf, mstats.trimmed_stde), refusals, and
// every allocation failing once with the results untouched.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>

#include "judge/pc_pairs.h"

enum { MOST = 64 };

static const pc_pairs_rule detect = {.mode = PC_PAIRS_DETECT, .threshold = 0.05, .alpha = 0.001, .looks = 1};
static const pc_pairs_rule exceeds = {.mode = PC_PAIRS_EXCEEDS, .threshold = 0.05, .alpha = 0.001, .looks = 1};
static const pc_pairs_rule many_looks = {.mode = PC_PAIRS_DETECT, .threshold = 0.05, .alpha = 0.001, .looks = 21};

static bool near(double value, double expected, double relative)
{
    return fabs(value - expected) <= relative * fabs(expected);
}

static pc_pairs_status status_of(const double *effects, size_t count, const pc_pairs_rule *rule)
{
    pc_pairs_verdict verdict;
    return pc_pairs_judge(effects, count, rule, &verdict) < 0 ? (pc_pairs_status)-1 : verdict.status;
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
    CHECK(pc_pairs_judge(one, 1, &detect, &verdict) == 0);
    CHECK(verdict.estimate == 0.25 && verdict.status == PC_PAIRS_UNDECIDED && verdict.p_value == 1.0);
    CHECK(isinf(verdict.low) && verdict.low < 0.0 && isinf(verdict.high) && verdict.high > 0.0);
    const double two[] = {1.0, 3.0};
    CHECK(pc_pairs_judge(two, 2, &detect, &verdict) == 0 && verdict.estimate == 2.0);
    // The ten Walsh averages of 1, 2, 4, 16: 1 1.5 2 2.5 3 4 8.5 9 10 16.
    const double four[] = {16.0, 1.0, 4.0, 2.0};
    CHECK(pc_pairs_judge(four, 4, &detect, &verdict) == 0 && verdict.estimate == 3.5);
    const double equal[] = {0.5, 0.5, 0.5, 0.5, 0.5};
    CHECK(pc_pairs_judge(equal, 5, &detect, &verdict) == 0);
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
        CHECK(pc_pairs_judge(effects, count, &detect, &verdict) == 0 && near(verdict.estimate, expected, 1e-15));
    }
}

static double reach_of(const double *effects, size_t count, const pc_pairs_rule *rule)
{
    pc_pairs_verdict verdict;
    CHECK(pc_pairs_judge(effects, count, rule, &verdict) == 0);
    CHECK(near(verdict.high + verdict.low, 2.0 * verdict.estimate, 1e-12) || fabs(verdict.estimate) < 1e-12);
    return (verdict.high - verdict.low) / 2.0;
}

static void test_interval(void)
{
    pc_pairs_verdict verdict;
    const double four[] = {0.05, 0.06, 0.04, 0.05};
    CHECK(pc_pairs_judge(four, 4, &detect, &verdict) == 0 && near(verdict.estimate, 0.05, 1e-14));
    double error = sqrt((0.01 * 0.01 * 2.0) / 3.0 / 4.0);
    CHECK(near(reach_of(four, 4, &detect) / error, 10.214531852405337, 1e-9));     // t.isf(0.001, 3)
    CHECK(near(reach_of(four, 4, &many_looks) / error, 24.019753940104184, 1e-9)); // a look has 1/12.6 of 0.001
    const double seven[] = {0.01, -0.01, 0.01, -0.01, 0.01, -0.01, 0.0};
    error = sqrt(6.0 * 1e-4 / 6.0 / 7.0);
    CHECK(near(reach_of(seven, 7, &many_looks) / error, 8.370386838081101, 1e-9));
    CHECK(pc_pairs_judge(seven, 7, &many_looks, &verdict) == 0 && verdict.p_value <= 1.0 && verdict.p_value > 0.5);

    // From ten effects on the outermost ones count only as much as their neighbours, from twenty on two at each end.
    static const struct {
        size_t count;
        double reach;
    } known[] = {{9, 0.7375515980445498}, {10, 0.8308896626227703}, {19, 0.3629860540789164}, {20, 0.3984121777817011}};
    double effects[20];
    for (int i = 0; i < 20; i++)
        effects[i] = (i * 37 % 101) / 100.0 - 0.5;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CHECK(near(reach_of(effects, known[i].count, &many_looks), known[i].reach, 1e-9));
    for (int i = 0; i < 20; i++) {
        if (effects[i] == -0.5)
            effects[i] = -30.0;
        else if (effects[i] > 0.465)
            effects[i] = 30.0;
    }
    CHECK(near(reach_of(effects, 20, &many_looks), known[3].reach, 1e-9));
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
    CHECK(pc_pairs_judge(none, 4, &detect, &verdict) == 0 && verdict.p_value == 1.0);
    CHECK(verdict.status == PC_PAIRS_OK && verdict.low == 0.0 && verdict.high == 0.0);
}

static void test_refusals(void)
{
    pc_pairs_verdict verdict = {.estimate = 7.0};
    double effects[4] = {0.0};
    CHECK(pc_pairs_judge(effects, 0, &detect, &verdict) == -EINVAL);
    pc_pairs_rule rule = detect;
    rule.looks = 0;
    CHECK(pc_pairs_judge(effects, 4, &rule, &verdict) == -EINVAL);
    rule = detect;
    rule.threshold = 0.0;
    CHECK(pc_pairs_judge(effects, 4, &rule, &verdict) == -EINVAL);
    rule.threshold = (double)NAN;
    CHECK(pc_pairs_judge(effects, 4, &rule, &verdict) == -EINVAL);
    rule = detect;
    rule.alpha = 0.5;
    CHECK(pc_pairs_judge(effects, 4, &rule, &verdict) == -EINVAL);
    rule.alpha = 0.0;
    CHECK(pc_pairs_judge(effects, 4, &rule, &verdict) == -EINVAL);
    effects[3] = (double)INFINITY;
    CHECK(pc_pairs_judge(effects, 4, &detect, &verdict) == -EDOM);
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
        const int status = pc_pairs_judge(slower, 4, &detect, &verdict);
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
