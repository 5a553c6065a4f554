"""BatchNorm of a training batch in C, forward and backward, for registry.ops.native to compile."""

#: Tensors are n x channels planes of `pixels` elements. Some channels go together, so that memory is read in pieces of
#: some length and what one pass has read lies in a processor's cache for the next. Sums run in parts that a float holds
#: well, and parts are added in double, in the samples' order: threads change nothing.
SOURCE = r"""
#include <math.h>
#define CHANNELS 64
#define CACHED 32768

/* How many channels go together. */
static int64_t together(int64_t n, int64_t channels, int64_t pixels, int64_t threads) {
    int64_t fit = CACHED / (n * pixels), share = channels / threads;
    if (fit > share) fit = share;
    return fit < 1 ? 1 : fit > CHANNELS ? CHANNELS : fit;
}

#define EACH(first, last) for (int64_t b = 0; b < n; b++) for (int64_t c = first; c < last; c++)
#define PLANE(c) (b * channels + (c)) * pixels

/* The sum of EXPRESSION over a plane. */
#define PLANE_SUM(NAME, REAL, EXPRESSION) \
static inline double NAME(const REAL *u, int64_t pixels, REAL mean) { \
    double total = 0; \
    (void)mean; \
    for (int64_t start = 0; start < pixels; start += PART) { \
        const int64_t stop = start + PART < pixels ? start + PART : pixels; \
        REAL sum = 0; \
        _Pragma("omp simd reduction(+:sum)") \
        for (int64_t q = start; q < stop; q++) sum += EXPRESSION; \
        total += sum; \
    } \
    return total; \
}

#define BATCH_NORM(REAL) \
PLANE_SUM(norm_sum_##REAL, REAL, u[q]) \
PLANE_SUM(norm_square_##REAL, REAL, (u[q] - mean) * (u[q] - mean)) \
/* Add the sums of g and of g (u - mean) over a plane. */ \
static inline void norm_gradient_##REAL(const REAL *u, const REAL *g, int64_t pixels, REAL mean, double *sum, \
        double *product) { \
    for (int64_t start = 0; start < pixels; start += PART) { \
        const int64_t stop = start + PART < pixels ? start + PART : pixels; \
        REAL s = 0, p = 0; \
        _Pragma("omp simd reduction(+:s,p)") \
        for (int64_t q = start; q < stop; q++) { s += g[q]; p += g[q] * (u[q] - mean); } \
        *sum += s; \
        *product += p; \
    } \
} \
/* x, y (n, channels, pixels); w, bias (channels); each channel's mean and biased variance are given back. */ \
void batch_norm_##REAL(const REAL *x, const REAL *w, const REAL *bias, REAL *y, REAL *means, REAL *variances, \
        int64_t n, int64_t channels, int64_t pixels, double eps, int64_t threads) { \
    const double many = (double)n * pixels; \
    const int64_t block = together(n, channels, pixels, threads); \
    _Pragma("omp parallel for num_threads(threads) if(threads > 1)") \
    for (int64_t first = 0; first < channels; first += block) { \
        const int64_t last = first + block < channels ? first + block : channels; \
        double sums[CHANNELS] = {0}, squares[CHANNELS] = {0}; \
        REAL scale[CHANNELS]; \
        EACH(first, last) sums[c - first] += norm_sum_##REAL(x + PLANE(c), pixels, 0); \
        for (int64_t c = first; c < last; c++) means[c] = (REAL)(sums[c - first] / many); \
        EACH(first, last) squares[c - first] += norm_square_##REAL(x + PLANE(c), pixels, means[c]); \
        for (int64_t c = first; c < last; c++) { \
            variances[c] = (REAL)(squares[c - first] / many); \
            scale[c - first] = (REAL)(w[c] / sqrt(squares[c - first] / many + eps)); \
        } \
        EACH(first, last) { \
            const REAL *u = x + PLANE(c), mean = means[c], by = scale[c - first], shift = bias[c]; \
            REAL *to = y + PLANE(c); \
            _Pragma("omp simd") \
            for (int64_t q = 0; q < pixels; q++) to[q] = (u[q] - mean) * by + shift; \
        } \
    } \
} \
/* dx as x, or 0; dw and db (channels). */ \
void batch_norm_backward_##REAL(const REAL *x, const REAL *w, const REAL *dy, const REAL *means, \
        const REAL *variances, REAL *dx, REAL *dw, REAL *db, int64_t n, int64_t channels, int64_t pixels, double eps, \
        int64_t threads) { \
    const double many = (double)n * pixels; \
    const int64_t block = together(n, channels, pixels, threads); \
    _Pragma("omp parallel for num_threads(threads) if(threads > 1)") \
    for (int64_t first = 0; first < channels; first += block) { \
        const int64_t last = first + block < channels ? first + block : channels; \
        double sums[CHANNELS] = {0}, products[CHANNELS] = {0}; \
        REAL scale[CHANNELS], slope[CHANNELS], offset[CHANNELS]; \
        EACH(first, last) norm_gradient_##REAL(x + PLANE(c), dy + PLANE(c), pixels, means[c], sums + c - first, \
            products + c - first); \
        for (int64_t c = first, i = 0; c < last; c++, i++) { \
            const double inverse = 1 / sqrt((double)variances[c] + eps); \
            scale[i] = (REAL)(w[c] * inverse); \
            slope[i] = (REAL)(products[i] * inverse * inverse / many); \
            offset[i] = (REAL)(sums[i] / many); \
            dw[c] = (REAL)(products[i] * inverse); \
            db[c] = (REAL)sums[i]; \
        } \
        if (dx) EACH(first, last) { \
            const REAL *u = x + PLANE(c), *g = dy + PLANE(c), mean = means[c]; \
            const REAL by = scale[c - first], along = slope[c - first], off = offset[c - first]; \
            REAL *to = dx + PLANE(c); \
            _Pragma("omp simd") \
            for (int64_t q = 0; q < pixels; q++) to[q] = (g[q] - off - (u[q] - mean) * along) * by; \
        } \
    } \
}

BATCH_NORM(float)
BATCH_NORM(double)
"""
