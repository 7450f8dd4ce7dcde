/*
 * What an operation sees of a request, and where it puts its answer. No HTTP status, no header
 * names, no hiredis: an operation reads typed parameters, asks a service, writes members.
 * A call belongs to one thread and lives in one arena.
 */
#ifndef CACHEWARDEN_CALL_H
#define CACHEWARDEN_CALL_H

#include "cachewarden/body_source.h"
#include "cachewarden/http_field.h"
#include "cachewarden/json.h"
#include "cachewarden/principal.h"
#include "cachewarden/work.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct route;

#define CALL_MAX_PARAMS 12

/* A typed parameter from the query or the path. Absent ones have given = false and the default the route states. */
struct param_value {
    const char *name;
    bool given;
    int64_t integer;   /* ids, numbers; booleans as 0 and 1 */
    struct str text;   /* percent-decoded; of one that may repeat the first */
    struct str *texts; /* one that may repeat: each once, in the order they came; else NULL */
    size_t text_count;
};

/* What went well, in the words of the operation; server/http/status.c turns it into a status code. */
enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_CREATED,
    OUTCOME_ACCEPTED,
    OUTCOME_NO_CONTENT,
    OUTCOME_NOT_MODIFIED, /* the caller has what it asked for; there is no body */
    OUTCOME_MISS /* nothing is cached there; the body is the row's "Not found." with what the reply has */
};

/* Whether what was asked for came from the cache. */
enum cache_result {
    CACHE_RESULT_NONE = 0,
    CACHE_RESULT_MISS,
    CACHE_RESULT_HIT,
    CACHE_RESULT_STALE, /* it did, although it is not fresh any more */
    CACHE_RESULT_BYPASS /* the cache was not asked */
};

enum tristate { UNKNOWN = -1, NO = 0, YES = 1 };

/* What becomes of the browser's session with this answer. */
enum session_change {
    SESSION_UNCHANGED = 0,
    SESSION_BEGUN,   /* both cookies are set */
    SESSION_RENEWED, /* the session's cookie is set anew */
    SESSION_ENDED,   /* the browser is told to forget both, */
    SESSION_LEFT     /* and after a logout what it stored of this origin, too */
};

struct reply_session {
    enum session_change change;
    struct str token; /* BEGUN, RENEWED: compact, of TOKEN_SESSION */
    struct str xsrf;  /* BEGUN: what XSRF-TOKEN is to hold */
};

/* Fields of the answer's head that no member of the reply stands for. */
#define REPLY_FIELDS_MAX 64

struct reply {
    enum outcome outcome;
    struct strbuf body; /* the JSON written through `json`; empty for OUTCOME_NO_CONTENT */
    struct json_writer json;
    bool has_content; /* instead of body: call_give_content */
    struct str content;
    struct str
        lasting_body; /* not empty: instead of body; it stays as it is until the server ends */
    struct body_source source; /* next is not NULL: instead of body; call_give_source */
    /* > 0: the answer is another server's (call_give_foreign) */
    int foreign_status;
    int64_t foreign_length; /* what it says of the length of a body that is not sent; -1: nothing */
    struct str
        media_type; /* empty: application/json, of content and sources application/octet-stream */
    int64_t cache_version;          /* > 0: becomes X-Cache-Version */
    enum tristate cache_enabled;    /* not UNKNOWN: becomes X-Cache-Enabled */
    int64_t user_id;                /* > 0: becomes X-User-Id */
    enum cache_result cache_result; /* not NONE: becomes X-Cache, and with it */
    int64_t age_s;                  /* >= 0: Age, */
    int64_t ttl_s;                  /* >= 0: X-Cache-TTL, */
    bool is_refresh;                /* X-Cache-Refresh: 1 */
    struct str lease;               /* not empty: becomes X-Cache-Lease */
    struct str etag;                /* not empty: becomes ETag, in quotes, which it must not hold */
    struct str location;
    struct http_field *fields; /* call_add_field */
    size_t field_count;
    struct reply_session session;
    int64_t retry_after_s;  /* > 0, with an error */
    int64_t rate_limit;     /* > 0: calls allowed in a window; the call was counted, and */
    int64_t rate_remaining; /* so many are left, */
    int64_t rate_reset_s;   /* until a new window may begin */
};

struct call {
    struct app *app;
    const struct route *route;
    struct arena *arena;
    struct principal principal;
    struct param_value params[CALL_MAX_PARAMS];
    size_t param_count;
    struct str body; /* raw; already within the row's limit */
    /* BODY_FIELDS: the body as an object, from JSON or a form; else NULL */
    const struct json *fields;
    /* BODY_STREAM: what call_read_body reads, good until the operation returns; it is not to be closed */
    const struct body_source *body_source;
    struct str
        content_type; /* BODY_RAW and BODY_STREAM: what the body is, as it was sent; empty: not said */
    struct str lease;         /* X-Cache-Lease, unproven; empty: none */
    struct str if_none_match; /* If-None-Match, as it was sent (etag.h); empty: none */
    bool has_if_match;        /* If-Match, */
    bool has_if_unmodified;   /* If-Unmodified-Since, */
    bool has_content_range;   /* and Content-Range: nobody here does what they say */
    bool is_head;             /* only the head of the answer is sent */
    /* The value of the browser's session cookie, unproven; empty: none. For sign-in and logout. */
    struct str session_cookie;
    bool is_same_origin;   /* a page of this server sent it */
    bool is_limit_pending; /* the row's limit is still to be counted (limits.h) */
    struct str request_id;
    struct str client_address; /* without port; the proxy's word when it is trusted */
    int64_t now_s;
    int64_t deadline_ns;
    int64_t
        upstream_ns; /* how long upstreams took until the heads of their answers; 0: none was asked */
    bool is_coalesced; /* it waited for the answer to another request */
    struct reply reply;
    struct error error; /* filled by whoever returns other than ERR_OK */
};

/*
 * An empty call for `route`: no principal, no parameters, an empty reply ready to be written.
 * The caller then fills in what the request carried. The arena is borrowed.
 */
void call_init(struct call *call, struct app *app, const struct route *route, struct arena *arena);

/* What the call lends to what it calls: its arena, its deadline, its error. */
static inline struct work call_work(struct call *call)
{
    return (struct work){call->arena, call->deadline_ns, &call->error};
}

/* Answers with these bytes, which may be none, as they are. They stay where they are until the answer is
 * sent. An empty media type is application/octet-stream. */
void call_give_content(struct call *call, struct str content, struct str media_type);

/*
 * The next bytes of the body, of a BODY_STREAM row: *len_out of them, 0 at its end. Waits for the client. An error is
 * what the operation returns then: the edge has the words for it. Nothing that was read before is known to be
 * all, so what it was for must not count yet.
 */
CW_MUST_CHECK enum err call_read_body(struct call *call, char *buffer, size_t size,
                                      size_t *len_out);

/*
 * Answers with what the source gives, while the client takes it: after the operation has ended, perhaps by another
 * thread, and without the call. It is closed in any case, also when nothing of it is sent. Of an error there
 * the client sees an answer that is cut short, so ask first what may be refused.
 */
void call_give_source(struct call *call, const struct body_source *source, struct str media_type);

/*
 * Answers with what another server answered: its status, its fields as they are, but for the framing, and its body;
 * NULL: there is none, of a length that is told all the same if it is not negative (HEAD). The fields stay where they
 * are until the answer is sent, and none has a control character but tabs.
 */
void call_give_foreign(struct call *call, int status, struct http_field *fields, size_t field_count,
                       const struct body_source *body, int64_t length);

/*
 * Whether the answer may carry this field: the name is a token and none that the edge alone says (framing, the
 * connection, X-Request-Id, X-User-Id, X-Cache-…, RateLimit-…, Access-Control-…, cookies of ours), the value has no
 * control character but tabs. What comes from elsewhere is asked first.
 */
bool call_takes_field(struct str name, struct str value);
/*
 * Adds it to the head of the answer, where that is a success; a name may come more than once, and
 * stands for the edge's own of that name (Date, Age, ETag, Location, Cache-Control). Both strings stay where they are
 * until the answer is sent. ERR_INTERNAL: it is not taken, or is one of too many.
 */
CW_MUST_CHECK enum err call_add_field(struct call *call, struct str name, struct str value);

/* What an operation ends with once its answer is written: ERR_OK, or ERR_NO_MEMORY when the body did not fit. */
CW_MUST_CHECK enum err call_finish(struct call *call);

/* The value of a parameter the route declares; aborts on a name it does not. Never NULL. */
const struct param_value *call_param(const struct call *call, const char *name);

/* A string member of the body; ERR_BAD_INPUT with "<name>: …" when it is missing, not a string, or empty. */
CW_MUST_CHECK enum err call_field_string(struct call *call, const char *name,
                                         struct str *value_out);
/* As above, but absent gives STR_NONE and ERR_OK. */
CW_MUST_CHECK enum err call_field_optional(struct call *call, const char *name,
                                           struct str *value_out);
/* true or false, absent: false. "true" and "false" will do, for a form has only strings. */
CW_MUST_CHECK enum err call_field_boolean(struct call *call, const char *name, bool *value_out);
/* ERR_BAD_INPUT with "<name>: <why>" for the caller. The log does not get the name, which the client
 * chose: who forgets the Content-Type has a password where a name is expected. */
CW_MUST_CHECK enum err call_refuse_name(struct call *call, struct str name, const char *why);
/* ERR_BAD_INPUT naming the first member that is not in `names` (NULL-terminated list). */
CW_MUST_CHECK enum err call_fields_only(struct call *call, const char *const *names);
/* The one member the body has: ERR_BAD_INPUT as call_fields_only and call_field_string. */
CW_MUST_CHECK enum err call_only_field(struct call *call, const char *name, struct str *value_out);

#endif
