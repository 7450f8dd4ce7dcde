#include "cachewarden/exposition.h"

#include <inttypes.h>

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

/* Whole numbers, so that no locale can put a comma in. */
void exposition_seconds(struct strbuf *out, const char *name, const char *labels,
                        uint64_t nanoseconds)
{
    add_name(out, name, labels);
    strbuf_addf(out, "%" PRIu64 ".%09" PRIu64 "\n", nanoseconds / 1000000000,
                nanoseconds % 1000000000);
}

void exposition_single(struct strbuf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    exposition_family(out, name, type, help);
    exposition_count(out, name, "", value);
}
