/*
 * Prometheus' text exposition format, version 0.0.4: families of samples. A family is begun once, then
 * come its samples. Names and label values are our own words (a-z 0-9 _ . -), so nothing is escaped.
 */
#ifndef CACHEWARDEN_EXPOSITION_H
#define CACHEWARDEN_EXPOSITION_H

#include "cachewarden/str.h"

#include <stdint.h>

/* `type`: counter, gauge, histogram. Counters' names end with _total. */
void exposition_family(struct strbuf *out, const char *name, const char *type, const char *help);
/* `labels` as in "route=\"cache.status\",class=\"2xx\"", or "" for none. */
void exposition_count(struct strbuf *out, const char *name, const char *labels, uint64_t value);
/* The same for a gauge that may be below zero. */
void exposition_signed(struct strbuf *out, const char *name, const char *labels, int64_t value);
/* The same for nanoseconds, written as seconds. */
void exposition_seconds(struct strbuf *out, const char *name, const char *labels,
                        uint64_t nanoseconds);
/* `counts` has one more than there are bounds: each is the number of things that were above the bound
 * before and not above its own, the last is of those above all. */
struct exposition_histogram {
    const int64_t *bounds;
    const uint64_t *counts;
    size_t bound_count;
    uint64_t sum;
    bool is_time; /* bounds and sum are nanoseconds, and are written as seconds */
};
void exposition_histogram(struct strbuf *out, const char *name, const char *labels,
                          const struct exposition_histogram *histogram);
/* A family of one sample without labels. */
void exposition_single(struct strbuf *out, const char *name, const char *type, const char *help,
                       uint64_t value);

#endif
