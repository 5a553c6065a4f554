"""Shift-Max in C: Eq. 5 and its derivative in one pass over memory each, for registry.ops.native to compile."""

#: REAL, WIDE: an element's type and that of long sums. Built for float and for double, J and K of the common layers
#: known to the compiler. Products and sums are rounded one by one (no contraction), as the straightforward form's are.
SOURCE = r"""
#include <stdint.h>
#include <string.h>
#define BLOCK 512
#define MANY 32

#define PIECE(k) do { total = planes[0][p] * a[((k) * J) * channels]; \
    for (int64_t j = 1; j < J; j++) total = total + planes[j][p] * a[((k) * J + j) * channels]; } while (0)

/* y of one channel: a points to its coefficient of piece 0 and step 0. */
#define FORWARD(NAME, REAL) \
static inline __attribute__((always_inline)) void NAME(const REAL **planes, const REAL *a, REAL *y, \
        int64_t pixels, int64_t channels, const int64_t K, const int64_t J) { \
    for (int64_t p = 0; p < pixels; p++) { \
        REAL total, best; \
        PIECE(0); best = total; \
        for (int64_t k = 1; k < K; k++) { PIECE(k); best = (total > best || total != total) ? total : best; } \
        y[p] = best; \
    } \
}

/* dx += of one channel's J sources, and its da. At a tie halves go to either side, as torch.maximum shares. */
#define BACKWARD(NAME, REAL) \
static inline __attribute__((always_inline)) void NAME(const REAL **planes, REAL **grads, const REAL *a, \
        const REAL *dy, REAL *da, int64_t pixels, int64_t channels, const int64_t K, const int64_t J) { \
    REAL share[MANY][BLOCK]; \
    double sums[MANY]; \
    for (int64_t i = 0; i < K * J; i++) sums[i] = 0; \
    for (int64_t start = 0; start < pixels; start += BLOCK) { \
        const int64_t stop = start + BLOCK < pixels ? BLOCK : pixels - start; \
        for (int64_t i = 0; i < stop; i++) { \
            const int64_t p = start + i; \
            REAL total, best; \
            PIECE(0); best = total; share[0][i] = 1; \
            for (int64_t k = 1; k < K; k++) { \
                PIECE(k); \
                const REAL won = total > best ? (REAL)1 : total == best ? (REAL)0.5 : (REAL)0; \
                for (int64_t m = 0; m < k; m++) share[m][i] *= 1 - won; \
                share[k][i] = won; \
                best = (total > best || total != total) ? total : best; \
            } \
            for (int64_t k = 0; k < K; k++) share[k][i] *= dy[p]; \
        } \
        for (int64_t j = 0; j < J; j++) { \
            const REAL *x = planes[j] + start; \
            if (grads) { \
                REAL *dx = grads[j] + start; \
                for (int64_t i = 0; i < stop; i++) { \
                    REAL sum = share[0][i] * a[j * channels]; \
                    for (int64_t k = 1; k < K; k++) sum += share[k][i] * a[(k * J + j) * channels]; \
                    dx[i] += sum; \
                } \
            } \
            for (int64_t k = 0; k < K; k++) { \
                REAL sum = 0; \
                _Pragma("omp simd reduction(+:sum)") \
                for (int64_t i = 0; i < stop; i++) sum += share[k][i] * x[i]; \
                sums[k * J + j] += sum; \
            } \
        } \
    } \
    for (int64_t i = 0; i < K * J; i++) da[i * channels] = (REAL)sums[i]; \
}

#define BOTH(REAL) \
FORWARD(forward_##REAL, REAL) \
BACKWARD(backward_##REAL, REAL) \
/* x, y (n, channels, pixels) with `stride` between samples of x; a (n or 1, K, J, channels); index (J, channels). */ \
void shift_max_##REAL(const REAL *x, const REAL *a, REAL *y, const int64_t *index, int64_t n, int64_t channels, \
        int64_t pixels, int64_t K, int64_t J, int64_t shared, int64_t threads) { \
    _Pragma("omp parallel for collapse(2) num_threads(threads) if(threads > 1)") \
    for (int64_t s = 0; s < n; s++) for (int64_t c = 0; c < channels; c++) { \
        const REAL *planes[MANY]; \
        for (int64_t j = 0; j < J; j++) planes[j] = x + (s * channels + index[j * channels + c]) * pixels; \
        const REAL *mine = a + (shared ? 0 : s * K * J * channels) + c; \
        REAL *out = y + (s * channels + c) * pixels; \
        if (K == 2 && J == 2) forward_##REAL(planes, mine, out, pixels, channels, 2, 2); \
        else if (K == 1 && J == 2) forward_##REAL(planes, mine, out, pixels, channels, 1, 2); \
        else forward_##REAL(planes, mine, out, pixels, channels, K, J); \
    } \
} \
/* dx (n, channels, pixels) or 0; da (n, K, J, channels), also where the coefficients are shared. */ \
void shift_max_backward_##REAL(const REAL *x, const REAL *a, const REAL *dy, REAL *dx, REAL *da, \
        const int64_t *index, int64_t n, int64_t channels, int64_t pixels, int64_t K, int64_t J, int64_t shared, \
        int64_t threads) { \
    _Pragma("omp parallel for num_threads(threads) if(threads > 1)") \
    for (int64_t s = 0; s < n; s++) { \
        const int64_t size = channels * pixels; \
        if (dx) memset(dx + s * size, 0, size * sizeof(REAL)); \
        for (int64_t c = 0; c < channels; c++) { \
            const REAL *planes[MANY]; \
            REAL *grads[MANY]; \
            for (int64_t j = 0; j < J; j++) { \
                planes[j] = x + s * size + index[j * channels + c] * pixels; \
                grads[j] = dx + s * size + index[j * channels + c] * pixels; \
            } \
            const REAL *mine = a + (shared ? 0 : s * K * J * channels) + c, *out = dy + s * size + c * pixels; \
            REAL *sums = da + s * K * J * channels + c, **into = dx ? grads : 0; \
            if (K == 2 && J == 2) backward_##REAL(planes, into, mine, out, sums, pixels, channels, 2, 2); \
            else if (K == 1 && J == 2) backward_##REAL(planes, into, mine, out, sums, pixels, channels, 1, 2); \
            else backward_##REAL(planes, into, mine, out, sums, pixels, channels, K, J); \
        } \
    } \
}

BOTH(float)
BOTH(double)
"""
