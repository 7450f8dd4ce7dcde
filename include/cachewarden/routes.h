/*
 * The table of endpoints, made from api/routes.def: one row an endpoint. Permission, limit,
 * parameters, body and error format are columns; the zero value of the permission denies.
 * Everything that lists endpoints (router, `cachewarden routes`, schema, tests) reads this table.
 */
#ifndef CACHEWARDEN_ROUTES_H
#define CACHEWARDEN_ROUTES_H

#include "cachewarden/call.h"
#include "cachewarden/permit.h"

#include <stddef.h>

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_PATCH,
    METHOD_OPTIONS,
    METHOD_OTHER
};
const char *method_name(enum http_method method);

/* Which credentials the route takes. Two that disagree are refused by each. */
enum accept {
    ACCEPT_USUAL = 0, /* a Bearer token, an API key in x-api-key, a session */
    /* for those who watch: an API key in Authorization as well, and while the users database is away one
       that was good within the last day (identity.h). Reads that tell no secrets only */
    ACCEPT_SCRAPER,
    /* of a public read: as the usual, and who shows one that is good is told more. One that is not good is nobody's,
       and nobody waits until it can be judged */
    ACCEPT_OPTIONAL
};

/* Which row of limits.def counts calls of the route. */
enum limit {
    LIMIT_NONE = 0,
#define LIMIT(symbol, name, key) LIMIT_##symbol,
#include "cachewarden/limits.def"
#undef LIMIT
    LIMIT_COUNT
};
enum limit_by {
    LIMIT_BY_NOTHING = 0,
    LIMIT_BY_USER,
    LIMIT_BY_CALLER,
    LIMIT_BY_COMMON,
    LIMIT_BY_ADDRESS,
    LIMIT_BY_FAMILY
};
/* "none" and LIMIT_BY_NOTHING for LIMIT_NONE. */
const char *limit_name(enum limit limit);
enum limit_by limit_by(enum limit limit);

/* Whether the route changes anything a caller could notice. Zero is refused by routes_check; GET and HEAD are reads. */
enum effect { EFFECT_UNSTATED = 0, EFFECT_READ, EFFECT_WRITE };

enum param_kind {
    PARAM_END = 0,
    PARAM_ID, /* one canonical positive int64 */
    /* as PARAM_ID, and it must be the caller's own account: else the answer is 403 */
    PARAM_OWN_ID,
    PARAM_INTEGER,   /* within [min,max] */
    PARAM_BOOLEAN,   /* true or false */
    PARAM_NAME,      /* 1 to 64 of a-z A-Z 0-9 . _ - */
    PARAM_STREAM_ID, /* a Redis stream id: digits, '-', digits */
    PARAM_TIME,      /* RFC 3339, or seconds since 1970; `integer` is milliseconds */
    PARAM_TEXT,      /* 1 to 255 bytes of UTF-8 without control characters */
    /* The same, 1 to 512 bytes, with any slashes. In a path no part between them is "." or "..", which
       a proxy on the way would take for steps. */
    PARAM_LABEL,
    PARAM_MODEL, /* the same, 1 to 128 bytes, no slash; neither "." nor "..", so that a path can name it */
    PARAM_NAMESPACE, /* user:<id> (as `integer`) or app:<name>, the name as PARAM_NAME */
    PARAM_FIELD /* a field of the head, and no other place; the operation reads it from the call */
};
enum param_place { PLACE_QUERY = 0, PLACE_PATH, PLACE_HEAD };

#define PARAM_REPEATS_MAX 16

struct param_spec {
    const char *name;
    enum param_kind kind;
    enum param_place place;
    int64_t min, max;      /* PARAM_INTEGER */
    int64_t default_value; /* integers and booleans */
    /* the value may not be percent-encoded, and a query that is there must be exactly this one
       parameter */
    bool raw_only;
    bool required;      /* in a query; in a path all are */
    bool repeats;       /* in a query: may come up to PARAM_REPEATS_MAX times (param_value.texts) */
    bool takes_gateway; /* PARAM_NAMESPACE: that of the gateway, too */
    const char *help;
};

enum body_kind {
    BODY_IGNORED = 0, /* read (up to the limit) and thrown away; by a read not even read */
    /* as ignored, but one that names a parameter of the query is ERR_BAD_INPUT: it belongs there */
    BODY_NO_PARAMS,
    BODY_EMPTY,  /* none, or {}: any other is ERR_BAD_INPUT, for nothing of it would be done */
    BODY_FIELDS, /* a JSON object or a form; other media types are ERR_UNSUPPORTED_TYPE */
    BODY_RAW,    /* any bytes, and what they are (call.content_type) */
    BODY_STREAM  /* the same, which the operation reads while they come (call_read_body) */
};

/* The shape of error bodies, as the clients of each family of routes know it. */
enum error_format {
    ERROR_FORMAT_DETAIL = 0,  /* {"detail":…} */
    ERROR_FORMAT_CONTROL,     /* failures of Redis: 500 {"error":<failure>}, else as DETAIL */
    ERROR_FORMAT_ADMIN_CLEAR, /* 403 {"error":…}, 400 and 500 {"ok":false,"message":…} */
    /* 401, 403, 500 {"success":false,"error":…,"flushed":false,"keysRemoved":0} */
    ERROR_FORMAT_MESSAGES,
    /* 403 {"detail":"Not authorized"}, 500 {"detail":"<failure>: <cause>"} */
    ERROR_FORMAT_ANALYTICS,
    ERROR_FORMAT_PROBLEM /* RFC 9457, with `detail` */
};

struct route {
    enum http_method method;
    /* "/api/v1/caches/{name}/flush"; a trailing slash in the table means: with and without it */
    const char *path;
    const char *name; /* "cache.status": for logs, metrics, operationId */
    enum err (*operation)(struct call *call);
    enum permit permit;
    enum accept accept;
    enum limit limit;
    enum effect effect;
    const struct param_spec *params; /* ends with PARAM_END; NULL: none */
    enum body_kind body;
    size_t body_limit; /* bytes; 0: server.max_body */
    enum error_format error_format;
    const char *failure; /* the sentence of that format for a failure of Redis */
    bool no_store;       /* Cache-Control: no-store */
    const char *summary;
};

/*
 * A read without parameters of its own (PARAM_OWN_ID only says whose) answers whatever else stands in
 * the query: a browser's `?_=1700000000` means nothing. Every other row refuses what it does not know.
 */
bool route_ignores_query(const struct route *route);
/*
 * A read whose body is ignored does not wait for it: nginx's auth_request announces the body of the
 * request it asks about, and sends none.
 */
bool route_reads_body(const struct route *route);
/*
 * Whether {name} in the row's path is text: percent-decoded, %2F as a slash, and refused by params_read,
 * which says why. What stands for other names is found by the router as it was sent, or is no path.
 */
bool route_takes_text(const struct route *route, struct str name);
/* Whoever watches the server asks it every few seconds, without a credential: /health…. */
bool route_is_probe(const struct route *route);

/* Whether it stores bytes, which count against what each user may store (limits.fill_bytes_per_hour). */
bool route_counts_bytes(const struct route *route);
/* Whether it may start a job, which counts against what an API key may start (limits.job_per_minute). */
bool route_starts_jobs(const struct route *route);
/* What stands between `limits.` and `_per_minute`, or `_per_hour`, in the setting that limits the route; NULL: none. */
const char *route_limit_name(const struct route *route);

/* The whole table; the count through *count_out. Read-only, no locks. */
const struct route *routes_table(size_t *count_out);
/* NULL when every row is sound, else what is wrong with the first that is not. Run at start and in a test. */
const char *routes_check(void);

#endif
