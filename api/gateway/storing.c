#include "gateway/storing.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "gateway/response_tags.h"
#include "gateway/rules/passing.h"
#include "gateway/rules/storable.h"
#include "gateway/rules/validation.h"
#include "gateway/sharing.h"

/* How long what is stale already is kept: a late answer may still be confirmed, or served when the upstream fails. */
enum { SPARE_S = 60, VALIDATED_S = 600 };
#define LIFE_MAX_S (INT64_C(30) * 86400)

struct cache_policy storing_policy(const struct gateway_route *route)
{
    return (struct cache_policy){
        .ttl_s = route->options.ttl_s,
        .stale_while_revalidate_s = route->options.stale_while_revalidate_s,
        .stale_if_error_s = route->options.stale_if_error_s,
        .heuristic_percent = route->options.heuristic_percent,
        .keyed_by_user = !route->options.is_public,
    };
}

int64_t storing_age_s(const struct passage *passage, const struct response_head *head)
{
    const struct cache_policy policy = storing_policy(passage->route);
    struct cache_terms terms;

    cache_terms_of(head, &policy, &terms);
    return cache_age_ms(&terms, clock_wall_ms()) / 1000;
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t life_s(const struct response_head *head, const struct cache_terms *terms)
{
    int64_t fresh_s = longer(terms->lifetime_s - terms->initial_age_ms / 1000, 0);
    int64_t stale_s = longer(terms->stale_while_revalidate_s, terms->stale_if_error_s);

    if (response_can_be_validated(head))
        stale_s = longer(stale_s, VALIDATED_S);
    return fresh_s > LIFE_MAX_S ? LIFE_MAX_S : fresh_s + stale_s + SPARE_S;
}

/*
 * Answers that depend on conditions or a range of the request, which no key holds. 304 and 206 are not stored in any
 * case.
 */
static bool is_about_request(const struct passage *passage, int status)
{
    static const struct str names[] = {
        STR("if-match"), STR("if-none-match"), STR("if-modified-since"), STR("if-unmodified-since"),
        STR("if-range"), STR("range"),
    };

    if (status < 400)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fields_find(&passage->came, names[i]))
            return true;
    return false;
}

bool storing_is_for_one(const struct passage *passage)
{
    return passage->route->options.is_public && (fields_find(&passage->sent, STR("cookie")) ||
                                                 fields_find(&passage->sent, STR("x-api-key")));
}

/* What has no end in sight is not waited for: it would reach nobody meanwhile. */
static bool is_stream(const struct http_fields *fields)
{
    struct str type = fields_value(fields, STR("Content-Type"));

    return str_eq_nocase(str_sub(type, 0, 17), STR("text/event-stream")) ||
           str_eq_nocase(str_sub(type, 0, 25), STR("multipart/x-mixed-replace")) ||
           str_eq_nocase(fields_value(fields, STR("X-Accel-Buffering")), STR("no"));
}

const char *storing_request_forbids(const struct passage *passage)
{
    struct request_directives directives;

    if (storing_is_for_one(passage))
        return "credentials"; /* a cookie or an API key, by which the upstream may answer */
    request_directives_parse(&passage->came, &directives);
    return directives.no_store ? storable_name(UNSTORABLE_REQUEST) : NULL;
}

/* NULL: it may be stored, for so long. */
static const char *why_not(const struct passage *passage, struct str method,
                           const struct response_head *head, int64_t *life_ms_out)
{
    const struct cache_policy policy = storing_policy(passage->route);
    struct cache_terms terms;
    enum storable storable;

    if (storing_is_for_one(passage))
        return storing_request_forbids(passage);
    if (is_about_request(passage, head->status))
        return "condition";
    if (is_stream(&head->fields))
        return "stream";
    cache_terms_of(head, &policy, &terms);
    if (storable_judge(passage->call->arena, method, &passage->came, head, &policy, &terms,
                       &storable) != ERR_OK)
        return "no-memory";
    *life_ms_out = life_s(head, &terms) * 1000;
    return storable == STORABLE ? NULL : storable_name(storable);
}

static const char *failed_as(enum err err)
{
    switch (err) {
    case ERR_OK:
        return NULL;
    case ERR_CONFLICT:
        return "cleared-meanwhile";
    case ERR_PRECONDITION:
        return "slow";
    case ERR_TOO_LARGE:
        return "too-many-tags";
    case ERR_BAD_INPUT:
        return storable_name(UNSTORABLE_VARY);
    case ERR_UPSTREAM_REFUSED:
        return "no-room";
    default:
        return "redis-failed";
    }
}

/* The fields are those that came: which are stored is decided here. NULL: it is stored. */
static const char *put(const struct passage *passage, const struct gateway_key *key,
                       const struct gateway_look *look, const struct response_head *head,
                       struct str body, int64_t life_ms)
{
    struct call *call = passage->call;
    struct error error;
    const struct work work = {call->arena, clock_deadline_ns(call->app->budget_ms), &error};
    struct stored_response response = {
        .status = head->status,
        .request_time_ms = head->request_time_ms,
        .response_time_ms = head->response_time_ms,
        .body = body,
    };

    error_clear(&error);
    enum err err = response_fields_to_store(call->arena, &head->fields, &response.fields);
    if (err == ERR_OK)
        err = response_tags(call->arena, &head->fields, &response.tags, &response.tag_count);
    if (err != ERR_OK)
        return err == ERR_NO_MEMORY ? "no-memory" : failed_as(err);
    err = gateway_store_put(passage->route->gateway->store, key, look, &response, life_ms, work,
                            NULL);
    if (passage->sharing)
        passage->sharing->is_void = err == ERR_CONFLICT;
    return failed_as(err);
}

static bool is_too_large(const struct fetched *fetched, size_t limit)
{
    int64_t length;

    return str_to_int64(fields_value(&fetched->head.fields, STR("Content-Length")), 0, INT64_MAX,
                        &length) &&
           (uint64_t)length > limit;
}

enum err storing_take_response(const struct passage *passage, const struct gateway_key *key,
                               const struct gateway_look *look, struct fetched *fetched,
                               const char **why_not_out)
{
    size_t limit = passage->route->gateway->stored_max;
    int64_t life_ms = 0;

    *why_not_out = why_not(passage, passage->request->method, &fetched->head, &life_ms);
    if (*why_not_out)
        return ERR_OK;
    *why_not_out = "too-large";
    if (is_too_large(fetched, limit))
        return ERR_OK;
    enum err err = fetch_body(passage, limit, fetched);
    if (err == ERR_OK && fetched_bytes(fetched).len <= limit)
        *why_not_out = fetched->is_whole ? put(passage, key, look, &fetched->head,
                                               fetched_bytes(fetched), life_ms)
                                         : "slow";
    return err;
}

bool storing_take_confirmed(const struct passage *passage, const struct gateway_key *key,
                            const struct gateway_look *look, const struct response_head *head)
{
    int64_t life_ms = 0;

    return look->has_body && !why_not(passage, STR("GET"), head, &life_ms) &&
           !put(passage, key, look, head, look->stored->body, life_ms);
}
