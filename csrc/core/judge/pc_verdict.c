// SPDX-License-Identifier: MIT
// The verdict from one run each (see the header for the rule).
#include "judge/pc_verdict.h"

#include <math.h>

// Of normal data, the standard deviation over the MAD, and the interquartile range over the standard deviation.
static const double mad_scale = 1.482602218505602;
static const double iqr_scale = 1.3489795003921634;

// The relative standard deviation that the run's own figures estimate; NaN if it gives none. Where the machine was slow
// for half of the rounds the MAD may be that of one half.
static double relative_spread(const pc_verdict_side *side)
{
    bool has_mad = isfinite(side->mad) && side->mad >= 0.0;
    bool has_iqr = isfinite(side->iqr) && side->iqr >= 0.0;
    double by_mad = has_mad ? mad_scale * side->mad / side->median : (double)NAN;
    double by_iqr = has_iqr ? side->iqr / iqr_scale / side->median : (double)NAN;
    return fmax(by_mad, by_iqr); // of NaN and a number, the number
}

static bool usable(double figure)
{
    return isfinite(figure) && figure > 0.0;
}

pc_verdict_effect pc_verdict_pace_effect(const pc_verdict_pace *base, const pc_verdict_pace *head)
{
    pc_verdict_effect effect = {.ratio = NAN};
    if (!usable(base->median) || !usable(head->median))
        return effect;
    double change = log(head->median) - log(base->median);
    // Distances from the medians to the ends of their intervals; none where an end is not known.
    double head_up = usable(head->high) ? fmax(log(head->high) - log(head->median), 0.0) : 0.0;
    double head_down = usable(head->low) ? fmax(log(head->median) - log(head->low), 0.0) : 0.0;
    double base_up = usable(base->high) ? fmax(log(base->high) - log(base->median), 0.0) : 0.0;
    double base_down = usable(base->low) ? fmax(log(base->median) - log(base->low), 0.0) : 0.0;
    double most = change + hypot(head_up, base_down);
    double least = change - hypot(head_down, base_up);
    effect.ratio = exp(change);
    effect.slower = PC_VERDICT_MOST * fmax(most, 0.0);
    effect.faster = PC_VERDICT_MOST * fmax(-least, 0.0);
    effect.hidden = fmax(-change, 0.0);
    return effect;
}

int pc_verdict_judge(const pc_verdict_side *base, const pc_verdict_side *head, double warning, double critical,
                     pc_verdict *verdict)
{
    if (!(warning > 0.0 && warning <= critical && isfinite(critical)))
        return -EINVAL;
    pc_verdict result = {
        .status = PC_VERDICT_UNDECIDED, .ratio = NAN, .low = NAN, .high = NAN, .allowance = NAN, .pace = NAN};
    pc_verdict_effect pace = pc_verdict_pace_effect(&base->pace, &head->pace);
    result.pace = pace.ratio;
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
    double low = difference - allowance - pace.slower;
    double high = difference + allowance + pace.faster;
    result.low = exp(low);
    result.high = exp(high);
    double warned = log1p(warning);
    double failed = log1p(critical);
    if (low > failed)
        result.status = PC_VERDICT_CRITICAL;
    else if (low > warned)
        result.status = PC_VERDICT_WARNING;
    else if (difference > warned)
        result.reason = difference - allowance > warned ? PC_VERDICT_SLOWER : PC_VERDICT_NOISE;
    else if (difference + pace.hidden > failed)
        result.reason = PC_VERDICT_FASTER;
    else if (high < -warned)
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
