#include "gateway/rules/reuse.h"

#define MS_PER_S INT64_C(1000)

bool status_is_error(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Seconds, rounded down also where they are negative. */
static int64_t whole_seconds(int64_t ms)
{
    return ms >= 0 ? ms / MS_PER_S : -((-ms + MS_PER_S - 1) / MS_PER_S);
}

/*
 * Conditions that only who has the resource can judge (RFC 9111, section 4.3.2), and a request that wants no
 * trace of itself in a cache.
 */
static bool is_for_upstream(const struct http_fields *request,
                            const struct request_directives *directives)
{
    return directives->no_store || fields_find(request, STR("if-match")) ||
           fields_find(request, STR("if-unmodified-since"));
}

/* Whether it is as young, and fresh for as long, as the request asks for. */
static bool is_good_for(const struct request_directives *request, int64_t age_ms, int64_t left_ms)
{
    if (request->no_cache || request->max_age_s == 0)
        return false;
    if (request->max_age_s != CACHE_NOT_TOLD && age_ms > request->max_age_s * MS_PER_S)
        return false;
    if (request->min_fresh_s != CACHE_NOT_TOLD && left_ms < request->min_fresh_s * MS_PER_S)
        return false;
    /* Who names an age takes nothing that is stale, without max-stale (RFC 9111, section 5.2.1.1). */
    return left_ms > 0 || request->max_age_s == CACHE_NOT_TOLD ||
           request->max_stale_s != CACHE_NOT_TOLD;
}

static bool is_within(int64_t window_s, int64_t staleness_ms)
{
    return window_s > 0 && staleness_ms <= window_s * MS_PER_S;
}

/* What was cleared softly has a window for as long as it is stored; what forbids stale answers does so here, too. */
static enum reuse judge_outdated(const struct cache_terms *terms)
{
    return terms->stale_forbidden ? REUSE_VALIDATE : REUSE_STALE_WHILE_REVALIDATE;
}

static enum reuse judge_stale(const struct cache_terms *terms, int64_t max_stale_s,
                              int64_t staleness_ms)
{
    if (is_within(terms->stale_while_revalidate_s, staleness_ms))
        return REUSE_STALE_WHILE_REVALIDATE;
    if (!terms->stale_forbidden && is_within(max_stale_s, staleness_ms))
        return REUSE_STALE;
    return REUSE_VALIDATE;
}

static void judge_stored(const struct request_directives *request, const struct cache_terms *terms,
                         int64_t now_ms, struct reuse_verdict *verdict)
{
    const int64_t age_ms = cache_age_ms(terms, now_ms);
    const int64_t left_ms = terms->lifetime_s * MS_PER_S - age_ms;
    const int64_t asked_s = terms->stale_forbidden ? 0 : request->stale_if_error_s;
    const int64_t error_s = terms->stale_if_error_s > asked_s ? terms->stale_if_error_s : asked_s;
    enum reuse reuse =
        left_ms > 0 ? REUSE_FRESH : judge_stale(terms, request->max_stale_s, -left_ms);

    if (terms->outdated && reuse == REUSE_FRESH)
        reuse = judge_outdated(terms);
    if (terms->validate_always)
        reuse = REUSE_VALIDATE;
    *verdict = (struct reuse_verdict){
        .reuse = reuse,
        .age_s = age_ms / MS_PER_S,
        .ttl_s = whole_seconds(left_ms),
    };
    if (!is_good_for(request, age_ms, left_ms))
        verdict->reuse = REUSE_VALIDATE;
    verdict->by_request = reuse != REUSE_VALIDATE && verdict->reuse == REUSE_VALIDATE;
    verdict->serve_on_error =
        !terms->validate_always && !request->no_cache && is_within(error_s, -left_ms);
}

void reuse_judge(const struct http_fields *request, const struct cache_terms *terms, int64_t now_ms,
                 struct reuse_verdict *verdict_out)
{
    struct request_directives directives;

    request_directives_parse(request, &directives);
    *verdict_out = (struct reuse_verdict){.reuse = REUSE_MISS};
    if (is_for_upstream(request, &directives))
        verdict_out->reuse = REUSE_BYPASS;
    else if (terms)
        judge_stored(&directives, terms, now_ms, verdict_out);
    if (directives.only_if_cached && verdict_out->reuse >= REUSE_VALIDATE)
        verdict_out->reuse = REUSE_GATEWAY_TIMEOUT;
}
