// SPDX-License-Identifier: MIT
// The verdict on one benchmark against a stored baseline, from one run of each: do the medians differ by more than the
// thresholds, once each run's own spread is allowed for?
//
// With d = ln(head / base) and the allowance a = hypot(s_base, s_head), where s is a run's robust relative spread
// (1.4826 MAD / median, or IQR / 1.349 / median, both of which estimate the standard deviation of normal data):
// critical if d - a > ln(1 + critical); warning if d - a > ln(1 + warning); undecided if only d itself is past the
// warning; improvement if d + a < -ln(1 + warning); else ok. The allowance is the spread of the rounds of one process.
// What varies from process to process (memory layout, hash seed, the machine's state) is not in it and cannot be: one
// run of each holds no information on it. Greater is worse. Thread contract: any thread.
#ifndef PC_VERDICT_H
#define PC_VERDICT_H

#include "base/pc_common.h"

typedef enum pc_verdict_status {
    PC_VERDICT_OK,
    PC_VERDICT_IMPROVEMENT,
    PC_VERDICT_WARNING,
    PC_VERDICT_CRITICAL,
    PC_VERDICT_UNDECIDED,
} pc_verdict_status;

// Why a verdict is undecided.
typedef enum pc_verdict_reason {
    PC_VERDICT_CLEAR,       // it is decided
    PC_VERDICT_NOISE,       // past the threshold, but not by more than the allowance
    PC_VERDICT_BASE_MEDIAN, // the baseline's median is no positive finite number
    PC_VERDICT_HEAD_MEDIAN, // the new one's
    PC_VERDICT_NO_SPREAD,   // a run says nothing of its spread
} pc_verdict_reason;

// One run. NaN where a figure is not known.
typedef struct pc_verdict_side {
    double median; // any unit, the same on both sides
    double mad;    // median absolute deviation from the median, same unit
    double iqr;    // interquartile range, same unit
} pc_verdict_side;

typedef struct pc_verdict {
    pc_verdict_status status;
    pc_verdict_reason reason;
    double ratio;     // head / base; NaN when a median is no use
    double low, high; // the ratio with the allowance taken off and added; NaN like the ratio, or without a spread
    double allowance; // relative: 0.02 is 2 %; NaN without a spread
} pc_verdict;

// Judge `head` against `base`. Thresholds are relative: 0.05 is 5 %. -EINVAL unless 0 < warning <= critical, finite.
int pc_verdict_judge(const pc_verdict_side *base, const pc_verdict_side *head, double warning, double critical,
                     pc_verdict *verdict) PC_NODISCARD;

// The names that reports use: "ok", "improvement", …; static text.
const char *pc_verdict_name(pc_verdict_status status);

#endif
