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
/* The same for nanoseconds, written as seconds. */
void exposition_seconds(struct strbuf *out, const char *name, const char *labels,
                        uint64_t nanoseconds);
/* A family of one sample without labels. */
void exposition_single(struct strbuf *out, const char *name, const char *type, const char *help,
                       uint64_t value);

#endif
