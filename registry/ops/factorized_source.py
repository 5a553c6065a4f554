"""Convolutions along one axis in C (k x 1 and 1 x k), forward and backward, for registry.ops.native to compile."""

#: A plane is R rows of L x I elements, convolved along L: R = 1, I = W for k x 1; R = H, I = 1 for 1 x k. Its padded
#: elements are laid out by their phase of the stride, P a row, so that every tap is one shift of contiguous memory:
#: all inner loops are plain sums over it; small planes of
#: several samples lie in one piece. Each function returns 1 where memory lacks, else 0.
SOURCE = r"""
#include <stdlib.h>
#define TAPS 128
#define PART 2048
#define TOGETHER 4096
#define APART static __attribute__((noinline))
#ifdef __FP_FAST_FMAF
#define FMA_float(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_double(a, b, c) __builtin_fma(a, b, c)
#else
#define FMA_float(a, b, c) ((a) * (b) + (c))
#define FMA_double(a, b, c) ((a) * (b) + (c))
#endif

#define AXIS(REAL) \
/* z (+)= the sum of `many` shifted buffers by their weights. */ \
static inline __attribute__((always_inline)) void sum_##REAL(const REAL *const *from, const REAL *w, REAL *z, \
        int64_t count, const int64_t many, const int64_t add, const REAL bias) { \
    _Pragma("omp simd") \
    for (int64_t q = 0; q < count; q++) { \
        REAL total = add ? z[q] : bias; \
        for (int64_t t = 0; t < many; t++) total = FMA_##REAL(w[t], from[t][q], total); \
        z[q] = total; \
    } \
} \
APART void taps_##REAL(const REAL *const *from, const REAL *w, REAL *z, int64_t count, int64_t many, \
        REAL bias) { \
    for (int64_t t = 0; t < many;) { \
        const int64_t left = many - t, add = t > 0; \
        const REAL *const *f = from + t; \
        const REAL *v = w + t; \
        if (left >= 8) { sum_##REAL(f, v, z, count, 8, add, bias); t += 8; } \
        else if (left >= 5) { sum_##REAL(f, v, z, count, 5, add, bias); t += 5; } \
        else if (left == 4) { sum_##REAL(f, v, z, count, 4, add, bias); t += 4; } \
        else if (left == 3) { sum_##REAL(f, v, z, count, 3, add, bias); t += 3; } \
        else if (left == 2) { sum_##REAL(f, v, z, count, 2, add, bias); t += 2; } \
        else { sum_##REAL(f, v, z, count, 1, add, bias); t += 1; } \
    } \
} \
/* Copy a plane's rows of `wide` elements from (give = 1) or to where one follows every `pitch`. */ \
static inline __attribute__((always_inline)) void copy_##REAL(REAL *plane, REAL *laid, int64_t R, const int64_t wide, \
        int64_t pitch, int64_t give) { \
    for (int64_t r = 0; r < R; r++) { \
        REAL *here = plane + r * wide, *there = laid + r * pitch; \
        if (give) memcpy(here, there, wide * sizeof(REAL)); \
        else memcpy(there, here, wide * sizeof(REAL)); \
    } \
} \
APART void rows_##REAL(REAL *plane, REAL *laid, int64_t R, int64_t wide, int64_t pitch, int64_t give) { \
    if (wide == 7) copy_##REAL(plane, laid, R, 7, pitch, give); /* the common widths, inlined */ \
    else if (wide == 14) copy_##REAL(plane, laid, R, 14, pitch, give); \
    else if (wide == 28) copy_##REAL(plane, laid, R, 28, pitch, give); \
    else copy_##REAL(plane, laid, R, wide, pitch, give); \
} \
/* Lay a plane out by phases (give = 0), or take it back from there (give = 1). */ \
APART void phases_##REAL(REAL *plane, REAL *laid, int64_t R, int64_t L, int64_t I, int64_t s, int64_t p, int64_t P, \
        int64_t size, int64_t give) { \
    for (int64_t phase = 0; phase < s; phase++) { \
        const int64_t first = phase >= p ? 0 : (p - phase + s - 1) / s; \
        int64_t last = (L + p - phase + s - 1) / s; \
        if (last > P) last = P; \
        if (s == 1) { rows_##REAL(plane, laid + first * I, R, L * I, P * I, give); continue; } \
        for (int64_t r = 0; r < R; r++) { \
            REAL *row = plane + r * L * I, *to = laid + phase * size + r * P * I; \
            if (I > 1) for (int64_t i = first; i < last; i++) { \
                REAL *here = row + (i * s + phase - p) * I, *there = to + i * I; \
                if (give) memcpy(here, there, I * sizeof(REAL)); else memcpy(there, here, I * sizeof(REAL)); \
            } else if (give) for (int64_t i = first; i < last; i++) row[i * s + phase - p] = to[i]; \
            else for (int64_t i = first; i < last; i++) to[i] = row[i * s + phase - p]; \
        } \
    } \
} \
/* x (n, cin, R, L, I), w (cout, cin / groups, k), bias (cout) or 0, y (n, cout, R, OL, I). */ \
int64_t axis_conv_##REAL(const REAL *x, const REAL *w, const REAL *bias, REAL *y, int64_t n, int64_t cin, \
        int64_t groups, int64_t cout, int64_t R, int64_t L, int64_t I, int64_t OL, int64_t k, int64_t s, int64_t p, \
        int64_t threads) { \
    const int64_t P = (L + 2 * p + s - 1) / s, tail = (k - 1) / s * I; \
    const int64_t one = R * P * I, fit = TOGETHER / one, chunk = fit < 1 ? 1 : fit < n ? fit : n; \
    const int64_t size = chunk * one + tail; \
    const int64_t gin = cin / groups, gout = cout / groups, direct = R == 1 && chunk == 1; \
    int64_t failed = 0; \
    _Pragma("omp parallel num_threads(threads) if(threads > 1)") \
    { \
        REAL *laid = calloc(gin * s * size + chunk * one, sizeof(REAL)), *z = laid + gin * s * size; \
        _Pragma("omp for collapse(2)") \
        for (int64_t b = 0; b < n; b += chunk) for (int64_t g = 0; g < groups; g++) { \
            if (!laid) { failed = 1; continue; } \
            const REAL *from[TAPS]; \
            for (int64_t c = 0; c < gin; c++) for (int64_t t = 0; t < k; t++) \
                from[c * k + t] = laid + (c * s + t % s) * size + t / s * I; \
            const int64_t here = b + chunk < n ? chunk : n - b, count = direct ? OL * I : here * one; \
            for (int64_t m = 0; m < here; m++) for (int64_t c = 0; c < gin; c++) \
                phases_##REAL((REAL *)x + ((b + m) * cin + g * gin + c) * R * L * I, laid + c * s * size + m * one, R, \
                    L, I, s, p, P, size, 0); \
            for (int64_t o = g * gout; o < (g + 1) * gout; o++) { \
                REAL *out = y + (b * cout + o) * R * OL * I, *to = direct ? out : z; \
                taps_##REAL(from, w + o * gin * k, to, count, gin * k, bias ? bias[o] : 0); \
                if (!direct) for (int64_t m = 0; m < here; m++) \
                    rows_##REAL(out + m * cout * R * OL * I, z + m * one, R, OL * I, P * I, 1); \
            } \
        } \
        free(laid); \
    } \
    return failed; \
} \
/* dx as x, or 0; dw as w, or 0: summed over samples in their order, whatever the threads. */ \
int64_t axis_conv_backward_##REAL(const REAL *x, const REAL *w, const REAL *dy, REAL *dx, REAL *dw, int64_t n, \
        int64_t cin, int64_t groups, int64_t cout, int64_t R, int64_t L, int64_t I, int64_t OL, int64_t k, int64_t s, \
        int64_t p, int64_t threads) { \
    const int64_t P = (L + 2 * p + s - 1) / s, tail = (k - 1) / s * I; \
    const int64_t one = R * P * I, fit = TOGETHER / one, chunk = fit < 1 ? 1 : fit < n ? fit : n; \
    const int64_t size = chunk * one + tail; \
    const int64_t gin = cin / groups, gout = cout / groups; \
    int64_t failed = 0; \
    _Pragma("omp parallel for num_threads(threads) if(threads > 1)") \
    for (int64_t g = 0; g < groups; g++) { \
        /* the gradient with `tail` zeros on either side: a row's missing end adds nothing */ \
        const int64_t padded = tail + size; \
        REAL *memory = calloc(2 * gin * s * size + gout * padded, sizeof(REAL)); \
        double *sums = calloc(gout * gin * k, sizeof(double)); \
        if (!memory || !sums) { failed = 1; free(memory); free(sums); continue; } \
        REAL *laid = memory, *into = laid + gin * s * size, *grads = into + gin * s * size + tail; \
        const REAL *weights = w + g * gout * gin * k; \
        for (int64_t b = 0; b < n; b += chunk) { \
            const int64_t here = b + chunk < n ? chunk : n - b, count = here * one, end = count + tail; \
            if (dw) for (int64_t m = 0; m < here; m++) for (int64_t c = 0; c < gin; c++) \
                phases_##REAL((REAL *)x + ((b + m) * cin + g * gin + c) * R * L * I, laid + c * s * size + m * one, R, \
                    L, I, s, p, P, size, 0); \
            for (int64_t o = 0; o < gout; o++) { \
                REAL *grad = grads + o * padded; \
                if (here < chunk) memset(grad + count, 0, (size - count) * sizeof(REAL)); \
                for (int64_t m = 0; m < here; m++) \
                    rows_##REAL((REAL *)dy + ((b + m) * cout + g * gout + o) * R * OL * I, grad + m * one, R, OL * I, \
                        P * I, 0); \
                if (dw) for (int64_t i = 0; i < gin * k; i++) { \
                    const REAL *from = laid + (i / k * s + i % k % s) * size + i % k / s * I; \
                    for (int64_t start = 0; start < count; start += PART) { \
                        const int64_t stop = start + PART < count ? start + PART : count; \
                        REAL sum = 0; \
                        _Pragma("omp simd reduction(+:sum)") \
                        for (int64_t q = start; q < stop; q++) sum = FMA_##REAL(grad[q], from[q], sum); \
                        sums[o * gin * k + i] += sum; \
                    } \
                } \
            } \
            if (dx) for (int64_t c = 0; c < gin; c++) for (int64_t phase = 0; phase < s && phase < k; phase++) { \
                const REAL *from[TAPS]; \
                REAL mine[TAPS]; \
                int64_t many = 0; \
                for (int64_t o = 0; o < gout; o++) for (int64_t t = phase; t < k; t += s) { \
                    from[many] = grads + o * padded - t / s * I; \
                    mine[many++] = weights[(o * gin + c) * k + t]; \
                } \
                taps_##REAL(from, mine, into + (c * s + phase) * size, end, many, 0); \
            } \
            if (dx) for (int64_t m = 0; m < here; m++) for (int64_t c = 0; c < gin; c++) \
                phases_##REAL(dx + ((b + m) * cin + g * gin + c) * R * L * I, into + c * s * size + m * one, \
                    R, L, I, s, p, P, size, 1); \
        } \
        if (dw) for (int64_t i = 0; i < gout * gin * k; i++) dw[g * gout * gin * k + i] = (REAL)sums[i]; \
        free(memory); free(sums); \
    } \
    return failed; \
}

AXIS(float)
AXIS(double)
"""
