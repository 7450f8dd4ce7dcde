#include "cachewarden/principal.h"

#include "cachewarden/arena.h"

const char *credential_name(enum credential_kind kind)
{
    switch (kind) {
    case CREDENTIAL_NONE:
        return "none";
    case CREDENTIAL_BEARER:
        return "bearer";
    case CREDENTIAL_API_KEY:
        return "api_key";
    case CREDENTIAL_SESSION:
        return "session";
    case CREDENTIAL_OPERATOR:
        return "operator";
    }
    return "unknown";
}

/* The order is the order scope_names() prints. */
static const struct {
    const char *name;
    enum scope bit;
} scopes_known[] = {
    {"flush", SCOPE_FLUSH}, {"entries", SCOPE_ENTRIES}, {"admin", SCOPE_ADMIN},
    {"user", SCOPE_USER},   {"metrics", SCOPE_METRICS},
};

enum { SCOPE_COUNT = sizeof scopes_known / sizeof *scopes_known };

unsigned scope_from_name(struct str name)
{
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if (str_eq(name, str_from(scopes_known[i].name)))
            return (unsigned)scopes_known[i].bit;
    }
    return 0;
}

struct str scope_names(struct arena *arena, unsigned scopes)
{
    struct strbuf names;

    strbuf_init(&names, arena, 32);
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if ((scopes & (unsigned)scopes_known[i].bit) == 0)
            continue;
        if (names.len > 0)
            strbuf_add_char(&names, ',');
        strbuf_add(&names, str_from(scopes_known[i].name));
    }
    return names.failed ? STR_NONE : strbuf_str(&names);
}
