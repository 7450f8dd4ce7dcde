#include "cachewarden/exposition.h"

#include <inttypes.h>
#include <stdio.h>

enum { SECONDS_SIZE = 32 };

void exposition_family(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_name(struct strbuf *out, const char *name, const char *labels)
{
    if (labels[0])
        strbuf_addf(out, "%s{%s} ", name, labels);
    else
        strbuf_addf(out, "%s ", name);
}

void exposition_count(struct strbuf *out, const char *name, const char *labels, uint64_t value)
{
    add_name(out, name, labels);
    strbuf_addf(out, "%" PRIu64 "\n", value);
}

void exposition_signed(struct strbuf *out, const char *name, const char *labels, int64_t value)
{
    add_name(out, name, labels);
    strbuf_addf(out, "%" PRId64 "\n", value);
}

/* Whole numbers, so that no locale can put a comma in. */
static void print_seconds(char text[SECONDS_SIZE], uint64_t nanoseconds)
{
    snprintf(text, SECONDS_SIZE, "%" PRIu64 ".%09" PRIu64, nanoseconds / 1000000000,
             nanoseconds % 1000000000);
}

void exposition_seconds(struct strbuf *out, const char *name, const char *labels,
                        uint64_t nanoseconds)
{
    char text[SECONDS_SIZE];

    add_name(out, name, labels);
    print_seconds(text, nanoseconds);
    strbuf_addf(out, "%s\n", text);
}

/* ---- histograms ---- */

/* 0.0025, 1: a bound is a label, and stays the same text for ever. */
static void print_bound(char text[SECONDS_SIZE], int64_t nanoseconds)
{
    print_seconds(text, (uint64_t)nanoseconds);
    size_t size = strlen(text);
    while (text[size - 1] == '0')
        size--;
    text[text[size - 1] == '.' ? size - 1 : size] = '\0';
}

static void add_bucket(struct strbuf *out, const char *name, const char *labels, const char *bound,
                       uint64_t count)
{
    strbuf_addf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels, labels[0] ? "," : "",
                bound, count);
}

/* All but the sum; how many things it is of. */
static uint64_t add_buckets(struct strbuf *out, const char *name, const char *labels,
                            const struct exposition_histogram *histogram)
{
    char text[SECONDS_SIZE];
    uint64_t count = 0;

    for (size_t i = 0; i < histogram->bound_count; i++) {
        count += histogram->counts[i];
        if (histogram->is_time)
            print_bound(text, histogram->bounds[i]);
        else
            snprintf(text, sizeof text, "%" PRId64, histogram->bounds[i]);
        add_bucket(out, name, labels, text, count);
    }
    count += histogram->counts[histogram->bound_count];
    add_bucket(out, name, labels, "+Inf", count);
    return count;
}

static void add_part(struct strbuf *out, const char *name, const char *part, const char *labels,
                     const char *value)
{
    strbuf_addf(out, "%s%s%s%s%s %s\n", name, part, labels[0] ? "{" : "", labels,
                labels[0] ? "}" : "", value);
}

void exposition_histogram(struct strbuf *out, const char *name, const char *labels,
                          const struct exposition_histogram *histogram)
{
    char text[SECONDS_SIZE];
    uint64_t count = add_buckets(out, name, labels, histogram);

    if (histogram->is_time)
        print_seconds(text, histogram->sum);
    else
        snprintf(text, sizeof text, "%" PRIu64, histogram->sum);
    add_part(out, name, "_sum", labels, text);
    snprintf(text, sizeof text, "%" PRIu64, count);
    add_part(out, name, "_count", labels, text);
}

void exposition_single(struct strbuf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    exposition_family(out, name, type, help);
    exposition_count(out, name, "", value);
}
