/*
 * Calls operations in process, the way server/http/dispatch.c does: permission, parameters, body, then
 * the operation of the row, with real services behind it. No HTTP and no server, so a test sees
 * error codes and bodies and may call from many threads. Tests that use it link cw_api.
 */
#ifndef SUPPORT_LOOPBACK_H
#define SUPPORT_LOOPBACK_H

#include "cachewarden/app.h"
#include "cachewarden/caches.h"
#include "cachewarden/call.h"

#define LOOPBACK_SECRET "loopback-secret-of-some-forty-bytes-length"
/* Where surely nobody listens; a free port may be somebody's a moment later. */
#define LOOPBACK_NO_REDIS "unix:///nonexistent/redis.sock"
#define LOOPBACK_PASSWORD "correct-horse-battery"

/* ---- the services ---- */

struct loopback_options {
    const char *redis_url;         /* control data, and whatever has no URL of its own */
    const char *entries_redis_url; /* NULL: the same */
    const struct cache_spec
        *caches; /* NULL: `messages` and `search` as a new configuration has them */
    size_t cache_count;
    /* the users database of this one, which is closed later: another node */
    const struct loopback *shares;
    /* does not follow what others revoke: connects to nothing by itself */
    bool is_unwatched;
    const char *users_url;        /* another database than the SQLite file of its own */
    const char *backup_directory; /* NULL: none that could be written to */
    bool includes_entries;        /* in backups */
    bool has_no_users;            /* no users database: quicker, for tests without accounts */
    bool is_registration_open;
    size_t pool_size;             /* 0: 4 */
    int64_t audit_delayed_ms;     /* 0: the usual 250 */
    int64_t jobs_give_up_ms;      /* 0: the usual minute */
    int64_t command_timeout_ms;   /* 0: a busy machine does not fail a test */
    int64_t start_wait_ms;        /* the same */
    int64_t term_patience_ms;     /* 0: that of a busy machine; for terms that cannot begin */
    int64_t alone_ms;             /* 0: the usual minute */
    struct limit_settings limits; /* zero: off */
};

struct loopback {
    struct app *app;
    char directory[64]; /* with users.db; "" without, or with another's */
};

/* Anything that goes wrong ends the test. */
void loopback_open(struct loopback *loopback, const struct loopback_options *options);
void loopback_close(struct loopback *loopback);
/* For tests of app_open itself: it may fail; loopback_close anyway. */
enum err loopback_try_open(struct loopback *loopback, const struct loopback_options *options,
                           struct error *error);

/* ---- who calls ---- */

struct principal loopback_nobody(void);
struct principal loopback_user(int64_t id);
struct principal loopback_admin(void); /* user 1, "admin" */
struct principal loopback_key(unsigned scopes, int64_t owner_id);

/* ---- a call ---- */

struct loopback_request {
    const char *route; /* the row's name: "cache.clear" */
    struct principal principal;
    const char *query; /* behind the '?'; NULL: there is none */
    const char *name;  /* what stands for {name}, or {label} … in the path, as it is sent */
    const char *session_cookie; /* what the browser's holds; NULL: none */
    bool is_same_origin;
    const char *type; /* NULL with a body: application/json */
    const char *body;
    size_t body_size;                  /* 0: up to its NUL */
    const char *lease, *if_none_match; /* X-Cache-Lease, If-None-Match; NULL: none */
    bool is_head;
    const char *address; /* of the client; NULL: 127.0.0.1 */
    struct app *app;     /* set by LOOPBACK */
};

struct loopback_answer {
    enum err err;
    struct error error;
    struct reply reply;
    const char *body; /* NUL-terminated; "" after an error, where the edge writes the body */
    struct arena *arena;
};

/* loopback_free the answer. */
struct loopback_answer *loopback_call(const struct loopback_request *request);
void loopback_free(struct loopback_answer **answer);
#define LOOPBACK(loopback, route_name, who, ...) \
    loopback_call(&(struct loopback_request){    \
        .app = (loopback)->app, .route = (route_name), .principal = (who), __VA_ARGS__})

/* The body as a document, which lives as long as the answer. Not JSON: the test ends. */
const struct json *loopback_json(const struct loopback_answer *answer);

/* ---- what is expected; each frees the answer ---- */

/* ERR_OK and this body to the byte. */
void loopback_expect(struct loopback_answer *answer, const char *body);
/* This error, with this text for the caller (NULL: any). */
void loopback_expect_error(struct loopback_answer *answer, enum err err, const char *says);

#endif
