/* Numbers that look random and are the same in every run: what a failing loop needs to be found again. */
#ifndef CACHEWARDEN_TESTS_NOISE_H
#define CACHEWARDEN_TESTS_NOISE_H

#include <stddef.h>
#include <stdint.h>

struct noise {
    uint64_t state;
};

/* A linear congruential generator; its low bits are poor, so only the high ones are given out. */
static inline uint32_t noise_next(struct noise *noise)
{
    noise->state = noise->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(noise->state >> 32);
}

/* In [0,limit). */
static inline size_t noise_below(struct noise *noise, size_t limit)
{
    return noise_next(noise) % limit;
}

static inline void noise_fill(struct noise *noise, char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)noise_next(noise);
}

#endif
