#include "gateway/verdict.h"

#include "cachewarden/clock.h"
#include "gateway/storing.h"

bool verdict_may_ask(const struct passage *passage)
{
    bool is_read = passage->is_head || str_eq(passage->request->method, STR("GET"));
    const struct body_source *body = passage->call->body_source;

    return is_read && (!body || body->length == 0);
}

enum forwarded verdict_unasked(const struct passage *passage)
{
    return passage->is_head || str_eq(passage->request->method, STR("GET")) ? FORWARDED_BYPASS
                                                                            : FORWARDED_METHOD;
}

static enum forwarded why_forwarded(const struct verdict *verdict, const struct gateway_look *look)
{
    switch (verdict->reuse.reuse) {
    case REUSE_BYPASS:
        return FORWARDED_BYPASS;
    case REUSE_MISS:
        return look->has_variants ? FORWARDED_VARY_MISS : FORWARDED_URI_MISS;
    default:
        break;
    }
    if (!look->stored)
        return FORWARDED_MISS;
    return verdict->reuse.by_request ? FORWARDED_REQUEST : FORWARDED_STALE;
}

void verdict_judge(const struct passage *passage, const struct gateway_look *look,
                   struct verdict *verdict_out)
{
    const struct stored_response *stored = look->stored;
    struct cache_policy policy = storing_policy(passage->route);

    *verdict_out = (struct verdict){.forwarded = FORWARDED_NOT};
    if (stored) {
        verdict_out->stored = (struct response_head){
            stored->status, stored->fields, stored->request_time_ms, stored->response_time_ms};
        if (look->copy)
            stored_copy_terms(look->copy, &policy, &verdict_out->terms);
        else
            cache_terms_of(&verdict_out->stored, &policy, &verdict_out->terms);
        verdict_out->terms.outdated = look->is_outdated;
    }
    reuse_judge(&passage->came, stored ? &verdict_out->terms : NULL, clock_wall_ms(),
                &verdict_out->reuse);
    verdict_out->forwarded = why_forwarded(verdict_out, look);
}

bool verdict_is_served(const struct verdict *verdict)
{
    return verdict->reuse.reuse == REUSE_FRESH || verdict->reuse.reuse == REUSE_STALE ||
           verdict->reuse.reuse == REUSE_STALE_WHILE_REVALIDATE;
}

void verdict_tell_served(const struct verdict *verdict, const struct gateway_look *look,
                         struct cache_status *status)
{
    status->forwarded = FORWARDED_NOT;
    status->has_ttl = true;
    status->ttl_s = verdict->reuse.ttl_s;
    if (look->is_outdated) { /* stale from now on, whatever its freshness was */
        status->ttl_s = status->ttl_s < 0 ? status->ttl_s : -1;
        status->detail = STR("cleared softly");
    }
}
