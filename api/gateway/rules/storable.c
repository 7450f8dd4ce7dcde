#include "gateway/rules/storable.h"

#include "gateway/rules/validation.h"
#include "gateway/rules/vary.h"

#define MS_PER_S INT64_C(1000)

const char *storable_name(enum storable storable)
{
    static const char *const names[] = {
        [STORABLE] = "stored",
        [UNSTORABLE_METHOD] = "method",
        [UNSTORABLE_STATUS] = "status",
        [UNSTORABLE_REQUEST] = "request-no-store",
        [UNSTORABLE_NO_STORE] = "no-store",
        [UNSTORABLE_PRIVATE] = "private",
        [UNSTORABLE_COOKIE] = "set-cookie",
        [UNSTORABLE_AUTHORIZATION] = "authorization",
        [UNSTORABLE_VARY] = "vary",
        [UNSTORABLE_NO_FRESHNESS] = "no-freshness",
        [UNSTORABLE_NO_USE] = "stale",
    };
    return names[storable];
}

/* Those whose meaning for a cache is known: what must-understand asks for. */
static bool is_understood(int status)
{
    return status_is_heuristically_cacheable(status) || status == 302 || status == 303 ||
           status == 307;
}

static bool is_final_and_whole(int status)
{
    return status >= 200 && status <= 599 && status != 206 && status != 304;
}

/* Its body may hold what goes with the cookie, as the token of a form does. */
static bool gives_cookie(const struct http_fields *fields)
{
    return fields_find(fields, STR("set-cookie")) || fields_find(fields, STR("set-cookie2"));
}

/* RFC 9111, section 3.5 */
static bool is_for_others(const struct response_directives *directives)
{
    return directives->is_public || directives->must_revalidate ||
           directives->s_maxage_s != CACHE_NOT_TOLD;
}

static enum storable judge_directives(const struct http_fields *request,
                                      const struct response_head *response,
                                      const struct cache_policy *policy)
{
    struct response_directives told;
    struct request_directives asked;

    response_directives_parse(&response->fields, &told);
    request_directives_parse(request, &asked);
    if (!is_final_and_whole(response->status) ||
        (told.must_understand && !is_understood(response->status)))
        return UNSTORABLE_STATUS;
    if (asked.no_store)
        return UNSTORABLE_REQUEST;
    /* With must-understand, no-store is for caches that do not (RFC 9111, section 5.2.2.3). */
    if (told.no_store && !told.must_understand)
        return UNSTORABLE_NO_STORE;
    if (told.is_private)
        return UNSTORABLE_PRIVATE;
    if (!policy->keyed_by_user && gives_cookie(&response->fields))
        return UNSTORABLE_COOKIE;
    if (!policy->keyed_by_user && fields_find(request, STR("authorization")) &&
        !is_for_others(&told))
        return UNSTORABLE_AUTHORIZATION;
    return STORABLE;
}

/* Neither fresh nor, being stale, of use to anybody: as it comes, by its Age and Date. */
static bool is_over(const struct cache_terms *terms)
{
    int64_t staleness_ms = terms->initial_age_ms - terms->lifetime_s * MS_PER_S;
    int64_t window_s = terms->stale_while_revalidate_s > terms->stale_if_error_s
                           ? terms->stale_while_revalidate_s
                           : terms->stale_if_error_s;

    if (terms->validate_always)
        return true;
    return staleness_ms >= 0 && (window_s == 0 || staleness_ms > window_s * MS_PER_S);
}

static enum storable judge_use(const struct response_head *response,
                               const struct cache_terms *terms)
{
    if (terms->source == FRESHNESS_NONE && !terms->validate_always)
        return UNSTORABLE_NO_FRESHNESS;
    if (is_over(terms) && !response_can_be_validated(response))
        return UNSTORABLE_NO_USE;
    return STORABLE;
}

enum err storable_judge(struct arena *arena, struct str method, const struct http_fields *request,
                        const struct response_head *response, const struct cache_policy *policy,
                        const struct cache_terms *terms, enum storable *storable_out)
{
    enum vary vary;
    struct str names;
    const enum err err = vary_of(arena, &response->fields, &vary, &names);

    if (err != ERR_OK)
        return err;
    *storable_out = judge_directives(request, response, policy);
    if (!str_eq(method, STR("GET")))
        *storable_out = UNSTORABLE_METHOD;
    if (*storable_out == STORABLE && vary == VARY_ANYTHING)
        *storable_out = UNSTORABLE_VARY;
    if (*storable_out == STORABLE)
        *storable_out = judge_use(response, terms);
    return ERR_OK;
}
