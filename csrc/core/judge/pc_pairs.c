// SPDX-License-Identifier: MIT
// Decisions over pairs of processes (see the header for the rule). The counts are small, so plain insertion sorts and
// arrays on the stack do.
#include "judge/pc_pairs.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static void sort(double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double value = values[i];
        size_t j = i;
        for (; j > 0 && values[j - 1] > value; j--)
            values[j] = values[j - 1];
        values[j] = value;
    }
}

static double sorted_median(const double *values, size_t count)
{
    return count % 2 ? values[count / 2] : 0.5 * values[count / 2 - 1] + 0.5 * values[count / 2];
}

static size_t count_walsh_up_to(const double *sorted, size_t count, double limit)
{
    size_t found = 0;
    size_t end = count; // one past the last partner whose mean with `i` is within the limit
    for (size_t i = 0; i < count; i++) {
        while (end > 0 && 0.5 * sorted[i] + 0.5 * sorted[end - 1] > limit)
            end--;
        found += end > i ? end - i : 0;
    }
    return found;
}

// The Walsh average of one rank (0 is the least): bisection on the value. The loop ends when no double lies between the
// bounds, so the upper one is the least double that has more than `rank` averages up to it: the average itself.
static double walsh_of_rank(const double *sorted, size_t count, size_t rank)
{
    double low = sorted[0];
    double high = sorted[count - 1];
    if (count_walsh_up_to(sorted, count, low) > rank)
        return low;
    for (;;) {
        double middle = low + 0.5 * (high - low);
        if (middle <= low || middle >= high)
            return high;
        if (count_walsh_up_to(sorted, count, middle) > rank)
            high = middle;
        else
            low = middle;
    }
}

static double hodges_lehmann(const double *sorted, size_t count)
{
    size_t walsh = count * (count + 1) / 2;
    double upper = walsh_of_rank(sorted, count, walsh / 2);
    return walsh % 2 ? upper : 0.5 * walsh_of_rank(sorted, count, walsh / 2 - 1) + 0.5 * upper;
}

// P(T > t) for t >= 0 and a whole number of degrees of freedom, in closed form (Abramowitz and Stegun 26.7.3, 26.7.4).
// Good to about 1e-15 absolutely, which is plenty for the levels in use here (from 1e-3 down to 1e-7).
static double student_tail(double t, size_t degrees)
{
    double nu = (double)degrees;
    double angle = atan2(t, sqrt(nu));
    double cosine = cos(angle);
    double square = cosine * cosine;
    double term = degrees % 2 ? cosine : 1.0;
    double sum = degrees > 1 ? term : 0.0;
    for (size_t k = degrees % 2 ? 3 : 2; k < degrees; k += 2) {
        term *= square * (double)(k - 1) / (double)k;
        sum += term;
    }
    double within = degrees % 2 ? 2.0 / pi * (angle + sin(angle) * sum) : sin(angle) * sum;
    double tail = 0.5 * (1.0 - within);
    return tail > 0.0 ? tail : 0.0;
}

// The t with P(T > t) = tail, for a tail below a half.
static double student_quantile(double tail, size_t degrees)
{
    double low = 0.0;
    double high = 1.0;
    while (high < 1e15 && student_tail(high, degrees) > tail)
        high *= 2.0;
    for (int step = 0; step < 200; step++) {
        double middle = low + 0.5 * (high - low);
        if (middle <= low || middle >= high)
            break;
        if (student_tail(middle, degrees) > tail)
            low = middle;
        else
            high = middle;
    }
    return high;
}

// What look number 1, 2, … may spend is alpha over this.
static double look_cost(size_t effects)
{
    double look = (double)(effects - PC_PAIRS_LEAST + 1);
    return look * (look + 1.0);
}

static double standard_error(const double *effects, size_t count)
{
    double mean = 0.0;
    for (size_t i = 0; i < count; i++)
        mean += effects[i] / (double)count;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++)
        squares += (effects[i] - mean) * (effects[i] - mean);
    return sqrt(squares / (double)(count - 1) / (double)count);
}

static double p_above(double distance, double error, size_t degrees)
{
    if (error <= 0.0)
        return distance > 0.0 ? 0.0 : 1.0;
    double tail = student_tail(fabs(distance) / error, degrees);
    return distance > 0.0 ? tail : 1.0 - tail;
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
    if (blocks == 0 || blocks > PC_PAIRS_BLOCKS)
        return -EINVAL;
    double logs[PC_PAIRS_BLOCKS];
    for (size_t i = 0; i < blocks; i++) {
        if (!(base[i] > 0.0 && head[i] > 0.0 && isfinite(base[i]) && isfinite(head[i])))
            return -EDOM;
        logs[i] = log(head[i]) - log(base[i]); // taken apart, so that no quotient overflows
    }
    sort(logs, blocks);
    *effect = sorted_median(logs, blocks);
    return 0;
}

int pc_pairs_judge(const double *effects, size_t count, const pc_pairs_rule *rule, pc_pairs_verdict *verdict)
{
    if (count == 0 || count > PC_PAIRS_MOST || !(rule->threshold > 0.0 && isfinite(rule->threshold)) ||
        !(rule->alpha > 0.0 && rule->alpha < 0.5))
        return -EINVAL;
    double sorted[PC_PAIRS_MOST];
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(effects[i]))
            return -EDOM;
        sorted[i] = effects[i];
    }
    sort(sorted, count);
    pc_pairs_verdict result = {.status = PC_PAIRS_UNDECIDED, .low = -INFINITY, .high = INFINITY, .p_value = 1.0};
    result.estimate = hodges_lehmann(sorted, count);
    if (count >= PC_PAIRS_LEAST) {
        size_t degrees = count - 1;
        double error = standard_error(sorted, count);
        double reach = student_quantile(rule->alpha / look_cost(count), degrees) * error;
        result.low = result.estimate - reach;
        result.high = result.estimate + reach;
        double proven = rule->mode == PC_PAIRS_EXCEEDS ? log1p(rule->threshold) : 0.0;
        result.p_value = fmin(1.0, look_cost(count) * p_above(result.estimate - proven, error, degrees));
        result.status = decide(&result, rule);
    }
    *verdict = result;
    return 0;
}

int pc_pairs_cutoff(const double *p_values, size_t count, double rate, double *cutoff)
{
    if (!(rate > 0.0 && rate < 1.0))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!(p_values[i] >= 0.0 && p_values[i] <= 1.0))
            return -EDOM;
    }
    // Quadratic, and a suite has hundreds of benchmarks, not millions.
    double result = -1.0;
    for (size_t i = 0; i < count; i++) {
        size_t rank = 0;
        for (size_t j = 0; j < count; j++)
            rank += p_values[j] <= p_values[i];
        if (p_values[i] <= rate * (double)rank / (double)count && p_values[i] > result)
            result = p_values[i];
    }
    *cutoff = result;
    return 0;
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
