/*
 * One request and its answer, without a type of the HTTP library: what guard, router, dispatch
 * and status work on. An exchange belongs to one worker thread. Its strings live in the call's
 * arena, in static memory or in the connection's buffer; all last until the answer is sent.
 */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include "cachewarden/call.h"
#include "cachewarden/gateway.h"
#include "cachewarden/http_field.h"
#include "cachewarden/params.h"
#include "cachewarden/routes.h"

#include <stdbool.h>
#include <stdint.h>

/* Fields a request may have in all. The HTTP library stores no more (MG_MAX_HEADERS). */
#define HTTP_MAX_FIELDS 64

/* The fields we read ourselves; guard_index() finds them. */
enum known_field {
    FIELD_HOST,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_AUTHORIZATION,
    FIELD_API_KEY,
    FIELD_EXPECT,
    FIELD_CONNECTION,
    FIELD_ORIGIN,
    FIELD_PREFLIGHT_METHOD, /* Access-Control-Request-Method */
    FIELD_FORWARDED_FOR,    /* X-Forwarded-For */
    FIELD_FORWARDED_PROTO,  /* X-Forwarded-Proto */
    FIELD_REQUEST_ID,       /* X-Request-Id */
    FIELD_COOKIE,
    FIELD_XSRF_TOKEN, /* X-XSRF-TOKEN */
    FIELD_IF_NONE_MATCH,
    FIELD_IF_MATCH,
    FIELD_IF_UNMODIFIED_SINCE,
    FIELD_CONTENT_RANGE,
    FIELD_LEASE, /* X-Cache-Lease */
    FIELD_COUNT
};

struct http_request {
    struct str method_name;
    enum http_method method;
    /* The request target up to '?', as it came: nothing decoded, nothing collapsed. guard_index() takes
     * scheme and host off one in absolute form ("http://host/path"). */
    struct str path;
    bool is_absolute;
    struct query query;
    int minor_version;               /* HTTP/1.x */
    const struct http_field *fields; /* values without blanks around them */
    size_t field_count;
    struct str known[FIELD_COUNT]; /* the last of that name; empty when there is none */
    unsigned char known_count[FIELD_COUNT];
    /* is_absolute: known[FIELD_HOST] is the target's host, which replaces what the field said. */
    struct str host_field;
    struct str id;
    struct str client_address; /* without port; the proxy's word when it is trusted */
    struct str peer_address;   /* of who sent it, without port */
    bool is_secure;            /* by TLS from the client, as far as we can know */
    int64_t started_ns;
};

struct http_response {
    int status;
    struct str media_type;
    struct str body;
    bool body_lasts; /* until the server ends, and is not copied */
    bool is_content; /* the body is what a client stored: no page of ours */
    bool is_foreign; /* another server's: status and fields as they came */
    /* instead of `body`, of this length or BODY_LENGTH_UNKNOWN: what the reply's source gives; without has_source the
     * length of a foreign answer to HEAD */
    bool has_source;
    int64_t source_length;
    struct str allow; /* 405 and OPTIONS */
    struct str location;
    int64_t retry_after_s;
    int64_t rate_limit; /* > 0: RateLimit-Limit, -Remaining and -Reset */
    int64_t rate_remaining;
    int64_t rate_reset_s;
    int64_t cache_version; /* > 0: X-Cache-Version */
    int64_t user_id;       /* > 0: X-User-Id */
    enum tristate cache_enabled;
    enum cache_result cache_result;  /* X-Cache, and then where they are known (>= 0) */
    int64_t age_s, ttl_s;            /* Age and X-Cache-TTL */
    bool is_refresh;                 /* X-Cache-Refresh: 1 */
    struct str lease;                /* X-Cache-Lease */
    struct str etag;                 /* ETag, without its quotes */
    const struct http_field *fields; /* as they are */
    size_t field_count;
    struct reply_session session; /* becomes Set-Cookie */
    bool challenge;               /* WWW-Authenticate: Bearer */
    bool refuses_coding;          /* Accept-Encoding: identity, which tells a 415 from others */
    bool no_store;
    bool close;             /* framing cannot be trusted any more, or the body was not read */
    struct str cors_origin; /* not empty: an origin that may read this answer */
    bool cors_preflight;
};

/* What a request that waits for its body keeps until it is begun again. */
struct exchange_kept {
    bool is_counted; /* against the row's limit, with this outcome */
    int64_t rate_limit, rate_remaining, rate_reset_s;
    struct gateway_wait wait;
};

/* Answered by exchange.read_body and open_body; by the latter, too: too many are read while they come. And why
 * reading ended: the server stops. */
enum { BODY_AWAITED = -1, BODY_BUSY = -2, BODY_STOPPED = -3 };

struct exchange {
    struct http_request request;
    struct http_response response;
    struct call call; /* call.route is NULL until the router has found one */
    enum err result;  /* what the answer is about, for the log */
    /*
     * The whole body, `limit` bytes at most, good until the answer is sent. 0, or the HTTP status that
     * refuses it: 413, 408 (deadline), 400 (cut short, or broken chunks), 503 (too many bytes wait). Or
     * BODY_AWAITED: it is not there yet. Then the request is not answered but begun again later.
     */
    int (*read_body)(struct exchange *exchange, size_t limit, struct str *body_out);
    /* As read_body, for BODY_STREAM: 0, and call.body_source is the body. */
    int (*open_body)(struct exchange *exchange, size_t limit);
    /* Whether the client has closed its side, or is gone: it does not wait for the answer. NULL: nobody knows. */
    bool (*is_client_gone)(const struct exchange *exchange);
    /* The request waits without a worker, and is begun again after so long, or a moment later. NULL: it cannot. */
    void (*pause)(struct exchange *exchange, int64_t pause_ms);
    /* Sends a response 1xx before the answer. NULL: there are none. */
    void (*send_interim)(struct exchange *exchange, int status, const struct http_field *fields,
                         size_t field_count);
    void *body_source;           /* what these five work on */
    struct body_source incoming; /* call.body_source, if there is one */
    bool has_stream_place;
    int body_status;   /* why reading it failed, as read_body answers it; 0: it has not */
    bool is_suspended; /* it waits for its body, and has no answer */
    bool is_streamed;  /* its answer is still being made; the log hears of it when that ends */
    /* Why the answer did not go out. Not taken: the client was gone, too slow, or had to make room. */
    enum { NOT_CUT, CUT_CLIENT_GONE, CUT_NO_ROOM, CUT_NOT_TAKEN, CUT_SOURCE_FAILED } cut;
    struct exchange_kept kept;
};

#endif
