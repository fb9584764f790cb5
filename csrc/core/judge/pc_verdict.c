// SPDX-License-Identifier: MIT
// The verdict from one run each (see the header for the rule).
#include "judge/pc_verdict.h"

#include <math.h>

// Of normal data, the standard deviation over the MAD, and the interquartile range over the standard deviation.
static const double mad_scale = 1.482602218505602;
static const double iqr_scale = 1.3489795003921634;

// The relative standard deviation that the run's own figures estimate; NaN if it gives none. A MAD of zero (more than
// half of the samples equal, as with a coarse clock) says less than the quartiles, where there are any.
static double relative_spread(const pc_verdict_side *side)
{
    bool has_mad = isfinite(side->mad) && side->mad >= 0.0;
    bool has_iqr = isfinite(side->iqr) && side->iqr >= 0.0;
    if (has_mad && (side->mad > 0.0 || !has_iqr))
        return mad_scale * side->mad / side->median;
    return has_iqr ? side->iqr / iqr_scale / side->median : (double)NAN;
}

static bool usable(double median)
{
    return isfinite(median) && median > 0.0;
}

int pc_verdict_judge(const pc_verdict_side *base, const pc_verdict_side *head, double warning, double critical,
                     pc_verdict *verdict)
{
    if (!(warning > 0.0 && warning <= critical && isfinite(critical)))
        return -EINVAL;
    pc_verdict result = {.status = PC_VERDICT_UNDECIDED, .ratio = NAN, .low = NAN, .high = NAN, .allowance = NAN};
    if (!usable(base->median) || !usable(head->median)) {
        result.reason = usable(base->median) ? PC_VERDICT_HEAD_MEDIAN : PC_VERDICT_BASE_MEDIAN;
        *verdict = result;
        return 0;
    }
    // The logarithms are taken apart, so that no quotient overflows.
    double difference = log(head->median) - log(base->median);
    double base_spread = relative_spread(base);
    double head_spread = relative_spread(head);
    double allowance = hypot(base_spread, head_spread);
    result.ratio = head->median / base->median;
    if (isnan(base_spread) || isnan(head_spread) || !isfinite(allowance)) {
        result.reason = PC_VERDICT_NO_SPREAD;
        *verdict = result;
        return 0;
    }
    result.allowance = allowance;
    result.low = exp(difference - allowance);
    result.high = exp(difference + allowance);
    double warned = log1p(warning);
    if (difference - allowance > log1p(critical))
        result.status = PC_VERDICT_CRITICAL;
    else if (difference - allowance > warned)
        result.status = PC_VERDICT_WARNING;
    else if (difference > warned)
        result.reason = PC_VERDICT_NOISE;
    else if (difference + allowance < -warned)
        result.status = PC_VERDICT_IMPROVEMENT;
    else
        result.status = PC_VERDICT_OK;
    *verdict = result;
    return 0;
}

const char *pc_verdict_name(pc_verdict_status status)
{
    switch (status) {
    case PC_VERDICT_OK:
        return "ok";
    case PC_VERDICT_IMPROVEMENT:
        return "improvement";
    case PC_VERDICT_WARNING:
        return "warning";
    case PC_VERDICT_CRITICAL:
        return "critical";
    case PC_VERDICT_UNDECIDED:
        break;
    }
    return "undecided";
}
