// SPDX-License-Identifier: MIT
// Decisions over pairs of processes (see the header for the rule).
#include "judge/pc_pairs.h"

#include <math.h>

#include "base/pc_alloc.h"
#include "judge/pc_order.h"
#include "judge/pc_robust.h"
#include "judge/pc_shift.h"
#include "judge/pc_special.h"

// Of the mean of what is left when `trimmed` sorted effects are cut off at each end.
static double standard_error(const double *sorted, size_t count, size_t trimmed)
{
    const double low = sorted[trimmed], high = sorted[count - trimmed - 1];
    double mean = 0.0;
    for (size_t i = 0; i < count; i++)
        mean += fmin(fmax(sorted[i], low), high) / (double)count;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double distance = fmin(fmax(sorted[i], low), high) - mean;
        squares += distance * distance;
    }
    const double kept = (double)(count - 2 * trimmed) / (double)count;
    return sqrt(squares / (double)(count - 1) / (double)count) / kept;
}

static double p_above(double distance, double error, double degrees)
{
    if (error <= 0.0)
        return distance > 0.0 ? 0.0 : 1.0;
    return pc_student_cdf(-distance / error, degrees);
}

static pc_pairs_status decide(const pc_pairs_verdict *verdict, const pc_pairs_rule *rule)
{
    double limit = log1p(rule->threshold);
    bool exceeds = rule->mode == PC_PAIRS_EXCEEDS;
    double proven = exceeds ? limit : 0.0;
    double seen = exceeds ? limit : limit / 2.0;
    if (verdict->low > proven && verdict->estimate > seen)
        return PC_PAIRS_REGRESSION;
    if (verdict->high < -proven && verdict->estimate < -seen)
        return PC_PAIRS_IMPROVEMENT;
    return verdict->high < limit ? PC_PAIRS_OK : PC_PAIRS_UNDECIDED;
}

int pc_pairs_effect(const double *base, const double *head, size_t blocks, double *effect)
{
    if (blocks == 0)
        return -EINVAL;
    if (blocks > UINT32_MAX)
        return -EOVERFLOW;
    double *logs = pc_alloc(blocks, sizeof *logs);
    if (logs == NULL)
        return -ENOMEM;
    int status = 0;
    for (size_t i = 0; i < blocks && status == 0; i++) {
        if (base[i] > 0.0 && head[i] > 0.0 && isfinite(base[i]) && isfinite(head[i]))
            logs[i] = log(head[i]) - log(base[i]); // taken apart, so that no quotient overflows
        else
            status = -EDOM;
    }
    double unused;
    if (status == 0)
        status = pc_robust_mad(logs, blocks, effect, &unused);
    pc_free(logs);
    return status;
}

int pc_pairs_judge(const double *effects, size_t count, const pc_pairs_rule *rule, pc_pairs_verdict *verdict)
{
    if (count == 0 || rule->looks == 0 || !(rule->threshold > 0.0 && isfinite(rule->threshold)) ||
        !(rule->alpha > 0.0 && rule->alpha < 0.5))
        return -EINVAL;
    if (count >= (size_t)1 << 31)
        return -EOVERFLOW;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(effects[i]))
            return -EDOM;
    }
    double *sorted = pc_alloc(count, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    int status = pc_order_values(effects, count, sorted);
    if (status == 0) {
        pc_pairs_verdict result = {.status = PC_PAIRS_UNDECIDED, .low = -INFINITY, .high = INFINITY, .p_value = 1.0};
        result.estimate = pc_shift_center(sorted, count);
        if (count >= PC_PAIRS_LEAST) {
            const double cost = 1.0 + 6.5 * log(((double)rule->looks + 3.0) / 4.0); // a look has alpha over this
            const size_t trimmed = count / 10;
            const double degrees = (double)(count - 2 * trimmed - 1);
            const double error = standard_error(sorted, count, trimmed);
            const double reach = -pc_student_quantile(rule->alpha / cost, degrees) * error;
            result.low = result.estimate - reach;
            result.high = result.estimate + reach;
            const double proven = rule->mode == PC_PAIRS_EXCEEDS ? log1p(rule->threshold) : 0.0;
            result.p_value = fmin(1.0, cost * p_above(result.estimate - proven, error, degrees));
            result.status = decide(&result, rule);
        }
        *verdict = result;
    }
    pc_free(sorted);
    return status;
}

const char *pc_pairs_name(pc_pairs_status status)
{
    switch (status) {
    case PC_PAIRS_OK:
        return "ok";
    case PC_PAIRS_IMPROVEMENT:
        return "improvement";
    case PC_PAIRS_REGRESSION:
        return "regression";
    case PC_PAIRS_UNDECIDED:
        break;
    }
    return "undecided";
}
