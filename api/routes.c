#include "cachewarden/routes.h"

#include "cachewarden/entries.h"
#include "ops.h"
#include "params_private.h"

/* A refresh token of TOKEN_MAX_SIZE with its JSON around it fits several times; a password too
 * long for us is still read and named, not cut off. */
#define FIELDS_LIMIT ((size_t)64 * 1024)

static const struct param_spec params_own_user[] = {
    {.name = "user_id",
     .kind = PARAM_OWN_ID,
     .help = "The caller's own id, or nothing. Another id is refused."},
    {.kind = PARAM_END},
};

static const struct param_spec params_any_user[] = {
    {.name = "user_id",
     .kind = PARAM_ID,
     .raw_only = true,
     .help = "Whose cache to clear. Without it everybody's."},
    {.kind = PARAM_END},
};

static const struct param_spec params_flush[] = {
    {.name = "name", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "The cache's name."},
    {.name = "dry_run", .kind = PARAM_BOOLEAN, .help = "Counts only, and changes nothing."},
    {.kind = PARAM_END},
};

static const struct param_spec params_job[] = {
    {.name = "id", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "The job's id."},
    {.kind = PARAM_END},
};

static const struct param_spec params_backup[] = {
    {.name = "id", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "The backup's id."},
    {.kind = PARAM_END},
};

static const struct param_spec params_restore[] = {
    {.name = "id", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "The backup's id."},
    {.name = "dry_run",
     .kind = PARAM_BOOLEAN,
     .help = "Says what would change, and changes nothing."},
    {.name = "foreign",
     .kind = PARAM_BOOLEAN,
     .help = "Takes a backup of another installation, too."},
    {.kind = PARAM_END},
};

static const struct param_spec params_logout[] = {
    {.name = "all",
     .kind = PARAM_BOOLEAN,
     .help = "Every session of the caller, not only this one."},
    {.kind = PARAM_END},
};

static const struct param_spec params_audit[] = {
    {.name = "limit",
     .kind = PARAM_INTEGER,
     .min = 1,
     .max = 1000,
     .default_value = 100,
     .help = "How many records at most."},
    {.name = "before",
     .kind = PARAM_STREAM_ID,
     .help = "Only records older than this id: `next` of the answer before."},
    {.name = "part",
     .kind = PARAM_NAME,
     .help = "Only records of this part: changes, clears or sign_ins."},
    {.name = "principal", .kind = PARAM_TEXT, .help = "Only what was done by this one, by name."},
    {.name = "action",
     .kind = PARAM_TEXT,
     .help = "Only this: what records have as `route`, such as caches.flush."},
    {.name = "target", .kind = PARAM_TEXT, .help = "Only what was done to this, such as user:7."},
    {.name = "result", .kind = PARAM_TEXT, .help = "Only what ended like this, such as ok."},
    {.name = "since",
     .kind = PARAM_TIME,
     .help = "Only records from this time on: RFC 3339, or seconds since 1970."},
    {.name = "until", .kind = PARAM_TIME, .help = "Only records before this time."},
    {.kind = PARAM_END},
};

static const struct param_spec params_subjects[] = {
    {.name = "issuer",
     .kind = PARAM_TEXT,
     .required = true,
     .help = "The other issuer, as its tokens name it in iss."},
    {.name = "subject",
     .kind = PARAM_TEXT,
     .required = true,
     .help = "Its user, as its tokens name them in the user claim."},
    {.kind = PARAM_END},
};

/* A page of a list whose order is that of ids. */
#define PARAM_OF_LIMIT                                                                     \
    {                                                                                      \
        .name = "limit", .kind = PARAM_INTEGER, .min = 1, .max = 200, .default_value = 50, \
        .help = "How many at most."                                                        \
    }

static const struct param_spec params_users[] = {
    {.name = "q",
     .kind = PARAM_TEXT,
     .help = "Only those whose name or email contains this, whatever the case."},
    {.name = "active",
     .kind = PARAM_BOOLEAN,
     .help = "Only those that are active, or that are not."},
    PARAM_OF_LIMIT,
    {.name = "after",
     .kind = PARAM_ID,
     .help = "Only accounts behind this id: `next` of the answer before."},
    {.kind = PARAM_END},
};

static const struct param_spec params_user[] = {
    {.name = "id", .kind = PARAM_ID, .place = PLACE_PATH, .help = "The account's id."},
    {.kind = PARAM_END},
};

static const struct param_spec params_keys[] = {
    PARAM_OF_LIMIT,
    {.name = "after",
     .kind = PARAM_NAME,
     .help = "Only keys behind this id: `next` of the answer before."},
    {.kind = PARAM_END},
};

static const struct param_spec params_key[] = {
    {.name = "id", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "The key's id."},
    {.kind = PARAM_END},
};

#define PARAM_OF_NAMESPACE                                                                       \
    {                                                                                            \
        .name = "namespace", .kind = PARAM_NAMESPACE,                                            \
        .help = "user:<id> or app:<name>, of an admin. Others have one, and may name that only." \
    }
#define PARAM_OF_LABEL                                                                         \
    {                                                                                          \
        .name = "label", .kind = PARAM_LABEL, .place = PLACE_PATH, .help = "The entry's name." \
    }

#define PARAM_OF_HEAD(field, text)                                                \
    {                                                                             \
        .name = (field), .kind = PARAM_FIELD, .place = PLACE_HEAD, .help = (text) \
    }

static const struct param_spec params_entry[] = {
    PARAM_OF_LABEL,
    PARAM_OF_NAMESPACE,
    {.kind = PARAM_END},
};

static const struct param_spec params_entry_get[] = {
    PARAM_OF_LABEL,
    {.name = "model",
     .kind = PARAM_MODEL,
     .repeats = true,
     .help = "A model that a fill will name; its lease is good for it then."},
    {.name = "wait_ms",
     .kind = PARAM_INTEGER,
     .max = 60000,
     .help = "How long a miss waits for the fill of another, within the time a request may take."},
    PARAM_OF_NAMESPACE,
    PARAM_OF_HEAD("If-None-Match", "ETags of what the caller has: 304 when it is still that."),
    {.kind = PARAM_END},
};

static const struct param_spec params_entry_put[] = {
    PARAM_OF_LABEL,
    {.name = "ttl",
     .kind = PARAM_INTEGER,
     .min = 1,
     .max = ENTRY_TTL_MAX_S,
     .default_value = 3600,
     .help = "Seconds to live; 2592000 at most with a model. Without it entries.default_ttl_s."},
    {.name = "model",
     .kind = PARAM_MODEL,
     .repeats = true,
     .help = "A model whose clear drops the entry."},
    PARAM_OF_NAMESPACE,
    PARAM_OF_HEAD("X-Cache-Lease", "The lease of the miss, or of the hit to be filled anew."),
    PARAM_OF_HEAD("If-None-Match", "Only *: stores where nothing is, else 412."),
    {.kind = PARAM_END},
};

/* What may also be about all that the gateway has stored. */
#define PARAM_OF_NAMESPACE_OR_GATEWAY                                                           \
    {                                                                                           \
        .name = "namespace", .kind = PARAM_NAMESPACE, .takes_gateway = true,                    \
        .help = "user:<id> or app:<name>, of an admin; gateway, of an admin or a key with the " \
                "scope entries. Others have one, and may name that only."                       \
    }

static const struct param_spec params_entries_clear[] = {
    {.name = "pattern",
     .kind = PARAM_LABEL,
     .help =
         "Starts a job that drops the labels it matches: * any bytes, ? one, [a-z] one of "
         "these, [^a-z] "
         "any but these, \\ before what is meant itself. At most four stars. Not of the gateway."},
    PARAM_OF_NAMESPACE_OR_GATEWAY,
    {.kind = PARAM_END},
};

static const struct param_spec params_model[] = {
    {.name = "model", .kind = PARAM_MODEL, .place = PLACE_PATH, .help = "The model's name."},
    PARAM_OF_NAMESPACE_OR_GATEWAY,
    {.name = "soft",
     .kind = PARAM_BOOLEAN,
     .help = "Of the gateway: what has the model becomes stale, and is served until it is "
             "fetched anew."},
    {.kind = PARAM_END},
};

#define ROUTE(method_, path_, name_, operation_, permit_, accept_, limit_, effect_, params_, \
              body_, body_limit_, error_format_, failure_, summary_)                         \
    {                                                                                        \
        .method = (method_),                                                                 \
        .path = (path_),                                                                     \
        .name = (name_),                                                                     \
        .operation = (operation_),                                                           \
        .permit = (permit_),                                                                 \
        .accept = (accept_),                                                                 \
        .limit = (limit_),                                                                   \
        .effect = (effect_),                                                                 \
        .params = (params_),                                                                 \
        .body = (body_),                                                                     \
        .body_limit = (body_limit_),                                                         \
        .error_format = (error_format_),                                                     \
        .failure = (failure_),                                                               \
        .no_store = true, /* every answer is somebody's own, or true for a moment only */    \
        .summary = (summary_),                                                               \
    },
static const struct route table[] = {
#include "routes.def"
};
#undef ROUTE

bool route_ignores_query(const struct route *route)
{
    for (const struct param_spec *spec = route->params; spec && spec->kind != PARAM_END; spec++) {
        if (spec->place == PLACE_QUERY && spec->kind != PARAM_OWN_ID)
            return false;
    }
    return route->effect == EFFECT_READ && route->body == BODY_IGNORED;
}

bool route_reads_body(const struct route *route)
{
    return route->effect != EFFECT_READ || route->body != BODY_IGNORED;
}

bool route_takes_text(const struct route *route, struct str name)
{
    for (const struct param_spec *spec = route->params; spec && spec->kind != PARAM_END; spec++) {
        if (spec->place == PLACE_PATH && str_eq(name, str_from(spec->name)))
            return param_is_path_text(spec);
    }
    return false;
}

bool route_is_probe(const struct route *route)
{
    return str_starts(str_from(route->path), STR("/health"));
}

bool route_counts_bytes(const struct route *route)
{
    return route->operation == op_entries_put || route->operation == op_entries_increment;
}

bool route_starts_jobs(const struct route *route)
{
    return route->operation == op_caches_flush;
}

const char *route_limit_name(const struct route *route)
{
    if (route_starts_jobs(route))
        return limit_name(LIMIT_JOB);
    if (route_counts_bytes(route))
        return "fill_bytes";
    return route->limit == LIMIT_NONE ? NULL : limit_name(route->limit);
}

const struct route *routes_table(size_t *count_out)
{
    *count_out = sizeof table / sizeof table[0];
    return table;
}

const char *method_name(enum http_method method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_POST:
        return "POST";
    case METHOD_PUT:
        return "PUT";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_PATCH:
        return "PATCH";
    case METHOD_OPTIONS:
        return "OPTIONS";
    case METHOD_OTHER:
        break;
    }
    return "OTHER";
}

static const struct {
    const char *name;
    enum limit_by by;
} limits[LIMIT_COUNT] = {
    [LIMIT_NONE] = {"none", LIMIT_BY_NOTHING},
#define LIMIT(symbol, name, key) [LIMIT_##symbol] = {#name, LIMIT_BY_##key},
#include "cachewarden/limits.def"
#undef LIMIT
};

const char *limit_name(enum limit limit)
{
    return limits[limit].name;
}

enum limit_by limit_by(enum limit limit)
{
    return limits[limit].by;
}
