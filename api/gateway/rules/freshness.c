#include "gateway/rules/freshness.h"

#include "gateway/rules/http_date.h"

#define MS_PER_S   INT64_C(1000)
#define AGE_MAX_MS (CACHE_SECONDS_MAX * MS_PER_S)
/* What is guessed is never fresh for longer. */
#define HEURISTIC_MAX_S INT64_C(86400)

static int64_t between(int64_t number, int64_t least, int64_t most)
{
    if (number < least)
        return least;
    return number > most ? most : number;
}

/* From one point in time to a later one, 0 if it is not later; they may be anything. */
static int64_t elapsed(int64_t from, int64_t to, int64_t most)
{
    int64_t difference;

    if (from >= to)
        return 0;
    return __builtin_sub_overflow(to, from, &difference) ? most : between(difference, 0, most);
}

bool status_is_heuristically_cacheable(int status)
{
    static const int statuses[] = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (status == statuses[i])
            return true;
    return false;
}

/* The first element counts; what is no number of seconds is ignored (RFC 9111, section 5.1). */
static int64_t told_age_s(const struct http_fields *fields)
{
    struct field_list list = field_list_of(fields, STR("age"));
    struct str first;
    int64_t age_s = 0;

    if (!field_list_next(&list, &first) || !cache_seconds_parse(first, &age_s))
        return 0;
    return age_s;
}

/* When the response was made; one that does not say so was made when it came. */
static int64_t date_s(const struct response_head *response)
{
    const int64_t came_s = response->response_time_ms / MS_PER_S;
    int64_t seconds;

    return fields_date(&response->fields, STR("date"), came_s, &seconds) ? seconds : came_s;
}

static int64_t initial_age_ms(const struct response_head *response)
{
    const int64_t apparent_ms =
        elapsed(date_s(response), response->response_time_ms / MS_PER_S, CACHE_SECONDS_MAX) *
        MS_PER_S;
    const int64_t delay_ms =
        elapsed(response->request_time_ms, response->response_time_ms, AGE_MAX_MS);
    const int64_t corrected_ms = told_age_s(&response->fields) * MS_PER_S + delay_ms;

    return between(apparent_ms > corrected_ms ? apparent_ms : corrected_ms, 0, AGE_MAX_MS);
}

/* An Expires that is no date, or there twice and different, is past. */
static int64_t lifetime_by_expires_s(const struct response_head *response)
{
    const int64_t came_s = response->response_time_ms / MS_PER_S;
    int64_t expires_s;

    if (!fields_date(&response->fields, STR("expires"), came_s, &expires_s))
        return 0;
    return elapsed(date_s(response), expires_s, CACHE_SECONDS_MAX);
}

static int64_t lifetime_by_heuristic_s(const struct response_head *response, int percent)
{
    const int64_t came_s = response->response_time_ms / MS_PER_S;
    int64_t modified_s;

    if (percent <= 0 || !fields_date(&response->fields, STR("last-modified"), came_s, &modified_s))
        return 0;
    return between(elapsed(modified_s, date_s(response), CACHE_SECONDS_MAX) * percent / 100, 0,
                   HEURISTIC_MAX_S);
}

/*
 * What states nothing may be fresh by the route's word or by a guess. A response that sets a cookie, or has the old
 * Pragma: no-cache, was hardly made for that.
 */
static void guess_lifetime(const struct response_head *response, const struct cache_policy *policy,
                           const struct response_directives *directives, struct cache_terms *terms)
{
    const struct http_fields *fields = &response->fields;

    if ((!directives->is_public && !status_is_heuristically_cacheable(response->status)) ||
        fields_find(fields, STR("set-cookie")) || fields_find(fields, STR("set-cookie2")) ||
        field_list_has(fields, STR("pragma"), STR("no-cache")))
        return;
    if (policy->ttl_s > 0) {
        terms->source = FRESHNESS_ROUTE;
        terms->lifetime_s = between(policy->ttl_s, 0, CACHE_SECONDS_MAX);
        return;
    }
    terms->lifetime_s = lifetime_by_heuristic_s(response, policy->heuristic_percent);
    if (terms->lifetime_s > 0)
        terms->source = FRESHNESS_HEURISTIC;
}

static void find_lifetime(const struct response_head *response, const struct cache_policy *policy,
                          const struct response_directives *directives, struct cache_terms *terms)
{
    if (directives->s_maxage_s != CACHE_NOT_TOLD) {
        terms->source = FRESHNESS_S_MAXAGE;
        terms->lifetime_s = directives->s_maxage_s;
    } else if (directives->max_age_s != CACHE_NOT_TOLD) {
        terms->source = FRESHNESS_MAX_AGE;
        terms->lifetime_s = directives->max_age_s;
    } else if (!directives->targeted && fields_find(&response->fields, STR("expires"))) {
        terms->source = FRESHNESS_EXPIRES;
        terms->lifetime_s = lifetime_by_expires_s(response);
    } else {
        guess_lifetime(response, policy, directives, terms);
    }
}

static int64_t window_s(const struct cache_terms *terms, int64_t told_s, int64_t route_s)
{
    if (terms->stale_forbidden || terms->validate_always)
        return 0;
    return told_s != CACHE_NOT_TOLD ? told_s : between(route_s, 0, CACHE_SECONDS_MAX);
}

void cache_terms_of(const struct response_head *response, const struct cache_policy *policy,
                    struct cache_terms *terms_out)
{
    struct response_directives directives;

    response_directives_parse(&response->fields, &directives);
    *terms_out = (struct cache_terms){
        .initial_age_ms = initial_age_ms(response),
        .response_time_ms = response->response_time_ms,
        .validate_always = directives.no_cache,
        /* s-maxage means proxy-revalidate, too (RFC 9111, section 5.2.2.10). */
        .stale_forbidden = directives.must_revalidate || directives.proxy_revalidate ||
                           directives.s_maxage_s != CACHE_NOT_TOLD,
    };
    find_lifetime(response, policy, &directives, terms_out);
    terms_out->stale_while_revalidate_s =
        window_s(terms_out, directives.stale_while_revalidate_s, policy->stale_while_revalidate_s);
    terms_out->stale_if_error_s =
        window_s(terms_out, directives.stale_if_error_s, policy->stale_if_error_s);
}

int64_t cache_age_ms(const struct cache_terms *terms, int64_t now_ms)
{
    const int64_t resident_ms = elapsed(terms->response_time_ms, now_ms, AGE_MAX_MS);

    return between(between(terms->initial_age_ms, 0, AGE_MAX_MS) + resident_ms, 0, AGE_MAX_MS);
}
