// SPDX-License-Identifier: MIT
// The verdict on one benchmark against a stored baseline, from one run of each: do the medians differ by more than the
// thresholds, once each run's own spread is allowed for?
//
// With d = ln(head / base) and the allowance a = hypot(s_base, s_head), where s is a run's robust relative spread (the
// larger of 1.4826 MAD / median and IQR / 1.349 / median, both of which estimate the standard deviation of normal data,
// while of two modes the MAD may see one alone):
// critical if d - a > ln(1 + critical); warning if d - a > ln(1 + warning); undecided if only d itself is past the
// warning; improvement if d + a < -ln(1 + warning); else ok. The allowance is the spread of the rounds of one process.
// What varies from process to process (memory layout, hash seed) is not in it and cannot be: one run of each holds no
// information on it.
//
// The machine's state is in it where both runs know their pace, the time of a fixed piece of code that ran between
// their rounds (perfcore/measure/pace.py). With p the end of the interval of ln(pace of head / pace of base) that is
// further from 0, the machine alone may have changed d by anything between 0 and PC_VERDICT_MOST p, as other code is
// slowed down by up to so much more than the piece is. What that may explain is taken off before d is called a
// slow-down, or an improvement. And where the machine was faster for head, d may hide a slow-down: it is undecided if
// it would be critical at the pace of base, for code that goes with the piece. Greater is worse. Thread contract: any
// thread.
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

// How far code goes with the piece that the pace is measured by, as a power of its ratio. Measured on a virtual machine
// that its neighbours slowed down by up to 2: 0.6 to 1.2 for ten kinds of work in the interpreter.
#define PC_VERDICT_MOST 1.3

// Why a verdict is undecided.
typedef enum pc_verdict_reason {
    PC_VERDICT_CLEAR,       // it is decided
    PC_VERDICT_NOISE,       // past the threshold, but not by more than the allowance
    PC_VERDICT_BASE_MEDIAN, // the baseline's median is no positive finite number
    PC_VERDICT_HEAD_MEDIAN, // the new one's
    PC_VERDICT_NO_SPREAD,   // a run says nothing of its spread
    PC_VERDICT_SLOWER,      // past the threshold, but not by more than what the slower machine may explain, too
    PC_VERDICT_FASTER,      // not past the threshold, but the faster machine may hide that it is
} pc_verdict_reason;

// The machine's pace during a run: what the fixed piece of code took, in any unit. NaN where a figure is not known.
typedef struct pc_verdict_pace {
    double median;
    double low, high; // of the median's interval
} pc_verdict_pace;

// One run. NaN where a figure is not known.
typedef struct pc_verdict_side {
    double median; // any unit, the same on both sides
    double mad;    // median absolute deviation from the median, same unit
    double iqr;    // interquartile range, same unit
    pc_verdict_pace pace;
} pc_verdict_side;

typedef struct pc_verdict {
    pc_verdict_status status;
    pc_verdict_reason reason;
    double ratio;     // head / base; NaN when a median is no use
    double low, high; // the ratio with allowance and pace taken off and added; NaN like the ratio, or without a spread
    double allowance; // of the spreads, relative: 0.02 is 2 %; NaN without a spread
    double pace;      // head / base; NaN where a run does not know its own
} pc_verdict;

// What the machine's pace may have done to the difference of two logarithms. None but `ratio` is below 0.
typedef struct pc_verdict_effect {
    double ratio;  // head / base; NaN where one is not known
    double slower; // how much of a slow-down it may explain
    double faster; // how much of an improvement
    double hidden; // how much of a slow-down it hides, of code that goes with the piece
} pc_verdict_effect;

pc_verdict_effect pc_verdict_pace_effect(const pc_verdict_pace *base, const pc_verdict_pace *head) PC_NODISCARD;

// Judge `head` against `base`. Thresholds are relative: 0.05 is 5 %. -EINVAL unless 0 < warning <= critical, finite.
int pc_verdict_judge(const pc_verdict_side *base, const pc_verdict_side *head, double warning, double critical,
                     pc_verdict *verdict) PC_NODISCARD;

// The names that reports use: "ok", "improvement", …; static text.
const char *pc_verdict_name(pc_verdict_status status);

#endif
