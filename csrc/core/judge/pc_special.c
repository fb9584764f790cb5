// SPDX-License-Identifier: MIT
// Normal and Student's t distributions (see the header).
#include "judge/pc_special.h"

#include <math.h>

static const double SQRT_HALF = 0.70710678118654752440;
static const double SQRT_2PI = 2.50662827463100050242;
static const double SQRT_PI = 1.77245385090551602730;
static const double LN_SQRT_PI = 0.57236494292470008707;
static const double LN_SQRT_2PI = 0.91893853320467274178;
// Below it a tail is taken by its logarithm: not far from there its own digits go, and what it is divided by is gone.
static const double LEAST_TAIL = 1e-300;

double pc_normal_cdf(double x)
{
    return 0.5 * erfc(-x * SQRT_HALF);
}

// z + the step of Newton's method for ln P(Z > z) = ln_tail, for z > 37. There Mills' ratio P(Z > z) / (density at z)
// is the beginning of its asymptotic series (Abramowitz and Stegun 26.2.12), to 2e-13.
static double normal_far_step(double z, double ln_tail)
{
    const double r = 1.0 / (z * z);
    const double mills = (1.0 - r * (1.0 - 3.0 * r * (1.0 - 5.0 * r * (1.0 - 7.0 * r)))) / z;
    return z + (log(mills) - LN_SQRT_2PI - 0.5 * z * z - ln_tail) * mills;
}

// The positive z with P(Z > z) = tail for 0 < tail <= 1/2, or with P(0 < Z < z) = center, which is 1/2 - tail.
static double normal_upper(double tail, double center)
{
    // Abramowitz and Stegun 26.2.23: within 4.5e-4, from where Halley's method needs two or three steps.
    const double t = sqrt(-2.0 * log(tail));
    double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    if (tail < LEAST_TAIL) {
        const double ln_tail = log(tail);
        return normal_far_step(normal_far_step(z, ln_tail), ln_tail);
    }
    for (int i = 0; i < 3; i++) {
        const double excess = tail > 0.25 ? 0.5 * erf(z * SQRT_HALF) - center : tail - 0.5 * erfc(z * SQRT_HALF);
        const double step = excess * SQRT_2PI * exp(0.5 * z * z);
        z -= step / (1.0 + 0.5 * z * step);
    }
    return z;
}

double pc_normal_quantile(double p)
{
    if (!(p >= 0.0 && p <= 1.0))
        return NAN;
    if (p == 0.5)
        return 0.0;
    if (p == 0.0 || p == 1.0)
        return p == 0.0 ? -INFINITY : INFINITY;
    return p < 0.5 ? -normal_upper(p, 0.5 - p) : normal_upper(1.0 - p, p - 0.5);
}

// Gamma(a + 1/2) / Gamma(a).
static double gamma_ratio(double a)
{
    if (a < 20.0)
        return a < 1e-300 ? a * SQRT_PI : tgamma(a + 0.5) / tgamma(a);
    const double r = 1.0 / (a * a);
    const double series = -1.0 / 8 + r * (1.0 / 192 + r * (-1.0 / 640 + r * (17.0 / 14336 - r * (31.0 / 18432))));
    return sqrt(a) * exp(series / a);
}

// The continued fraction of the incomplete beta function, for x < (a + 1) / (a + b + 2); y is 1 - x, given apart
// because a y - b x cancels otherwise for large a.
static double beta_fraction(double a, double b, double x, double y)
{
    enum { MOST_STEPS = 100000 };
    const double least = 1e-290; // instead of a zero denominator
    const double lambda = a * y - b * x + 1.0;
    double c = a * lambda / (a + 1.0), d = 0.0;
    double value = c;
    for (int i = 1; i < MOST_STEPS; i++) {
        const double m = (double)i, even = a + 2.0 * m;
        const double alpha = (a + m - 1.0) / (even - 1.0) * ((a + b + m - 1.0) / (even - 1.0)) * m * (b - m) * x * x;
        const double beta = m + m * (b - m) * x / (even - 1.0) + (a + m) * (lambda + m * (1.0 + y)) / (even + 1.0);
        d = beta + alpha * d;
        d = 1.0 / (fabs(d) < least ? least : d);
        c = beta + alpha / c;
        c = fabs(c) < least ? least : c;
        value *= c * d;
        if (fabs(c * d - 1.0) < 0x1p-52)
            break;
    }
    return 1.0 / value;
}

// P(|T| > t) and P(|T| < t) for t > 0; the smaller is accurate, and the other its complement.
typedef struct halves {
    double outside, inside;
    double slope; // t times the density of |T| at t, for Newton's method
    // Of `outside`, also where that is no number any more: its logarithm, and what it is in units of the slope.
    double ln_outside, outside_slopes;
} halves;

static halves student_halves(double t, double df)
{
    const double s = t / sqrt(df);
    const double ln = s > 1e150 ? 2.0 * log(t) - log(df) : log1p(s * s); // ln(1 + t^2 / df)
    const double a = 0.5 * df;
    const double x = s > 1e150 ? 0.0 : 1.0 / (1.0 + s * s); // df / (df + t^2)
    const double y = s > 1e150 ? 1.0 : s * s / (1.0 + s * s);
    // x^a y^(1/2) / B(a, 1/2)
    const double ratio = gamma_ratio(a);
    const double front = exp(-a * ln) * sqrt(y) * ratio / SQRT_PI;
    halves result = {.slope = 2.0 * front};
    if (x < (a + 1.0) / (a + 2.5)) {
        const double fraction = beta_fraction(a, 0.5, x, y);
        result.outside = front * fraction;
        result.inside = 1.0 - result.outside;
        result.ln_outside = log(sqrt(y) * ratio * fraction) - a * ln - LN_SQRT_PI;
        result.outside_slopes = 0.5 * fraction;
    } else {
        result.inside = front * beta_fraction(0.5, a, y, x);
        result.outside = 1.0 - result.inside;
        result.ln_outside = log(result.outside);
        result.outside_slopes = result.outside / result.slope;
    }
    return result;
}

// From here on t and the normal distribution differ by less than their rounding.
static bool is_normal(double df)
{
    return df >= 1e15;
}

double pc_student_two_sided(double t, double df)
{
    if (isnan(t) || !(df > 0.0))
        return NAN;
    if (is_normal(df))
        return erfc(fabs(t) * SQRT_HALF);
    if (t == 0.0 || isinf(t))
        return t == 0.0 ? 1.0 : 0.0;
    return student_halves(fabs(t), df).outside;
}

double pc_student_cdf(double t, double df)
{
    const double two_sided = pc_student_two_sided(t, df);
    return t < 0.0 ? 0.5 * two_sided : 1.0 - 0.5 * two_sided;
}

// The positive t with P(T > t) = tail; center is 1/2 - tail. In ln t both ln P(|T| > t) and ln P(|T| < t) are concave,
// so that Newton's method converges from every start.
static double student_upper(double tail, double center, double df)
{
    double u = log(normal_upper(tail, center));
    for (int i = 0; i < 200; i++) {
        const halves now = student_halves(exp(u), df);
        double step;
        if (tail > 0.25)
            step = log(now.inside / (2.0 * center)) * now.inside / now.slope;
        else
            step = (log(2.0 * tail) - now.ln_outside) * now.outside_slopes;
        u -= step;
        if (u > 709.7)
            return INFINITY;
        if (fabs(step) < 1e-15 * fmax(1.0, fabs(u)))
            break;
    }
    return exp(u);
}

double pc_student_quantile(double p, double df)
{
    if (!(p >= 0.0 && p <= 1.0) || !(df > 0.0))
        return NAN;
    if (is_normal(df) || p == 0.0 || p == 0.5 || p == 1.0)
        return pc_normal_quantile(p);
    return p < 0.5 ? -student_upper(p, 0.5 - p, df) : student_upper(1.0 - p, p - 0.5, df);
}
